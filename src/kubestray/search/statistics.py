"""The aggregate functions of ``stats`` and its kin, in one table: add a line to `STATISTICS` to add one.

Null values are passed over. Of a multivalue field each value counts. Aggregates of numbers pass over
values that are none; without any value the result is null (``count`` and ``dc`` give 0).

What they are made of stands in `search.reductions`. The families of percentiles have one member in the
table; `find` knows the others.
"""

from __future__ import annotations

import re
from functools import cache

from kubestray.search.reductions import numeric, placed, plain
from kubestray.search.reductions.base import Build, Rows, Statistic, count_rows

__all__ = ["PER_SPAN", "STATISTICS", "Rows", "Statistic", "count_rows", "find"]


def _plain(build: Build, manual: str, *, counting: bool = False) -> Statistic:
    return Statistic(build, manual, numeric=False, counting=counting)


def _ordered(build: Build, manual: str) -> Statistic:
    return Statistic(build, manual, ordered=True, numeric=False)


STATISTICS: dict[str, Statistic] = {
    "avg": Statistic(numeric.mean, "avg(x): the mean of the numbers"),
    "c": _plain(plain.count, "c(x): the same as count(x)", counting=True),
    "count": _plain(plain.count, "count(x): how many values; count alone: how many rows", counting=True),
    "dc": _plain(plain.distinct, "dc(x): how many distinct values", counting=True),
    "distinct_count": _plain(plain.distinct, "distinct_count(x): how many distinct values", counting=True),
    "earliest": _ordered(placed.at_end("argMin", by_time=True), "earliest(x): the value of the oldest row"),
    "earliest_time": _plain(placed.time_at_end("min"), "earliest_time(x): when there was a value first"),
    "estdc": _plain(plain.distinct, "estdc(x): how many distinct values, exactly", counting=True),
    "estdc_error": _plain(plain.no_error, "estdc_error(x): 0, for estdc does not estimate"),
    "exactperc95": Statistic(
        numeric.percentile("95", interpolated=False),
        "exactperc95(x): of the ordered numbers that at the place 0.95 * count, from 0; any percentage",
    ),
    "first": _ordered(
        placed.at_end("argMin", by_time=False), "first(x): the first value in the order of the rows"
    ),
    "last": _ordered(
        placed.at_end("argMax", by_time=False), "last(x): the last value in the order of the rows"
    ),
    "latest": _ordered(placed.at_end("argMax", by_time=True), "latest(x): the value of the newest row"),
    "latest_time": _plain(placed.time_at_end("max"), "latest_time(x): when there was a value last"),
    "list": _ordered(plain.listed, "list(x): the first 100 values in the order of the rows, multivalue"),
    "max": _plain(plain.extreme("max"), "max(x): the largest; texts by their characters, above all numbers"),
    "mean": Statistic(numeric.mean, "mean(x): the mean of the numbers"),
    "median": Statistic(
        numeric.percentile("50", interpolated=False),
        "median(x): the number in the middle, of an even count the higher of the two",
    ),
    "min": _plain(plain.extreme("min"), "min(x): the smallest; texts by their characters, above all numbers"),
    "mode": _plain(plain.mode, "mode(x): the most frequent value"),
    "p95": Statistic(numeric.percentile("95", interpolated=True), "p95(x): the same as perc95(x)"),
    "perc95": Statistic(
        numeric.percentile("95", interpolated=True),
        "perc95(x): the 95th percentile, between the two nearest numbers; any percentage, decimals too",
    ),
    "percentile95": Statistic(
        numeric.percentile("95", interpolated=True), "percentile95(x): the same as perc95(x)"
    ),
    "range": Statistic(numeric.range_, "range(x): the largest number less the smallest"),
    "rate": Statistic(
        placed.rate, "rate(x): the increase a second between the oldest and the newest; a fall is a restart"
    ),
    "stdev": Statistic(
        numeric.deviation("stddevSampStable", sample=True),
        "stdev(x): sample standard deviation; 0 for one number",
    ),
    "stdevp": Statistic(
        numeric.deviation("stddevPopStable", sample=False), "stdevp(x): population standard deviation"
    ),
    "sum": Statistic(numeric.of_numbers("sumKahan"), "sum(x): the sum of the numbers"),
    "sumsq": Statistic(numeric.sum_of_squares, "sumsq(x): the sum of the squares"),
    "upperperc95": Statistic(
        numeric.percentile("95", interpolated=True), "upperperc95(x): the same as perc95(x)"
    ),
    "values": _plain(plain.values, "values(x): the distinct values in lexicographic order, multivalue"),
    "var": Statistic(
        numeric.deviation("varSampStable", sample=True), "var(x): sample variance; 0 for one number"
    ),
    "varp": Statistic(numeric.deviation("varPopStable", sample=False), "varp(x): population variance"),
}  # fmt: skip

PER_SPAN: dict[str, Statistic] = {
    "per_second": Statistic(numeric.per(1), "per_second(x): the sum for each second of the span"),
    "per_minute": Statistic(numeric.per(60), "per_minute(x): the sum for each minute of the span"),
    "per_hour": Statistic(numeric.per(3600), "per_hour(x): the sum for each hour of the span"),
    "per_day": Statistic(numeric.per(86400), "per_day(x): the sum for each day of the span"),
}
"""Aggregates that make sense only where rows are of spans of time: in ``timechart``."""

_PERCENTILE = re.compile(r"(exactperc|upperperc|percentile|perc|p)(\d+(?:\.\d+)?)")


@cache
def find(name: str) -> Statistic | None:
    """Return an aggregate function by its name, or None if there is none of that name."""
    if name in STATISTICS:
        return STATISTICS[name]
    found = _PERCENTILE.fullmatch(name)
    if not found or float(found[2]) > 100:
        return None
    build = numeric.percentile(found[2], interpolated=found[1] != "exactperc")
    return Statistic(build, f"{name}(x): a percentile")
