"""``dedup [N] FIELD … [keepempty=true] [consecutive=true] [sortby [+|-]FIELD …]`` drops repeated rows.

The first N rows (1 unless given) of each combination of values stay. Rows that lack one of the fields
are dropped unless ``keepempty=true``. With ``consecutive=true`` only neighbours count as repeated.

Example::

    | dedup 2 host process sortby - count
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands import sort
from kubestray.search.cursor import Cursor
from kubestray.search.plan import Column, Filter, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, as_list, present
from kubestray.store.trees import Tree, all_of, any_of, call, column, number, over

_OPTION = r"(keepempty|keepevents|consecutive)\s*=\s*(\w+)"


@dataclass(frozen=True, slots=True)
class Dedup(Command):
    """The ``dedup`` command."""

    fields: tuple[str, ...]
    count: int
    keep_empty: bool
    consecutive: bool
    sort: sort.Sort | None


def parse(cursor: Cursor, at: int) -> Dedup:
    """Read the number, the fields, the options and the order."""
    found = cursor.match(r"(\d+)(?=\s)")
    fields: list[str] = []
    options: dict[str, bool] = {}
    by: sort.Sort | None = None
    while cursor.at_field():
        if option := cursor.match(_OPTION):
            options[option[1].lower()] = option[2].lower() in ("true", "t", "1")
        elif cursor.keyword("sortby"):
            by = sort.parse(cursor, cursor.skip())
        else:
            fields.append(cursor.field("to compare"))
            cursor.take(",")
    if not fields:
        raise cursor.error("dedup needs the fields to compare")
    if options.get("keepevents"):
        raise cursor.error("dedup option 'keepevents' is known in SPL but not supported here")
    count = int(found[1]) if found else 1
    return Dedup(
        at, tuple(fields), count, options.get("keepempty", False), options.get("consecutive", False), by
    )


def plan(command: Dedup, relation: Relation, context: Context) -> Relation:
    """Keep the first rows of each combination."""
    values = [relation.value(name) or NULL for name in command.fields]
    complete = all_of([present(value) for value in values])
    key, place = context.column(Shape.MULTI), context.column(Shape.NUMBER)
    relation, rank = relation.ranked(context)
    # A row that lacks a field is a combination of its own where empty ones are kept.
    own = call("ifNull", call("toString", column(rank.name)), call("toString", number(0)))
    lengths = call("toString", call("array", *(call("length", as_list(value)) for value in values)))
    whole = call("arrayConcat", call("array", lengths), *(as_list(value) for value in values))
    tree: Tree = call("if", complete, whole, call("array", call("toString", number(0)), own))
    relation = relation.computed([(key, tree)])
    if not command.keep_empty:
        relation = relation.with_node(Filter(relation.node, complete))
    if command.consecutive:
        relation = relation.computed([(place, _changed(key, rank))])
        kept = relation.with_node(Filter(relation.node, call("equals", column(place.name), number(1))))
    else:
        kept = relation.with_node(Limited(relation.node, relation.order, command.count, (key,)))
    return sort.plan(command.sort, kept, context) if command.sort else kept


def _changed(key: Column, rank: Column) -> Tree:
    """Return 1 where the row before has another combination, or there is none."""
    before = over(call("lagInFrame", column(key.name), number(1)), order=[column(rank.name)])
    first = call("equals", over(call("row_number"), order=[column(rank.name)]), number(1))
    changed = any_of([first, call("notEquals", column(key.name), before)])
    return call("toNullable", call("toFloat64", changed))
