"""Rows that are given instead of read: ``--rows``, ``--index``, ``--lookup``, ``makeresults``.

A number is a number and a text is a text, also one that looks like a number; the empty text is a value.
``null``, an empty array and a number that is none (``NaN``) are no value. An array is a multivalue field,
an array with one item that item. ``true`` and ``false`` are texts, and so are objects, and arrays in
arrays: their JSON. A whole number that no double is exactly (beyond 2^53) keeps its digits, as a text.
``_time`` is in seconds: a text in it that is a number, or a time in RFC 3339 with its offset, becomes
that.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kubestray.search.plan import Order, Rows
from kubestray.search.relation import Context, Relation
from kubestray.search.values import Shape
from kubestray.store.points import Span

Row = dict[str, Any]

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def given_relation(
    rows: list[Row], context: Context, names: Iterable[str] = (), span: Span | None = None
) -> Relation:
    """Return rows as a relation, each field in the narrowest shape that holds its values.

    ``names`` are fields that there are in any case, first of all; ``span`` is what `plan.Rows` says of it.
    Raises `LimitExceeded` for more than a statement holds.
    """
    rows = [{name: _plain(name, value) for name, value in row.items()} for row in rows]
    known = dict.fromkeys([*names, *(name for row in rows for name in row)])
    fields = {name: context.column(_shape([row.get(name) for row in rows])) for name in known}
    place = context.column(Shape.NUMBER)
    lines = []
    for index, row in enumerate(rows):
        values = {column.name: _encoded(row.get(name), column.shape) for name, column in fields.items()}
        lines.append(json.dumps({place.name: index, **values}) + "\n")
        context.write(len(lines[-1]))
    return Relation(Rows((place, *fields.values()), "".join(lines), span), fields, (Order(place),))


def _plain(name: str, value: Any) -> float | int | str | list[str] | None:
    """Return a value as a number, a text, several texts, or nothing."""
    if isinstance(value, list):
        items = [item for item in value if item is not None]
        return _plain(name, items[0]) if len(items) == 1 else [_text(item) for item in items] or None
    if value is None:
        return None
    if isinstance(value, str):
        return _moment(value) if name == "_time" else _text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return _text(value)


def _number(value: Any) -> float | int | str | None:
    """Return a number, its digits where a double cannot hold them, nothing for NaN and infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    try:
        return value if int(float(value)) == value else str(value)
    except OverflowError:
        return str(value)


def _moment(value: str) -> float | str:
    """Return a text in ``_time`` as seconds if it is a time."""
    if _NUMBER.fullmatch(value):
        return float(value)
    if _MOMENT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).timestamp()
        except ValueError:  # a day or an hour that there is not
            return value
    return _text(value)


def _text(value: object) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", shown)


def _shape(values: list[Any]) -> Shape:
    kinds = {_kind(value) for value in values if value is not None}
    if not kinds or kinds == {Shape.TEXT}:
        return Shape.TEXT
    if kinds == {Shape.NUMBER}:
        return Shape.NUMBER
    return Shape.MULTI if kinds <= {Shape.TEXT, Shape.MULTI} else Shape.DYNAMIC


def _kind(value: float | str | list[str]) -> Shape:
    if isinstance(value, list):
        return Shape.MULTI
    return Shape.TEXT if isinstance(value, str) else Shape.NUMBER


def _encoded(value: float | str | list[str] | None, shape: Shape) -> Any:
    if shape in (Shape.NUMBER, Shape.TEXT):
        return value
    texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if shape is Shape.DYNAMIC:
        return [value if isinstance(value, int | float) else None, texts]
    return texts
