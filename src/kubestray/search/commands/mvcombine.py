"""``mvcombine [delim=TEXT] FIELD`` joins rows that differ in one field only; that field gets all values.

The values stay apart; ``nomv`` puts the delimiter between them, a space unless given.

Example::

    | mvcombine host
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.plan import Column, Grouped, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.statistics import STATISTICS, Rows
from kubestray.search.syntax import Command
from kubestray.search.values import Shape
from kubestray.store.trees import Tree, aggregate, column


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
    values = STATISTICS["list"].build(value, Rows(context.switches, rank.value().tree))
    groups: dict[str, tuple[Column, Tree]] = {
        name: (context.column(c.shape), c.value().tree)
        for name, c in relation.fields.items()
        if name != command.field
    }
    combined, place = context.column(Shape.MULTI, command.delimiter), context.column(Shape.NUMBER)
    first = (place, aggregate("min", column(rank.name)))
    node = Grouped(relation.node, tuple(groups.values()), ((combined, values.tree), first))
    fields = {name: combined if name == command.field else groups[name][0] for name in relation.fields}
    return Relation(node, fields, (Order(place),))
