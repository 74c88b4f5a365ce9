"""``trendline TYPE N(FIELD) [AS NAME] …`` gives moving averages of the last N rows.

The types are ``sma``, the plain mean, ``wma``, in which the newest of N rows counts N times and the
oldest once, and ``ema``, which keeps 2 / (N + 1) of what it was and takes the rest from each new number,
from the first one on. (Splunk's page has it so; elsewhere 2 / (N + 1) is the part of the new number.)
It is written in one word, ``sma5(count)``, which is the name of the result too unless AS gives another.
Rows without a number are passed over. The first N - 1 rows have no result.

Example::

    | trendline sma5(count) AS usual ema10(count)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.running import so_far
from kubestray.search.syntax import Command, Node
from kubestray.search.values import NULL, Shape, as_number
from kubestray.store.trees import Tree, call, column, either, is_null, null, number, over

_TREND = r"(sma|ema|wma)(\d+)\s*\(\s*"


@dataclass(frozen=True, slots=True)
class Trend(Node):
    """One moving average."""

    kind: str
    rows: int
    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Trendline(Command):
    """The ``trendline`` command."""

    trends: tuple[Trend, ...]


def parse(cursor: Cursor, at: int) -> Trendline:
    """Read the averages."""
    trends: list[Trend] = []
    while not trends or cursor.take(",") or cursor.peek_word()[:3] in ("sma", "ema", "wma"):
        trends.append(_trend(cursor))
    return Trendline(at, tuple(trends))


def _trend(cursor: Cursor) -> Trend:
    start = cursor.skip()
    found = cursor.match(_TREND)
    if not found:
        raise cursor.error(
            f"expected an average such as sma5(count), found {cursor.found()}", hint="sma, ema or wma"
        )
    rows = int(found[2])
    if not 2 <= rows <= 10_000:
        raise cursor.error(f"a moving average is of 2 to 10000 rows, found {rows}", start)
    field = cursor.field("to average")
    cursor.expect(")", f"to close {found[1]}{rows}(")
    name = cursor.field("after AS") if cursor.keyword("as") else f"{found[1].lower()}{rows}({field})"
    return Trend(start, found[1].lower(), rows, field, name)


def plan(command: Trendline, relation: Relation, context: Context) -> Relation:
    """Add the averages."""
    relation, _ = relation.ranked(context)
    made = []
    for trend in command.trends:
        value, place = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
        relation = relation.computed([(value, as_number(relation.value(trend.field) or NULL))])
        own = column(value.name)
        count = call("toNullable", call("toFloat64", _over(relation, "count", own, own)))
        relation = relation.computed([(place, count)])
        enough = call("greaterOrEquals", column(place.name), number(trend.rows))
        enough = call("and", call("isNotNull", own), enough)
        average = either(enough, _KINDS[trend.kind](relation, own, column(place.name), trend.rows), null())
        made.append((trend.name, context.column(Shape.NUMBER), average))
    return relation.extended(made)


def _over(relation: Relation, name: str, own: Tree, *arguments: Tree, rows: int = 0) -> Tree:
    """Return an aggregate over the rows so far that have a number."""
    return so_far(relation, name, *arguments, partition=[is_null(own)], rows=rows)


def _simple(relation: Relation, own: Tree, _: Tree, rows: int) -> Tree:
    return _over(relation, "avg", own, own, rows=rows)


def _weighted(relation: Relation, own: Tree, _: Tree, rows: int) -> Tree:
    """Return the mean in which each row counts by its place among the last rows."""
    last = _over(relation, "groupArray", own, own, rows=rows)
    weighed = exp.Lambda(
        this=call("multiply", column("x"), column("i")),
        expressions=[exp.to_identifier("x"), exp.to_identifier("i")],
    )
    total = call("arraySum", weighed, last, call("arrayEnumerate", last.copy()))
    return call("divide", total, number(rows * (rows + 1) / 2))


def _exponential(relation: Relation, own: Tree, place: Tree, rows: int) -> Tree:
    """Return the average that moves by a share of the way, from the first number on.

    The engine's own one starts from 0: what is left of that start is made up for by the first number.
    """
    keep = 2 / (rows + 1)
    terms = [order.term() for order in relation.order]
    moving = exp.ParameterizedAgg(
        this="exponentialMovingAverage",
        expressions=[number(-1 / math.log2(keep))],
        params=[call("assumeNotNull", own), call("assumeNotNull", place)],
    )
    from_zero = over(moving, partition=[is_null(own)], terms=terms)
    first = _over(relation, "any", own, own)
    return call("plus", from_zero, call("multiply", call("pow", number(keep), place), first))


_KINDS: dict[str, Callable[[Relation, Tree, Tree, int], Tree]] = {
    "sma": _simple,
    "wma": _weighted,
    "ema": _exponential,
}
