"""``selfjoin [max=N] [overwrite=false] [keepsingle=true] FIELD …`` joins rows with each other.

Each row is joined with the next row that has the same values in all FIELDs, or with each of the next N of
them (0: all that follow). The values of the later row win; with ``overwrite=false`` those of the earlier
one. The last row of its values begins no result; a row whose values no other row has is only with
``keepsingle=true``.

Example::

    | selfjoin keepsingle=true host
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.joining import join_first
from kubestray.search.options import flag, read_options, whole
from kubestray.search.plan import Column, Filter, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, as_text, present
from kubestray.store.trees import (
    Tree,
    aggregate,
    all_of,
    array,
    call,
    column,
    either,
    lambda_,
    number,
    over,
    text,
    windowed,
)

_PLACE = "place\x00"  # no field of a search is called so


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
    """Join the rows with those after them: by the fields, and by the place of a row among its equals."""
    values = [relation.value(name) or NULL for name in command.fields]
    relation = relation.with_node(Filter(relation.node, all_of([present(value) for value in values])))
    relation, rank = relation.ranked(context)
    place, count = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    same = [call("ifNull", as_text(value), text("")) for value in values]
    terms = [order.term() for order in relation.order]
    placed = call("toNullable", call("toFloat64", over(call("row_number"), partition=same, terms=terms)))
    counted = windowed(aggregate("count"), partition=[key.copy() for key in same])
    relation = relation.computed([(place, placed), (count, counted)])
    theirs = stacked([relation.with_fields({**relation.fields, _PLACE: place})], context)
    wanted = context.column(Shape.NUMBER)
    ours = relation.computed([(wanted, call("arrayJoin", _others(command, place, count)))])
    ours = ours.with_fields({**ours.fields, _PLACE: wanted})
    keys = [(name, theirs.value(name)) for name in (*command.fields, _PLACE)]
    shown = theirs.with_fields({name: made for name, made in theirs.fields.items() if name != _PLACE})
    joined = join_first(ours, shown, keys, context, outer=False, overwrite=command.overwrite)
    fields = {name: made for name, made in joined.fields.items() if name != _PLACE}
    return Relation(joined.node, fields, (Order(rank), Order(wanted)))


def _others(command: SelfJoin, place: Column, count: Column) -> Tree:
    """Return the places of the rows that a row is joined with: its own, if it is single and is to stay."""
    after = call("minus", column(count.name), column(place.name))
    most = call("least", after, number(command.most)) if command.most else after
    next_ones = call("arrayMap", lambda_("k", _place(column("k"), place)), call("range", _whole(most)))
    if not command.keep_single:
        return next_ones
    itself = array([column(place.name)])
    return either(call("equals", column(count.name), number(1)), itself, next_ones)


def _place(step: Tree, place: Column) -> Tree:
    return call("plus", column(place.name), call("toFloat64", call("plus", step, number(1))))


def _whole(value: Tree) -> Tree:
    return call("toUInt32", call("assumeNotNull", value))
