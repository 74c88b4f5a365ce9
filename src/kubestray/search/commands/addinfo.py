"""``addinfo`` adds what the search is about: ``info_min_time``, ``info_max_time`` and ``info_search_time``.

The times are seconds since the epoch; a range without an end has the text ``+Infinity`` as ``info_max_time``.
``info_sid`` is the identifier of the search: its time.

Example::

    | addinfo | eval age = info_search_time - _time
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, Value, constant
from kubestray.store.trees import call, text


@dataclass(frozen=True, slots=True)
class AddInfo(Command):
    """The ``addinfo`` command."""


def parse(_cursor: Cursor, at: int) -> AddInfo:
    """Read nothing: there are no arguments."""
    return AddInfo(at)


def plan(_: AddInfo, relation: Relation, context: Context) -> Relation:
    """Add the fields."""
    span = context.span
    seconds = {name: _seconds(time) for name, time in (("min", span.earliest), ("search", context.now))}
    latest = _text("+Infinity") if span.latest is None else _seconds(span.latest)
    values = {
        "info_min_time": seconds["min"],
        "info_max_time": latest,
        "info_sid": _text(f"{context.now / 1e9:.6f}"),
        "info_search_time": seconds["search"],
    }
    return relation.extended(
        [(name, context.column(value.shape), value.tree) for name, value in values.items()]
    )


def _seconds(time: int) -> Value:
    return Value(Shape.NUMBER, constant(time / 1e9))


def _text(value: str) -> Value:
    return Value(Shape.TEXT, call("toNullable", text(value)))
