"""``mvexpand FIELD [limit=N]`` makes one row of each value of a multivalue field.

A row without a value goes. The rows of one row keep the order of its values.

Example::

    | mvexpand anomalies
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, as_list
from kubestray.store.trees import call, column, number


@dataclass(frozen=True, slots=True)
class MvExpand(Command):
    """The ``mvexpand`` command."""

    field: str
    limit: int


def parse(cursor: Cursor, at: int) -> MvExpand:
    """Read the field and the limit."""
    field = cursor.field("to expand")
    found = cursor.match(r"limit\s*=\s*(\d+)")
    return MvExpand(at, field, int(found[1]) if found else 0)


def plan(command: MvExpand, relation: Relation, context: Context) -> Relation:
    """Repeat each row for each value."""
    value = relation.value(command.field)
    if value is None:
        return relation
    if value.shape in (Shape.NUMBER, Shape.TEXT):
        return relation.present_only(value)
    pair, single, place = (
        context.column(Shape.MULTI),
        context.column(Shape.TEXT),
        context.column(Shape.NUMBER),
    )
    values = as_list(value)
    if command.limit:
        values = call("arraySlice", values, number(1), number(command.limit))
    pairs = call("arrayJoin", call("arrayZip", values, call("arrayEnumerate", values)))
    relation = relation.computed([(pair, pairs)])
    relation = relation.extended(
        [(command.field, single, call("toNullable", call("tupleElement", column(pair.name), number(1))))]
    )
    relation = relation.computed(
        [(place, call("toNullable", call("toFloat64", call("tupleElement", column(pair.name), number(2)))))]
    )
    return dataclasses.replace(relation, order=(*relation.order, Order(place)))
