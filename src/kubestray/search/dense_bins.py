"""Many short bins of a short time: each series has its states of all bins as one array.

Where a bin holds a point or two of a series, a group for each series and bin is most of the work of a search.
Here a series is one group, and its points go to the bins by their number. The arrays of series are merged by
attributes, and become rows when that is done.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.measures import function_of, split_states
from kubestray.search.plan import Measure, MetricAggregate
from kubestray.store.states import STATES
from kubestray.store.trees import (
    Tree,
    any_of,
    call,
    column,
    either,
    named,
    null,
    number,
    parametric,
    reading,
    select,
    table,
    text,
    unnested,
)

FINE_NS = 30 * 10**9
"""Bins up to this long mostly hold a point or two of a series."""

MOST_BINS = 1024
"""Bins that a range may have to be kept as arrays: a series with few points has as many as all others."""

_OF_METRIC = "of_metric"
_POINTS = "n"  # the state that says whether a bin holds points
_NUMBERS = ("total", "least", "most", "spread", "near", "squares", "first", "last")
"""States whose values are such numbers as a search has: others are counts and times."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins that follow each other: the number of the first one, and of the one after the last."""

    first: int
    end: int

    def parameters(self) -> list[Tree]:
        """Return what the engine's ``-Resample`` takes: first, end and step."""
        return [number(self.first), number(self.end), number(1)]


def bins_of(node: Measure) -> Bins | None:
    """Return the bins of a step, if it is one to be answered like this."""
    span = node.span
    if node.sources is not None or not 0 < node.bin_ns <= FINE_NS or span.latest is None:
        return None
    states = [state for one in node.aggregates for state in function_of(one.function).states]
    _, of_series = split_states(states)
    if of_series or not all(STATES[state].single for state in states):
        return None
    bins = Bins(span.earliest // node.bin_ns, (span.latest - 1) // node.bin_ns + 1)
    return bins if 0 < bins.end - bins.first <= MOST_BINS else None


def series_states(node: Measure, points: exp.Query, bins: Bins) -> exp.Select:
    """Select a row for each metric and series of the points, with the states of all bins."""
    number_of_bin = call("intDiv", column("time"), _length(node))
    made: list[Tree] = []
    for name in _states(node):
        state = STATES[name]
        taken = [*state.taken(column("value")), number_of_bin.copy()]
        made.append(named(parametric(f"{state.function}ResampleState", bins.parameters(), taken), name))
    # A series is of one metric, and so is its group, which is found sooner by a number alone.
    metric = column("metric") if node.renamed else call("any", column("metric"))
    keys = [column("metric"), column("series_id")] if node.renamed else [column("series_id")]
    return reading(select(named(metric, _OF_METRIC), column("series_id"), *made), points, "points").group_by(
        *(key.copy() for key in keys), copy=False
    )


def merged_columns(node: Measure, bins: Bins) -> list[Tree]:
    """Return the columns that merge the states of series: an array of each state of each metric."""
    return [_merged(*pair, bins, _name(node, *pair)) for pair in _pairs(node)]


def rows(node: Measure, merged: exp.Select, bins: Bins) -> exp.Select:
    """Select the aggregates of each bin that holds points, from rows that hold the arrays of all bins."""
    assert node.bin
    numbers = call("range", *(call("toUInt64", tree) for tree in bins.parameters()[:2]))
    arrays = [_name(node, *pair) for pair in _pairs(node)]
    start = call("toNullable", call("divide", call("multiply", column("bin"), _length(node)), number(1e9)))
    values = [named(_finished(node, one), one.column.name) for one in node.aggregates]
    shown = [*(column(a.column.name) for a in node.by), named(start, node.bin.name), *values]
    query = select(*shown).from_(table(merged, "merged"), copy=False)
    query = unnested(query, [*map(column, arrays), named(numbers, "bin")])
    counts = [column(_name(node, *pair)) for pair in _pairs(node) if pair[0] == _POINTS]
    return query.where(any_of([call("greater", one, number(0)) for one in counts]), copy=False)


def _length(node: Measure) -> Tree:
    return call("toUInt64", number(node.bin_ns))


def _states(node: Measure) -> list[str]:
    found = (state for one in node.aggregates for state in function_of(one.function).states)
    return list(dict.fromkeys((_POINTS, *found)))


def _pairs(node: Measure) -> list[tuple[str, str]]:
    """Return each state that an aggregate needs with its metric, once; of each metric how many points.

    A bin is a row if it holds points of any metric, also of one that is not asked for any more.
    """
    needed = (
        (state, one.metric)
        for one in node.aggregates
        for state in (_POINTS, *function_of(one.function).states)
    )
    asked = {one.metric for one in node.aggregates}
    other = [] if "" in asked or asked.issuperset(node.metrics) else [(_POINTS, "")]
    return list(dict.fromkeys([*needed, *other]))


def _name(node: Measure, state: str, metric: str) -> str:
    """Return the column of a state of a metric, which need not be one that the store has."""
    asked = list(dict.fromkeys(one.metric for one in node.aggregates))
    return f"{state}_{asked.index(metric)}" if metric else f"{state}_all"


def _merged(state: str, metric: str, bins: Bins, name: str) -> Tree:
    function = f"{STATES[state].function}ResampleMerge"
    if not metric:
        return named(parametric(function, bins.parameters(), [column(state)]), name)
    is_it = call("equals", column(_OF_METRIC), text(metric))
    return named(parametric(f"{function}If", bins.parameters(), [column(state), is_it]), name)


def _finished(node: Measure, aggregate: MetricAggregate) -> Tree:
    """Return the value of an aggregate in a bin: null where that holds no point of the metric."""

    def state(name: str) -> Tree:
        own = column(_name(node, name, aggregate.metric))
        return own if name in _NUMBERS else call("toFloat64", own)

    none = call("equals", column(_name(node, _POINTS, aggregate.metric)), number(0))
    value = function_of(aggregate.function).finish(state, node.stdev_single)
    return either(none, null(), call("toNullable", value))
