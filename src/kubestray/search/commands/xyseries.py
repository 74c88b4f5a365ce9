"""``xyseries X Y DATA … [sep=TEXT] [format=TEXT]`` makes a table: a row for each X, a column for each Y.

A cell has the value of DATA in the row with this X and this Y, the last one if there are several. With
several DATA fields a column is called ``DATA: Y``; ``sep`` is what stands between the two, and ``format``
says all of it, with ``$AGG$`` for the field and ``$VAL$`` for the value. Rows without X or Y are left
out. The rows are ordered by X, numbers by value before texts by their characters; with ``grouped=true``
they stay in their order. The columns are sorted. ``untable`` does the opposite; ``maketable`` is the same.

Example::

    | stats count BY host status | xyseries host status count
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.grouping import natural
from kubestray.search.options import flag, read_options
from kubestray.search.plan import Column, Grouped, Order
from kubestray.search.reductions.plain import first
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_list, as_text, present
from kubestray.store.trees import Tree, aggregate, all_of, call, column, text

_OPTIONS = ["sep", "format"]
_MOST = 1000


@dataclass(frozen=True, slots=True)
class XYSeries(Command):
    """The ``xyseries`` command."""

    rows: str
    columns: str
    data: tuple[str, ...]
    format: str
    grouped: bool


def parse(cursor: Cursor, at: int) -> XYSeries:
    """Read the options and the fields."""
    options: dict[str, str] = {}
    read_options(cursor, _OPTIONS, options, ["grouped"])
    fields: list[str] = []
    while cursor.at_field():
        fields.append(cursor.field("of a table"))
        cursor.take(",")
        read_options(cursor, _OPTIONS, options, ["grouped"])
    if len(fields) < 3:
        raise cursor.error("xyseries needs a field of rows, one of columns and one of data", at)
    shown = options.get("format", f"$AGG${options.get('sep', ': ')}$VAL$" if len(fields) > 3 else "$VAL$")
    grouped = flag(options, "grouped", False)
    return XYSeries(at, fields[0], fields[1], tuple(fields[2:]), shown, grouped)


def plan(command: XYSeries, relation: Relation, context: Context) -> Relation:
    """Ask which columns there are, and make a row of the rows of each X."""
    key, series = relation.value(command.rows) or NULL, relation.value(command.columns) or NULL
    relation, rank = relation.present_only(key).present_only(series).ranked(context)
    shown = context.column(Shape.TEXT)
    relation = relation.computed([(shown, as_text(series))])
    names = _names(relation, shown, command, context)
    shown_key, place = context.column(key.shape), context.column(Shape.NUMBER)
    made: list[tuple[Column, Tree]] = [(place, aggregate("min", column(rank.name)))]
    group = (shown_key, key.tree)
    if key.shape is Shape.DYNAMIC:  # a number and the text that looks like it are one key
        group = (context.column(Shape.MULTI), as_list(key))
        made.append((shown_key, first(key, column(rank.name))))
    fields = {command.rows: shown_key}
    for name in names:
        for data in command.data:
            value = _last(relation.value(data) or NULL, shown, name, rank)
            field = command.format.replace("$AGG$", data).replace("$VAL$", name)
            fields[field] = context.column(value.shape)
            made.append((fields[field], value.tree))
    table = Relation(Grouped(relation.node, (group,), tuple(made)), fields, (Order(place),))
    return table if command.grouped else natural(table, [shown_key], context)


def _names(relation: Relation, shown: Column, command: XYSeries, context: Context) -> list[str]:
    """Ask for the values that become columns."""
    name = context.column(Shape.TEXT)
    distinct = Grouped(relation.node, ((name, column(shown.name)),), ())
    rows = context.discover(Relation(distinct, {"name": name}, (Order(name),)))
    count = len(rows) * len(command.data)
    if count > _MOST:
        raise context.error(command.at, f"this makes {count} columns, more than {_MOST}")
    return [row["name"] for row in rows]


def _last(value: Value, shown: Column, name: str, rank: Column) -> Value:
    """Return the last value among the rows of one column."""
    null_too = "OrNull" if value.shape in (Shape.NUMBER, Shape.TEXT) else ""
    is_it = all_of([call("equals", column(shown.name), text(name)), present(value)])
    tree = aggregate(f"argMax{null_too}If", value.tree, column(rank.name), is_it)
    return Value(value.shape, tree)
