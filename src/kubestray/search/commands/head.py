"""``head [N] [CONDITION] [null=true] [keeplast=true]`` keeps the first N rows (10 if nothing is said).

With a condition the rows are kept up to the first for which it does not hold, and no more than N if a number
is given, also as ``limit=N``. ``keeplast=true`` keeps this row too. A condition that is null does not hold;
with ``null=true`` it does.

Example::

    | sort - count | head 20

    | sort - count | head (count > 2) keeplast=true
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.evaluate import condition
from kubestray.search.expressions import expression
from kubestray.search.options import flag, read_options, row_count, whole
from kubestray.search.plan import Filter, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Expression
from kubestray.search.values import Shape
from kubestray.store.trees import call, column, number, over

_FLAGS = ("null", "keeplast")
_USUAL = 10


@dataclass(frozen=True, slots=True)
class Head(Command):
    """The ``head`` command; without a count all rows that the condition lets through."""

    count: int | None
    condition: Expression | None
    null_holds: bool
    keep_last: bool


def parse(cursor: Cursor, at: int) -> Head:
    """Read the number of rows, the condition and the options, in any order."""
    options: dict[str, str] = {}
    number_of: int | None = None
    wanted: Expression | None = None
    while not cursor.at_end() and not cursor.looking_at("|") and not cursor.looking_at("]"):
        if read_options(cursor, ["limit"], options, _FLAGS):
            continue
        if number_of is None and (found := cursor.match(r"\d+(?=[\s|\](]|$)")):
            number_of = row_count(found[0])
        elif wanted is None:
            wanted = expression(cursor)
        else:
            break
    if number_of is not None and "limit" in options:
        raise cursor.error("head takes a number or limit=, not both", at)
    if "limit" in options:
        number_of = whole(cursor, options, "limit", _USUAL)
    count = _USUAL if number_of is None and wanted is None else number_of
    return Head(at, count, wanted, *(flag(options, name, False) for name in _FLAGS))


def plan(command: Head, relation: Relation, context: Context) -> Relation:
    """Keep the first rows in the order that they have."""
    if command.condition is not None:
        relation = _while_it_holds(command, command.condition, relation, context)
    if command.count is None:
        return relation
    return relation.with_node(Limited(relation.node, relation.order, command.count))


def _while_it_holds(command: Head, wanted: Expression, relation: Relation, context: Context) -> Relation:
    """Return the rows before which the condition has not failed, nor for themselves unless that is wanted."""
    relation, holds = condition(wanted, relation, context)
    relation, _ = relation.ranked(context)
    fails, failed = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    is_kept = call("ifNull", holds, number(int(command.null_holds)))
    relation = relation.computed([(fails, call("toFloat64", call("not", is_kept)))])
    so_far = over(call("sum", column(fails.name)), terms=[order.term() for order in relation.order])
    if command.keep_last:
        so_far = call("minus", so_far, column(fails.name))
    relation = relation.computed([(failed, so_far)])
    return relation.with_node(Filter(relation.node, call("equals", column(failed.name), number(0))))
