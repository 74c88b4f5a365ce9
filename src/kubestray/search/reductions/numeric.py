"""Aggregates of numbers: sums, means, spreads, percentiles."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from kubestray.search.reductions.base import (
    SINGLE,
    Build,
    Rows,
    engine,
    how_many_numbers,
    numbers,
    over_numbers,
)
from kubestray.search.values import Shape, Value, as_number
from kubestray.store.cells import remainder, variance
from kubestray.store.places import count_of, value_of
from kubestray.store.trees import Tree, array, call, column, either, lambda_, null, number


def of_numbers(name: str) -> Build:
    """Make an aggregate of numbers from the engine's; null without any number."""

    def build(value: Value, _: Rows) -> Value:
        return Value(Shape.NUMBER, over_numbers(name, value))

    return build


def mean(value: Value, _: Rows) -> Value:
    """Return the mean, kept between the least and the most: sums round, and equal values are their mean."""
    count = call("nullIf", how_many_numbers(value), number(0))
    ratio = call("divide", over_numbers("sumKahan", value), count)
    floor = call("greatest", ratio, over_numbers("min", value))
    return Value(Shape.NUMBER, call("least", floor, over_numbers("max", value)))


def deviation(name: str, *, sample: bool) -> Build:
    """Make a variance or its root: of equal values it is 0, of a single one what ``stdev_single`` says."""

    def build(value: Value, rows: Rows) -> Value:
        least, most = over_numbers("min", value), over_numbers("max", value)
        found = variance(over_numbers(name, value), _of_remainders(name, value), least, most)
        equal = either(call("equals", least.copy(), most.copy()), number(0.0), found)
        if not sample:
            return Value(Shape.NUMBER, equal)
        single = number(0.0) if rows.switches.stdev_single == "0" else null()
        one = call("equals", how_many_numbers(value), number(1))
        return Value(Shape.NUMBER, either(one, single, equal))

    return build


def _of_remainders(name: str, value: Value) -> Tree:
    """Return an aggregate of the engine over what is left of each number beyond the middle of its cell."""
    if value.shape in SINGLE:
        return engine(f"{name}OrNull", [remainder(as_number(value))])
    left = call("arrayMap", lambda_("x", remainder(column("x"))), numbers(value))
    return engine(f"{name}OrNullArray", [left])


def range_(value: Value, _: Rows) -> Value:
    """Return the largest number less the smallest."""
    return Value(Shape.NUMBER, call("minus", over_numbers("max", value), over_numbers("min", value)))


def sum_of_squares(value: Value, _: Rows) -> Value:
    """Return the sum of the squares."""
    if value.shape in SINGLE:
        own = as_number(value)
        return Value(Shape.NUMBER, engine("sumKahanOrNull", [call("multiply", own, own.copy())]))
    squares = call("arrayMap", lambda_("x", call("multiply", column("x"), column("x"))), numbers(value))
    return Value(Shape.NUMBER, engine("sumKahanOrNullArray", [squares]))


def percentile(percent: str, *, interpolated: bool) -> Build:
    """Make a percentile.

    Splunk's pages show two definitions. Their examples of ``perc`` interpolate between the two nearest
    numbers (of 1 to 10 the 50th is 5.5, the 95th 9.55). Of ``median`` they say that of an even number of
    values it is the higher of the two in the middle, and the settings that decide about exact percentiles
    say how: the number at the place ``floor(percent / 100 * count)``, counted from 0. So ``perc`` and
    ``upperperc``, which is the same for small sets, interpolate, and ``median`` and ``exactperc`` pick.
    """

    def build(value: Value, rows: Rows) -> Value:
        if rows.windowed:
            return Value(Shape.NUMBER, _of_window(value, percent, interpolated=interpolated))
        if value.shape in SINGLE:
            found = engine("groupArray", [as_number(value)])
        else:
            found = engine("groupArrayArray", [numbers(value)])
        return Value(Shape.NUMBER, of_numbers_at(found, percent, interpolated=interpolated))

    return build


def _of_window(value: Value, percent: str, *, interpolated: bool) -> Tree:
    """Return the percentile where each row would have an array of its own: the last digit may differ."""
    name = "quantileExactInclusive" if interpolated else "quantileExact"
    return over_numbers(name, value, number(float(percent) / 100))


def of_numbers_at(found: Tree, percent: str, *, interpolated: bool) -> Tree:
    """Return the percentile of an array of numbers; the place is computed in whole numbers, exactly."""
    ordered = call("arraySort", found)
    count = call("toInt64", call("length", found.copy()))
    return _at(
        count,
        lambda index: call("arrayElement", ordered.copy(), call("plus", index, number(1))),
        percent,
        interpolated=interpolated,
    )


def of_sketch_at(found: Tree, percent: str, *, interpolated: bool) -> Tree:
    """Return what `of_numbers_at` does of the elements of sketches, in order: of the same two numbers, each
    as near as its place is (`store.places`).
    """
    sums = call("arrayCumSum", call("arrayMap", lambda_("x", count_of(column("x"))), found))
    # Both are said once, and what depends on them is a lambda over one of each: it is long, and what a lambda
    # captures would be computed for each element.
    ordered, ends = column("ordered"), column("ends")

    def value(index: Tree) -> Tree:
        beyond = lambda_("x i", call("greater", column("x"), column("i")))
        wanted = call("arrayWithConstant", call("length", ends.copy()), index)
        return value_of(
            call("arrayElement", ordered.copy(), call("arrayFirstIndex", beyond, ends.copy(), wanted))
        )

    count = call("toInt64", call("arrayElement", ends, number(-1)))
    of_both = lambda_("ordered ends", _at(count, value, percent, interpolated=interpolated))
    return call("arrayElement", call("arrayMap", of_both, array([found.copy()]), array([sums])), number(1))


def _at(count: Tree, value: Callable[[Tree], Tree], percent: str, *, interpolated: bool) -> Tree:
    """Return a percentile of so many ordered numbers; ``value`` gives the one at a place, from 0."""
    share = Fraction(percent) / 100
    top, bottom = number(share.numerator), number(share.denominator)
    steps = call("minus", count, number(1)) if interpolated else count
    place = call("multiply", steps, top)
    last = call("minus", count.copy(), number(1))
    index = call("least", call("intDiv", place, bottom), last)
    low = value(index)
    if interpolated:
        high = value(call("least", call("plus", index.copy(), number(1)), last.copy()))
        part = call("divide", call("modulo", place.copy(), bottom.copy()), bottom.copy())
        low = call("plus", low, call("multiply", call("minus", high, low.copy()), part))
    return either(call("equals", count.copy(), number(0)), null(), low)


def per(seconds: float) -> Build:
    """Make the sum for each so many seconds of the span that the rows are of."""

    def build(value: Value, rows: Rows) -> Value:
        assert rows.seconds is not None
        share = call("divide", rows.seconds, number(seconds))
        return Value(Shape.NUMBER, call("divide", over_numbers("sumKahan", value), share))

    return build
