"""``addinfo`` adds what the search is about: ``info_min_time``, ``info_max_time`` and ``info_search_time``.

The times are seconds since the epoch; a range without an end has no ``info_max_time``.

Example::

    | addinfo | eval age = info_search_time - _time
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Column
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL_NUMBER, Shape
from kubestray.store.trees import Tree, call, number


@dataclass(frozen=True, slots=True)
class AddInfo(Command):
    """The ``addinfo`` command."""


def parse(_cursor: Cursor, at: int) -> AddInfo:
    """Read nothing: there are no arguments."""
    return AddInfo(at)


def plan(_: AddInfo, relation: Relation, context: Context) -> Relation:
    """Add the fields."""
    span = context.span
    times = {"info_min_time": span.earliest, "info_max_time": span.latest, "info_search_time": context.now}
    made: list[tuple[str, Column, Tree]] = []
    for name, time in times.items():
        tree = NULL_NUMBER.tree if time is None else call("toNullable", call("toFloat64", number(time / 1e9)))
        made.append((name, context.column(Shape.NUMBER), tree))
    return relation.extended(made)
