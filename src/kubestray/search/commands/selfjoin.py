"""``selfjoin [max=N] [overwrite=false] [keepsingle=true] FIELD …`` joins rows with each other.

Each row is joined with the first of the rows before it that have the same values in all FIELDs, or with
each of the first N of them (0: all). The values of the earlier row win; with ``overwrite=false`` those of
the later one. The first row of its values is in no result by itself; a row whose values no other row has
is only with ``keepsingle=true``.

Example::

    | selfjoin keepsingle=true host
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.joining import join_first
from kubestray.search.options import flag, read_options, whole
from kubestray.search.plan import Filter, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, as_text, present
from kubestray.store.trees import aggregate, all_of, any_of, call, column, number, over, text, windowed


@dataclass(frozen=True, slots=True)
class SelfJoin(Command):
    """The ``selfjoin`` command."""

    fields: tuple[str, ...]
    most: int
    overwrite: bool
    keep_single: bool


def parse(cursor: Cursor, at: int) -> SelfJoin:
    """Read the options and the fields."""
    options: dict[str, str] = {}
    read_options(cursor, ["max"], options, ["overwrite", "keepsingle"])
    fields = field_list(cursor, "to join on")
    most = whole(cursor, options, "max", 1)
    return SelfJoin(at, fields, most, flag(options, "overwrite", True), flag(options, "keepsingle", False))


def plan(command: SelfJoin, relation: Relation, context: Context) -> Relation:
    """Join the rows with those before them."""
    values = [relation.value(name) or NULL for name in command.fields]
    relation = relation.with_node(Filter(relation.node, all_of([present(value) for value in values])))
    relation, rank = relation.ranked(context)
    place, count = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    same = [call("ifNull", as_text(value), text("")) for value in values]
    terms = [order.term() for order in relation.order]
    relation = relation.computed(
        [
            (place, over(call("row_number"), partition=same, terms=terms)),
            (count, windowed(aggregate("count"), partition=[key.copy() for key in same])),
        ]
    )
    single = all_of([call("equals", column(count.name), number(1)), number(int(command.keep_single))])
    later = call("greater", column(place.name), number(1))
    ours = relation.with_node(Filter(relation.node, any_of([later, single])))
    theirs = stacked([relation], context)
    keys = [(name, theirs.value(name)) for name in command.fields]
    joined = join_first(
        ours, theirs, keys, context, outer=False, overwrite=command.overwrite, most=command.most
    )
    first = theirs.order[1].column
    before = call("less", column(first.name), column(rank.name))
    kept = joined.with_node(Filter(joined.node, any_of([before, single.copy()])))
    return Relation(kept.node, kept.fields, (Order(first), Order(rank)))
