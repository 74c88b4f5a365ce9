"""The aggregate functions of ``stats`` and its kin, in one table: add a line to `STATISTICS` to add one.

Null values are passed over. Of a multivalue field each value counts. Aggregates of numbers pass over
values that are none; without any value the result is null (``count`` and ``dc`` give 0).

Every engine aggregate is made with `trees.aggregate`, so that ``eventstats`` can take it over a window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubestray.search.relation import Switches
from kubestray.search.values import (
    NULL,
    Shape,
    Value,
    as_list,
    as_number,
    choose,
    looks_numeric,
    parse_number,
    present,
)
from kubestray.store.trees import Tree, aggregate, all_of, call, column, either, lambda_, null, number


@dataclass(frozen=True, slots=True)
class Rows:
    """What an aggregate may ask of the rows besides the value: their place in order, and their time."""

    switches: Switches
    rank: Tree | None = None
    time: Tree | None = None


Build = Callable[[Value, Rows], Value]


@dataclass(frozen=True, slots=True)
class Statistic:
    """An aggregate function: the value it makes of a group, and a line for the manual.

    ``ordered`` ones need `Rows.rank`.
    """

    build: Build
    manual: str
    ordered: bool = False


def count_rows() -> Value:
    """Return ``count`` without a field: how many rows."""
    return _plain(aggregate("count"))


def _plain(tree: Tree) -> Value:
    return Value(Shape.NUMBER, call("toNullable", call("toFloat64", tree)))


def numbers(value: Value) -> Tree:
    """Return all values that are numbers, as ``Array(Float64)``."""
    if value.shape is Shape.NUMBER:
        single = call("array", value.tree)
    else:
        single = call("arrayMap", lambda_("x", parse_number(column("x"))), as_list(value))
    known = call("arrayFilter", lambda_("x", call("isNotNull", column("x"))), single)
    return call("arrayMap", lambda_("x", call("assumeNotNull", column("x"))), known)


def _of_numbers(function: str) -> Build:
    """Make an aggregate of numbers from the engine's; null without any number."""

    def build(value: Value, rows: Rows) -> Value:
        if value.shape in (Shape.NUMBER, Shape.TEXT):
            return Value(Shape.NUMBER, aggregate(f"{function}OrNull", as_number(value)))
        return Value(Shape.NUMBER, aggregate(f"{function}OrNullArray", numbers(value)))

    return build


def _mean(value: Value, rows: Rows) -> Value:
    """Return the mean, kept between the least and the most: sums round, and equal values are their mean."""
    known = numbers(value)
    count = aggregate("sum", call("length", known))
    ratio = call("divide", aggregate("sumKahanOrNullArray", known), call("nullIf", count, number(0)))
    floor = call("greatest", ratio, aggregate("minOrNullArray", known))
    return Value(Shape.NUMBER, call("least", floor, aggregate("maxOrNullArray", known)))


def _deviation(function: str, *, sample: bool) -> Build:
    """Make a variance or its root: of equal values it is 0, of a single one what ``stdev_single`` says."""

    def build(value: Value, rows: Rows) -> Value:
        known = numbers(value)
        least, most = aggregate("minOrNullArray", known), aggregate("maxOrNullArray", known)
        found = aggregate(f"{function}OrNullArray", known)
        equal = either(call("equals", least, most), number(0.0), found)
        if not sample:
            return Value(Shape.NUMBER, equal)
        single = number(0.0) if rows.switches.stdev_single == "0" else null()
        one = call("equals", aggregate("sum", call("length", known)), number(1))
        return Value(Shape.NUMBER, either(one, single, equal))

    return build


def _count(value: Value, rows: Rows) -> Value:
    if value.shape in (Shape.NUMBER, Shape.TEXT):
        return _plain(aggregate("countIf", present(value)))
    if value.shape is Shape.BOOLEAN:
        return _plain(aggregate("countIf", call("ifNull", value.tree, number(0))))
    return _plain(aggregate("sum", call("length", as_list(value))))


def _distinct(value: Value, rows: Rows) -> Value:
    return _plain(aggregate("uniqExactArray", as_list(value)))


def _values(value: Value, rows: Rows) -> Value:
    return Value(Shape.MULTI, call("arraySort", aggregate("groupUniqArrayArray", as_list(value))))


