"""``untable X Y DATA`` makes a row of each cell of a table: X, the name of the column, the value.

Y and DATA are names for the new fields. A cell without a value makes no row; internal fields like
``_time`` are no columns, unless X is one. ``xyseries`` does the opposite.

Example::

    | chart count OVER host BY status | untable host status count
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.plan import Column, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_shape, common_shape
from kubestray.search.wildcards import chosen_fields
from kubestray.store.trees import Tree, array, call, column, number, text


@dataclass(frozen=True, slots=True)
class Untable(Command):
    """The ``untable`` command."""

    rows: str
    name: str
    data: str


def parse(cursor: Cursor, at: int) -> Untable:
    """Read the field of rows and the names of the new fields."""
    fields = field_list(cursor, "of a table")
    if len(fields) != 3:
        raise cursor.error("untable needs a field of rows and names for the columns and the values", at)
    return Untable(at, *fields)


def plan(command: Untable, relation: Relation, context: Context) -> Relation:
    """Repeat each row for each of its cells."""
    names = [name for name in chosen_fields(["*"], relation.fields) if name != command.rows]
    shape = common_shape(relation.fields[name].shape for name in names)
    cells = [_cell(name, relation.fields[name].value(), shape) for name in names]
    nothing = _cell("", NULL, shape)  # there may be no field at all
    relation, _ = relation.ranked(context)
    cell, place = context.column(Shape.MULTI), context.column(Shape.NUMBER)
    listed = array([*cells, nothing])
    numbered = call("arrayZip", listed, call("arrayEnumerate", listed.copy()))
    relation = relation.computed([(cell, call("arrayJoin", numbered))])
    relation = relation.computed([(place, call("toNullable", call("toFloat64", _part(cell, 2))))])
    made = {
        command.name: (context.column(Shape.TEXT), call("toNullable", _part(cell, 1, 1))),
        command.data: (context.column(shape), _part(cell, 1, 2)),
    }
    relation = relation.computed(list(made.values())).present_only(made[command.data][0].value())
    kept = {command.rows: relation.fields[command.rows]} if command.rows in relation.fields else {}
    fields = {**kept, **{name: column_ for name, (column_, _) in made.items()}}
    return Relation(relation.node, fields, (*relation.order, Order(place)))


def _cell(name: str, value: Value, shape: Shape) -> Tree:
    return call("tuple", text(name), as_shape(value, shape))


def _part(cell: Column, *path: int) -> Tree:
    tree: Tree = column(cell.name)
    for index in path:
        tree = call("tupleElement", tree, number(index))
    return tree
