"""Rows that are given instead of read: ``--rows``, ``--index``, ``makeresults``."""

from __future__ import annotations

import json
from typing import Any

from kubestray.search.plan import Order, Rows
from kubestray.search.relation import Context, Relation
from kubestray.search.values import Shape

Row = dict[str, Any]


def given_relation(rows: list[Row], context: Context) -> Relation:
    """Return rows as a relation, each field in the narrowest shape that holds its values."""
    names = dict.fromkeys(name for row in rows for name in row)
    fields = {name: context.column(_shape([row.get(name) for row in rows])) for name in names}
    place = context.column(Shape.NUMBER)
    lines = []
    for index, row in enumerate(rows):
        values = {column.name: _encoded(row.get(name), column.shape) for name, column in fields.items()}
        lines.append(json.dumps({place.name: index, **values}) + "\n")
    return Relation(Rows((place, *fields.values()), "".join(lines)), fields, (Order(place),))


def _shape(values: list[Any]) -> Shape:
    kinds = {_kind(value) for value in values if value is not None and value != []}
    if not kinds or kinds == {Shape.TEXT}:
        return Shape.TEXT
    if kinds == {Shape.NUMBER}:
        return Shape.NUMBER
    return Shape.MULTI if kinds <= {Shape.TEXT, Shape.MULTI} else Shape.DYNAMIC


def _kind(value: Any) -> Shape:
    if isinstance(value, list):
        return Shape.MULTI
    return Shape.NUMBER if isinstance(value, int | float) and not isinstance(value, bool) else Shape.TEXT


def _encoded(value: Any, shape: Shape) -> Any:
    if shape is Shape.NUMBER:
        return value
    texts = [_text(item) for item in (value if isinstance(value, list) else [value]) if item is not None]
    if shape is Shape.TEXT:
        return texts[0] if texts else None
    if shape is Shape.MULTI:
        return texts
    own = value if value is not None and _kind(value) is Shape.NUMBER else None
    return [own, [] if own is not None else texts]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
