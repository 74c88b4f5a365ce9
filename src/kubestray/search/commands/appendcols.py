"""``appendcols [override=true] [ SUBSEARCH ]`` puts the rows of a subsearch beside the rows there are.

The first row of the subsearch goes to the first row, the second to the second, and so on; where one side
has more rows, its last ones stand alone. Where both have a value, ours stays; with ``override=true`` the
subsearch's does. Internal fields of the subsearch like ``_time`` are left out. The subsearch has its own
times; ``maxout=N`` takes its first N rows.

Example::

    | appendcols [ mstats count(tcp.packets) AS packets WHERE index=* ]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import flag, read_options
from kubestray.search.plan import Column, Grouped, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Command, Pipeline
from kubestray.search.truncation import MOST_OF_SUBSEARCH, cut, first, read_maxout
from kubestray.search.values import NULL, Shape, Value, choose, present
from kubestray.store.trees import Tree, aggregate, column

_OURS, _THEIRS = "<", ">"


@dataclass(frozen=True, slots=True)
class AppendCols(Command):
    """The ``appendcols`` command."""

    subsearch: Pipeline
    override: bool
    most: int


def parse(cursor: Cursor, at: int) -> AppendCols:
    """Read the options and the subsearch."""
    options: dict[str, str] = {}
    most = 0
    while not cursor.looking_at("["):
        start = cursor.at
        read_options(cursor, [], options, ["override"])
        most = read_maxout(cursor) or most
        if cursor.at == start:
            break
    subsearch = cursor.subsearch("to start the subsearch of appendcols")
    return AppendCols(at, subsearch, flag(options, "override", False), most)


def plan(command: AppendCols, relation: Relation, context: Context) -> Relation:
    """Put the rows of both sides one after the other, and make one row of those at the same place."""
    found = first(context.subsearch(command.subsearch), command.most)
    found = cut(found, context, MOST_OF_SUBSEARCH, "the subsearch of appendcols")
    shown = {name: made for name, made in found.fields.items() if not name.startswith("_")}
    sides = [_marked(relation.fields, _OURS), _marked(shown, _THEIRS)]
    both = stacked([relation.with_fields(sides[0]), found.with_fields(sides[1])], context)
    joined = _joined(both, context)
    winner, loser = (_THEIRS, _OURS) if command.override else (_OURS, _THEIRS)
    made = []
    for name in dict.fromkeys([*relation.fields, *shown]):
        kept = joined.value(winner + name) or NULL
        value = choose([(present(kept), kept)], joined.value(loser + name) or NULL)
        made.append((name, context.column(value.shape), value.tree))
    extended = joined.extended(made)
    return extended.with_fields({name: extended.fields[name] for name, _, _ in made})


def _marked(fields: Mapping[str, Column], side: str) -> dict[str, Column]:
    """Return fields under names that tell which side they are of."""
    return {side + name: made for name, made in fields.items()}


def _joined(both: Relation, context: Context) -> Relation:
    """Return one row for each place within a side; a field is of one side, so there is one value at most."""
    place = both.order[1].column
    group = context.column(Shape.NUMBER)
    fields = {name: context.column(made.shape) for name, made in both.fields.items()}
    values = [(fields[name], _any(made.value())) for name, made in both.fields.items()]
    return Relation(
        Grouped(both.node, ((group, column(place.name)),), tuple(values)), fields, (Order(group),)
    )


def _any(value: Value) -> Tree:
    kind = "OrNull" if value.shape in (Shape.NUMBER, Shape.TEXT) else ""
    return aggregate(f"any{kind}If", value.tree, present(value))
