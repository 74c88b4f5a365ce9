"""``mvcombine [delim=TEXT] FIELD`` joins rows that differ in one field only; that field gets all values.

The values stay apart; ``nomv`` puts the delimiter between them, a space unless given.

Example::

    | mvcombine host
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.plan import Column, Filter, Grouped, Order
from kubestray.search.reductions.plain import all_in_order, first
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, as_list
from kubestray.store.trees import Tree, aggregate, call, column, number


@dataclass(frozen=True, slots=True)
class MvCombine(Command):
    """The ``mvcombine`` command."""

    field: str
    delimiter: str


def parse(cursor: Cursor, at: int) -> MvCombine:
    """Read the field and the delimiter."""
    options: dict[str, str] = {}
    read_options(cursor, ["delim"], options)
    field = cursor.field("to combine")
    read_options(cursor, ["delim"], options)
    return MvCombine(at, field, options.get("delim", " "))


def plan(command: MvCombine, relation: Relation, context: Context) -> Relation:
    """Group by all other fields; the groups stand where their first row stood."""
    value = relation.value(command.field)
    if value is None:
        return relation
    relation, rank = relation.ranked(context)
    combined, place = context.column(Shape.MULTI, command.delimiter), context.column(Shape.NUMBER)
    rows = context.column(Shape.NUMBER)
    values = all_in_order(value, column(rank.name))
    made = [(combined, values), (place, aggregate("min", column(rank.name))), (rows, aggregate("count"))]
    groups: list[tuple[Column, Tree]] = []
    fields: dict[str, Column] = {}
    for name, own in relation.fields.items():
        fields[name] = combined if name == command.field else context.column(own.shape)
        if name == command.field:
            continue
        if own.shape is Shape.DYNAMIC:  # a number and the text that looks like it are the same
            groups.append((context.column(Shape.MULTI), as_list(own.value())))
            made.append((fields[name], first(own.value(), column(rank.name))))
        else:
            groups.append((fields[name], own.value().tree))
    # Without another field the engine makes one group of no rows.
    node = Filter(
        Grouped(relation.node, tuple(groups), tuple(made)), call("greater", column(rows.name), number(0))
    )
    return Relation(node, fields, (Order(place),))
