"""The rows of a result, as Python has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from kubestray.search.relation import Relation
from kubestray.search.values import Shape

Row = dict[str, Any]


def rows_of(table: pa.Table | pa.RecordBatch, relation: Relation) -> list[Row]:
    """Return the rows of a result; a null field is absent, several values are a list."""
    columns = []
    for index, (name, column) in enumerate(relation.fields.items()):
        convert = _CONVERT[column.shape]
        columns.append((name, [convert(value) for value in table.column(f"f{index}").to_pylist()]))
    if not columns:
        return [{} for _ in range(table.num_rows)]
    return [
        {name: values[i] for name, values in columns if values[i] is not None} for i in range(table.num_rows)
    ]


def _number(value: float | None) -> float | int | None:
    """Return a whole number as an int; what JSON has no number for is null."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**63 else value


def _values(values: list[str]) -> str | list[str] | None:
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _dynamic(value: dict[str, Any]) -> Any:
    shown, texts = value.values()
    return _number(shown) if shown is not None else _values(texts)


_CONVERT: dict[Shape, Callable[[Any], Any]] = {
    Shape.NUMBER: _number,
    Shape.TEXT: lambda value: value,
    Shape.MULTI: _values,
    Shape.DYNAMIC: _dynamic,
}
