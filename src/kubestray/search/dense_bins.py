"""Many short bins of a short time: each series has its states of all bins as one array.

Where a bin holds a point or two of a series, a group for each series and bin is most of the work of a search.
Here a series is one group, and its points go to the bins by their number. The arrays of series are merged by
attributes and metric, finished as arrays, laid side by side by attributes, and become rows at the end. What
is done to states is so written once, however many metrics there are: an engine plans all that is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.measures import TIMES, asked, function_of, split_states, states_of
from kubestray.search.plan import Measure
from kubestray.store.states import STATES
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    either,
    lambda_,
    named,
    null,
    number,
    parametric,
    reading,
    select,
    table,
    text,
    unnested,
    walked,
)

FINE_NS = 30 * 10**9
"""Bins up to this long mostly hold a point or two of a series."""

MOST_BINS = 1024
"""Bins that a range may have to be kept as arrays: a series with few points has as many as all others."""

OF_METRIC = "of_metric"
"""The column of states that says of which metric they are."""
_POINTS = "n"  # the state that says whether a bin holds points
_NUMBERS = ("total", "least", "most", "spread", "near", "squares", "first", "last")
"""States whose values are such numbers as a search has."""

_NONE = float("nan")
"""Stands in arrays for what has no value there: the engine puts together no arrays that have nulls."""

_BEYOND = float("inf")
"""Stands for what is too large for a double, such as the sum of several that nearly are."""


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
    states = states_of(node)
    _, of_series = split_states(states)
    if of_series or not all(STATES[state].single for state in states):
        return None
    if len({bool(one.metric) for one in node.aggregates}) > 1:
        return None  # of each metric, and of all of them
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
    return reading(select(named(metric, OF_METRIC), column("series_id"), *made), points, "points").group_by(
        *(key.copy() for key in keys), copy=False
    )


def merged_keys(node: Measure) -> list[Tree]:
    """Return what arrays are merged by besides attributes."""
    return [column(OF_METRIC)] if _by_metric(node) else []


def merged_columns(node: Measure, bins: Bins) -> list[Tree]:
    """Return the columns that merge the states of series: an array of the values of each function."""

    def merged(state: str) -> Tree:
        return parametric(f"{STATES[state].function}ResampleMerge", bins.parameters(), [column(state)])

    made: list[Tree] = []
    for place, name in enumerate(asked(node)):
        states = list(dict.fromkeys((_POINTS, *function_of(name).states)))
        function = lambda_(" ".join(states), _finished(node, name))
        made.append(named(call("arrayMap", function, *map(merged, states)), f"v{place}"))
    return [*made, *([named(merged(_POINTS), "counts")] if _counted(node) else [])]


def rows(node: Measure, merged: exp.Select, bins: Bins) -> exp.Select:
    """Select the aggregates of each bin that holds points, from rows that hold the arrays of all bins."""
    assert node.bin
    arrays = _side_by_side(node, merged, bins)
    names = [f"a{place}" for place, _ in enumerate(node.aggregates)]
    values = [
        named(either(call("isNaN", column(name)), null(), column(name)), one.column.name)
        for name, one in zip(names, node.aggregates, strict=True)
    ]
    start = call("toNullable", call("divide", call("multiply", column("bin"), _length(node)), number(1e9)))
    by = [column(a.column.name) for a in node.by]
    query = select(*by, named(start, node.bin.name), *values).from_(table(arrays, "arrays"), copy=False)
    counts = ["counts"] if _counted(node) else []
    numbers = call("range", *_ends(bins))
    query = unnested(query, [*map(column, (*names, *counts)), named(numbers, "bin")])
    if counts:
        return query.where(call("greater", column("counts"), number(0)), copy=False)
    return query.where(call("not", all_of([call("isNaN", column(name)) for name in names])), copy=False)


def _finished(node: Measure, function: str) -> Tree:
    """Return the value of a function from its states in a bin."""

    def state(name: str) -> Tree:
        return column(name) if name in _NUMBERS or name in TIMES else call("toFloat64", column(name))

    value = call("ifNotFinite", function_of(function).finish(state, node.stdev_single), number(_BEYOND))
    if _may_be_null(function):
        value = call("ifNull", value, number(_NONE))
    return either(call("equals", column(_POINTS), number(0)), number(_NONE), value)


def _side_by_side(node: Measure, merged: exp.Select, bins: Bins) -> exp.Select:
    """Select a row by attributes, with an array of the values of each aggregate: NaN where there is none."""
    by = [column(a.column.name) for a in node.by]
    functions = asked(node)
    made: list[Tree] = []
    for place, one in enumerate(node.aggregates):
        value: Tree = column(f"v{functions.index(one.function)}")
        if _by_metric(node):
            # Of each metric there is one array or none.
            is_it = call("equals", column(OF_METRIC), text(one.metric))
            length = call("minus", *_ends(bins)[::-1])
            value = call("arrayResize", call("groupArrayArrayIf", value, is_it), length, number(_NONE))
        made.append(named(value, f"a{place}"))
    if not _by_metric(node):
        return select(*by, column("counts"), *made).from_(table(merged, "merged"), copy=False)
    counts = [named(call("sumForEach", column("counts")), "counts")] if _counted(node) else []
    query = select(*by, *counts, *made).from_(table(merged, "merged"), copy=False)
    if by:
        return query.group_by(*(key.copy() for key in by), copy=False)
    # Of no rows at all there are no arrays, and so no counts beside those of each metric.
    return query.having(call("greater", call("count"), number(0)), copy=False)


def _ends(bins: Bins) -> list[Tree]:
    return [call("toUInt64", tree) for tree in bins.parameters()[:2]]


def _by_metric(node: Measure) -> bool:
    """Tell whether it matters of which metric states are: it does not of all of them, or if there is but one.

    What is asked for may be a metric that there is not.
    """
    wanted = {one.metric for one in node.aggregates}
    return wanted != {""} and (len(node.metrics) > 1 or wanted != set(node.metrics))


def _counted(node: Measure) -> bool:
    """Tell whether points have to be counted to know of a bin that it holds some.

    It is a row if it holds points of any metric, also of one that is not asked for any more. Where each
    metric has a value in every bin that holds points of it, the values say so.
    """
    if not _by_metric(node):
        return True
    told = {one.metric for one in node.aggregates if not _may_be_null(one.function)}
    return not told.issuperset(node.metrics)


def _may_be_null(function: str) -> bool:
    """Tell whether a function has no value of some points: of one point alone, for instance."""
    tree = function_of(function).finish(column, None)
    return any(
        isinstance(node, exp.Null) or (isinstance(node, exp.Anonymous) and node.this == "nullIf")
        for node in walked(tree)
    )


def _length(node: Measure) -> Tree:
    return call("toUInt64", number(node.bin_ns))


def _states(node: Measure) -> list[str]:
    return list(dict.fromkeys((_POINTS, *states_of(node))))