def _list(value: Value, rows: Rows) -> Value:
    """Return all values in the order of the rows."""
    assert rows.rank is not None
    pairs = aggregate("groupArray", call("tuple", rows.rank, as_list(value)))
    ordered = call("arraySort", lambda_("p", call("tupleElement", column("p"), number(1))), pairs)
    lists = call("arrayMap", lambda_("p", call("tupleElement", column("p"), number(2))), ordered)
    return Value(Shape.MULTI, call("arrayFlatten", lists))


def _at_end(function: str, by_time: bool) -> Build:
    """Make ``first``/``last`` (by place) and ``earliest``/``latest`` (by ``_time``, then by place)."""

    def build(value: Value, rows: Rows) -> Value:
        assert rows.rank is not None
        if by_time and rows.time is None:
            return Value(Shape.TEXT, aggregate("anyOrNull", NULL.tree))
        known = [present(value)]
        place: Tree = rows.rank
        if by_time and rows.time is not None:
            known.append(call("isNotNull", rows.time))
            place = call("tuple", call("ifNull", rows.time, number(0)), rows.rank)
        # Arrays and tuples have no null: without any value they are empty, which means the same.
        null_too = "OrNull" if value.shape in (Shape.NUMBER, Shape.TEXT) else ""
        return Value(value.shape, aggregate(f"{function}{null_too}If", value.tree, place, all_of(known)))

    return build


def _extreme(function: str) -> Build:
    """Make ``min``/``max``: by number where all values are numbers, else by text."""

    def build(value: Value, rows: Rows) -> Value:
        by_number = Value(Shape.NUMBER, aggregate(f"{function}OrNullArray", numbers(value)))
        if value.shape is Shape.NUMBER:
            return by_number
        by_text = Value(Shape.TEXT, aggregate(f"{function}OrNullArray", as_list(value)))
        other = aggregate("countIf", all_of([present(value), call("not", looks_numeric(value))]))
        return choose([(call("equals", other, number(0)), by_number)], by_text)

    return build


def _range(value: Value, rows: Rows) -> Value:
    known = numbers(value)
    most, least = aggregate("maxOrNullArray", known), aggregate("minOrNullArray", known)
    return Value(Shape.NUMBER, call("minus", most, least))


def _sum_of_squares(value: Value, rows: Rows) -> Value:
    squares = call("arrayMap", lambda_("x", call("multiply", column("x"), column("x"))), numbers(value))
    return Value(Shape.NUMBER, aggregate("sumOrNullArray", squares))


STATISTICS: dict[str, Statistic] = {
    "avg": Statistic(_mean, "avg(x): the mean of the numbers"),
    "c": Statistic(_count, "c(x): the same as count(x)"),
    "count": Statistic(_count, "count(x): how many values; count alone: how many rows"),
    "dc": Statistic(_distinct, "dc(x): how many distinct values"),
    "distinct_count": Statistic(_distinct, "distinct_count(x): how many distinct values"),
    "earliest": Statistic(_at_end("argMin", True), "earliest(x): the value of the oldest row", ordered=True),
    "first": Statistic(
        _at_end("argMin", False), "first(x): the first value in the order of the rows", ordered=True
    ),
    "last": Statistic(
        _at_end("argMax", False), "last(x): the last value in the order of the rows", ordered=True
    ),
    "latest": Statistic(_at_end("argMax", True), "latest(x): the value of the newest row", ordered=True),
    "list": Statistic(_list, "list(x): all values in the order of the rows, multivalue", ordered=True),
    "max": Statistic(_extreme("max"), "max(x): the largest, by number if all are numbers, else by text"),
    "mean": Statistic(_mean, "mean(x): the mean of the numbers"),
    "min": Statistic(_extreme("min"), "min(x): the smallest, by number if all are numbers, else by text"),
    "range": Statistic(_range, "range(x): the largest number less the smallest"),
    "stdev": Statistic(
        _deviation("stddevSampStable", sample=True), "stdev(x): sample standard deviation; 0 for one number"
    ),
    "stdevp": Statistic(
        _deviation("stddevPopStable", sample=False), "stdevp(x): population standard deviation"
    ),
    "sum": Statistic(_of_numbers("sumKahan"), "sum(x): the sum of the numbers"),
    "sumsq": Statistic(_sum_of_squares, "sumsq(x): the sum of the squares"),
    "values": Statistic(_values, "values(x): the distinct values in lexicographic order, multivalue"),
    "var": Statistic(_deviation("varSampStable", sample=True), "var(x): sample variance; 0 for one number"),
    "varp": Statistic(_deviation("varPopStable", sample=False), "varp(x): population variance"),
}
