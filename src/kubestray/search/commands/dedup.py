"""``dedup [N] FIELD … [keepevents=true] [keepempty=true] [consecutive=true] [sortby [+|-]FIELD …]``
drops repeated rows.

The first N rows (1 unless given) of each combination of values stay; with ``sortby`` the rows are put in
that order first. Rows that lack one of the fields are dropped unless ``keepempty=true`` keeps them all.
With ``consecutive=true`` only neighbours count as repeated. ``keepevents=true`` keeps all rows, and takes
the fields out of those that repeat. A multivalue field repeats another that has the same values in the
same order.

Example::

    | dedup 2 host process sortby - count
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from kubestray.search.commands import sort
from kubestray.search.cursor import Cursor
from kubestray.search.options import flag, read_options
from kubestray.search.plan import Column, Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_list, choose, present
from kubestray.store.trees import Tree, all_of, any_of, call, column, number, over

_FLAGS = ("keepempty", "keepevents", "consecutive")


@dataclass(frozen=True, slots=True)
class Dedup(Command):
    """The ``dedup`` command."""

    fields: tuple[str, ...]
    count: int
    keep_empty: bool
    keep_events: bool
    consecutive: bool
    sort: sort.Sort | None


def parse(cursor: Cursor, at: int) -> Dedup:
    """Read the number, the fields, the options and the order."""
    options: dict[str, str] = {}
    read_options(cursor, (), options, _FLAGS)
    if negative := cursor.match(r"-\d+(?=\s)"):
        raise cursor.error(f"dedup keeps at least one row of each combination, found {negative[0]}", at)
    found = cursor.match(r"(\d+)(?=\s|$|\|)")
    fields: list[str] = []
    by: sort.Sort | None = None
    while cursor.at_field():
        if read_options(cursor, (), options, _FLAGS):
            continue
        if cursor.keyword("sortby"):
            by = dataclasses.replace(sort.parse(cursor, cursor.skip()), count=0)
        else:
            fields.append(cursor.field("to compare"))
            cursor.take(",")
    if not fields:
        raise cursor.error("dedup needs the fields to compare")
    count = int(found[1]) if found else 1
    if not count:
        raise cursor.error("dedup keeps at least one row of each combination, found 0", at)
    keep_empty, keep_events, consecutive = (flag(options, name, False) for name in _FLAGS)
    return Dedup(at, tuple(fields), count, keep_empty, keep_events, consecutive, by)


def plan(command: Dedup, relation: Relation, context: Context) -> Relation:
    """Keep the first rows of each combination."""
    if command.sort:
        relation = sort.plan(command.sort, relation, context)
    relation, _ = relation.ranked(context)
    values = [relation.value(name) or NULL for name in command.fields]
    whole, complete, place = (
        context.column(Shape.MULTI),
        context.column(Shape.NUMBER),
        context.column(Shape.NUMBER),
    )
    is_complete = call("toUInt8", all_of([present(value) for value in values]))
    relation = relation.computed([(whole, _combination(values)), (complete, is_complete)])
    if not command.keep_empty:
        relation = relation.with_node(Filter(relation.node, call("equals", column(complete.name), number(1))))
    keys: list[Tree] = [column(complete.name), column(whole.name)]
    if command.consecutive:
        relation, run = _runs(whole, relation, context)
        keys.append(run)
    row = over(call("row_number"), partition=keys, terms=[order.term() for order in relation.order])
    relation = relation.computed([(place, row)])
    kept = any_of(
        [
            call("equals", column(complete.name), number(0)),
            call("lessOrEquals", column(place.name), number(command.count)),
        ]
    )
    if command.keep_events:
        return _emptied(command.fields, kept, relation, context)
    return relation.with_node(Filter(relation.node, kept))


def _combination(values: Sequence[Value]) -> Tree:
    """Return a list that tells the combinations apart: how many values each field has, and the values."""
    lengths = call("toString", call("array", *(call("length", as_list(value)) for value in values)))
    return call("arrayConcat", call("array", lengths), *(as_list(value) for value in values))


def _runs(whole: Column, relation: Relation, context: Context) -> tuple[Relation, Tree]:
    """Return the rows, and the number of the run of equal neighbours that a row is in."""
    changed, run = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    terms = [order.term() for order in relation.order]
    before = over(call("lagInFrame", column(whole.name), number(1)), terms=terms)
    is_change = call("toFloat64", call("notEquals", column(whole.name), before))
    relation = relation.computed([(changed, is_change)])
    summed = over(call("sum", column(changed.name)), terms=[term.copy() for term in terms])
    return relation.computed([(run, summed)]), column(run.name)


def _emptied(fields: Sequence[str], kept: Tree, relation: Relation, context: Context) -> Relation:
    """Return all rows; those that repeat have lost the fields."""
    made = []
    for name in dict.fromkeys(fields):
        own = relation.value(name)
        if own is None:
            continue
        value = choose([(kept.copy(), own)], NULL)
        made.append((name, context.column(value.shape), value.tree))
    return relation.extended(made)
