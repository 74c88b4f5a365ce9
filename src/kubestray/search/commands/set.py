"""``set union|diff|intersect [ SUBSEARCH ] [ SUBSEARCH ]`` compares the rows of two searches.

``union`` gives all rows, those that are equal once; ``intersect`` the rows that both searches give,
``diff`` those that only one of them gives. Rows are equal if all their fields are: take out with
``fields`` what should not count, such as ``_time``. Numbers and texts that look alike are equal.

Example::

    | set diff [ mstats count(a) WHERE index=* BY host | fields host ]
        [ mstats count(b) WHERE index=* BY host | fields host ]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Command, Pipeline, Place
from kubestray.search.values import Shape, as_list
from kubestray.store.trees import aggregate, all_of, array, call, column, number, over, windowed

_KINDS = ("union", "diff", "intersect")


@dataclass(frozen=True, slots=True)
class Set(Command):
    """The ``set`` command."""

    place: ClassVar = Place.FIRST

    kind: str
    subsearches: tuple[Pipeline, Pipeline]


def parse(cursor: Cursor, at: int) -> Set:
    """Read what to do and the two subsearches."""
    kind = cursor.keyword(*_KINDS)
    if kind is None:
        raise cursor.error(f"expected union, diff or intersect, found {cursor.found()}")
    first = cursor.subsearch("to start the first subsearch of set")
    cursor.take(",")
    return Set(at, kind, (first, cursor.subsearch("to start the second subsearch of set")))


def plan(command: Set, _: None, context: Context) -> Relation:
    """Put the rows one after the other, and keep the first of those that are equal, if it is wanted."""
    both = stacked([context.subsearch(subsearch) for subsearch in command.subsearches], context)
    side, key, place = (context.column(shape) for shape in (Shape.NUMBER, Shape.TEXT, Shape.NUMBER))
    values = [as_list(made.value()) for made in both.fields.values()]
    whole = call("toNullable", call("toString", array(values) if values else array([])))
    both = both.computed([(key, whole), (side, column(both.order[0].column.name))])
    terms = [order.term() for order in both.order]
    same = [column(key.name)]
    number_of = over(call("row_number"), partition=same, terms=terms)
    sides = windowed(aggregate("uniqExact", column(side.name)), partition=same)
    several = context.column(Shape.NUMBER)
    both = both.computed([(place, number_of), (several, sides)])
    wanted = [call("equals", column(place.name), number(1))]
    if command.kind != "union":
        wanted.append(call("equals", column(several.name), number(2 if command.kind == "intersect" else 1)))
    return both.with_node(Filter(both.node, all_of(wanted)))
