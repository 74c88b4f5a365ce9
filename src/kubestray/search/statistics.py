"""The aggregate functions of ``stats`` and its kin, in one table: add a line to `STATISTICS` to add one.

Null values are passed over. Of a multivalue field each value counts. Aggregates of numbers pass over
values that are none; without any value the result is null (``count`` and ``dc`` give 0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubestray.search.relation import Switches
from kubestray.search.values import (
    Shape,
    Value,
    as_list,
    as_number,
    choose,
    looks_numeric,
    parse_number,
    present,
)
from kubestray.store.trees import Tree, all_of, call, column, either, lambda_, null, number


@dataclass(frozen=True, slots=True)
class Statistic:
    """An aggregate function: the value it makes of a group, and a line for the manual."""

    build: Callable[[Value, Switches], Value]
    manual: str


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


def _of_numbers(function: str) -> Callable[[Value, Switches], Value]:
    """Make an aggregate of numbers from the engine's; null without any number."""

    def build(value: Value, switches: Switches) -> Value:
        if value.shape in (Shape.NUMBER, Shape.TEXT):
            return Value(Shape.NUMBER, call(f"{function}OrNull", as_number(value)))
        return Value(Shape.NUMBER, call(f"{function}OrNullArray", numbers(value)))

    return build


def _spread(function: str) -> Callable[[Value, Switches], Value]:
    """Make a sample statistic: of a single number it is 0 (switch ``stdev_single``)."""

    def build(value: Value, switches: Switches) -> Value:
        known = numbers(value)
        single = number(0.0) if switches.stdev_single == "0" else null()
        one = call("equals", call("sum", call("length", known)), number(1))
        return Value(Shape.NUMBER, either(one, single, call(f"{function}OrNullArray", known)))

    return build


def _count(value: Value, switches: Switches) -> Value:
    if value.shape in (Shape.NUMBER, Shape.TEXT):
        return _plain(call("countIf", present(value)))
    if value.shape is Shape.BOOLEAN:
        return _plain(call("countIf", call("ifNull", value.tree, number(0))))
    return _plain(call("sum", call("length", as_list(value))))


def _distinct(value: Value, switches: Switches) -> Value:
    return _plain(call("uniqExactArray", as_list(value)))


def _values(value: Value, switches: Switches) -> Value:
    return Value(Shape.MULTI, call("arraySort", call("groupUniqArrayArray", as_list(value))))


def _extreme(function: str) -> Callable[[Value, Switches], Value]:
    """Make ``min``/``max``: by number where all values are numbers, else by text."""

    def build(value: Value, switches: Switches) -> Value:
        by_number = Value(Shape.NUMBER, call(f"{function}OrNullArray", numbers(value)))
        if value.shape is Shape.NUMBER:
            return by_number
        by_text = Value(Shape.TEXT, call(f"{function}OrNullArray", as_list(value)))
        other = call("countIf", all_of([present(value), call("not", looks_numeric(value))]))
        return choose([(call("equals", other, number(0)), by_number)], by_text)

    return build


def _range(value: Value, switches: Switches) -> Value:
    known = numbers(value)
    return Value(Shape.NUMBER, call("minus", call("maxOrNullArray", known), call("minOrNullArray", known)))


def _sum_of_squares(value: Value, switches: Switches) -> Value:
    squares = call("arrayMap", lambda_("x", call("multiply", column("x"), column("x"))), numbers(value))
    return Value(Shape.NUMBER, call("sumOrNullArray", squares))


STATISTICS: dict[str, Statistic] = {
    "avg": Statistic(_of_numbers("avg"), "avg(x): the mean of the numbers"),
    "c": Statistic(_count, "c(x): the same as count(x)"),
    "count": Statistic(_count, "count(x): how many values; count alone: how many rows"),
    "dc": Statistic(_distinct, "dc(x): how many distinct values"),
    "distinct_count": Statistic(_distinct, "distinct_count(x): how many distinct values"),
    "max": Statistic(_extreme("max"), "max(x): the largest, by number if all are numbers, else by text"),
    "mean": Statistic(_of_numbers("avg"), "mean(x): the mean of the numbers"),
    "min": Statistic(_extreme("min"), "min(x): the smallest, by number if all are numbers, else by text"),
    "range": Statistic(_range, "range(x): the largest number less the smallest"),
    "stdev": Statistic(_spread("stddevSampStable"), "stdev(x): sample standard deviation; 0 for one number"),
    "stdevp": Statistic(_of_numbers("stddevPopStable"), "stdevp(x): population standard deviation"),
    "sum": Statistic(_of_numbers("sum"), "sum(x): the sum of the numbers"),
    "sumsq": Statistic(_sum_of_squares, "sumsq(x): the sum of the squares"),
    "values": Statistic(_values, "values(x): the distinct values in lexicographic order, multivalue"),
    "var": Statistic(_spread("varSampStable"), "var(x): sample variance; 0 for one number"),
    "varp": Statistic(_of_numbers("varPopStable"), "varp(x): population variance"),
}
