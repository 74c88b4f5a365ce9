"""The aggregates of metric points (``mstats``), as states that merge: by series first, by attributes then.

Each is made of engine states, so that points are read once, states of a few series are joined to
their attributes, and shards or summaries can merge theirs. Rates are of series: each has its pace in each
bin, and the paces are joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from kubestray.model.metric import Kind
from kubestray.search.plan import Measure, per_seconds
from kubestray.search.reductions.numeric import of_numbers_at, of_sketch_at
from kubestray.search.spans import TimeSpan
from kubestray.store.cells import variance as variance_of
from kubestray.store.states import SKETCH, STATES
from kubestray.store.trees import Tree, call, column, either, null, number, over, text

Merge = Callable[[str], Tree]
"""Gives the merged value of a state, by the state's name: null where the group holds none."""

METRIC = "metric_name"
"""What a search calls the name of the metric, in BY as if it were an attribute."""

SEEN, SEEN_LAST, SEEN_BEFORE = "seen", "seen_last", "seen_before"
"""The times of a series' first and last point as received in a bin, and of the last in the bin before.

The first point of all has no increase, and so is not among those that are aggregated.
"""

TIMES = ("first_time", "last_time", "counter_start")
"""What is a time in nanoseconds: as a double it would be a quarter of a microsecond off."""

_SECOND = 1e9


@dataclass(frozen=True, slots=True)
class MeasureFunction:
    """The states an aggregate needs, and what it makes of them."""

    states: tuple[str, ...]
    finish: Callable[[Merge, float | None], Tree]
    of_sketches: MeasureFunction | None = None
    """What nearly says the same and is made of sketches, where summaries answer."""


@dataclass(frozen=True, slots=True)
class CalendarMeasure(Measure):
    """Aggregates by bins that are not all equally long: months, or days where the clocks change."""

    calendar: TimeSpan | None = None

    @property
    def per(self) -> str:
        """Say how long a bin is, and by whose clocks."""
        if self.calendar is None:
            return per_seconds(self.bin_ns)
        count, unit = (self.calendar.days, "d") if self.calendar.days else (self.calendar.months, "mon")
        return f" per {count} {unit} of {self.calendar.zone}"


_OF_SERIES = {
    # name: the engine's function, and the column of a series' states that it takes
    "mean_pace": ("avg", "pace"),
    "whole_pace": ("sum", "pace"),
    "mean_counter_pace": ("avg", "counter_pace"),
    "whole_counter_pace": ("sum", "counter_pace"),
    "counter_rise": ("sum", "counter_rise"),
    "counter_start": ("min", SEEN),
}
_PACED = ("total", "first", "last", "first_time", "last_time")


def _plain(state: str) -> MeasureFunction:
    return MeasureFunction((state,), lambda merge, single: merge(state))


_ROUNDING = 2.0**-51
"""How far a sum and a quotient may be from what they are without rounding, as a share: each half of 2^-52,
with as much to spare."""


def _mean(merge: Merge, single: float | None) -> Tree:
    """Return the mean; sums round, and equal values are their mean: what is as near to the least is it."""
    ratio, least = call("divide", merge("total"), merge("n")), merge("least")
    near = call("multiply", call("abs", least.copy()), number(_ROUNDING))
    equal = call("lessOrEquals", call("minus", ratio, least.copy()), near)
    return either(equal, least, ratio.copy())


def _deviation(*, root: bool, sample: bool) -> MeasureFunction:
    """Make a variance or its root; of equal values it is 0, of a single one what ``single`` says."""

    def finish(merge: Merge, single: float | None) -> Tree:
        least, most = merge("least"), merge("most")
        variance = variance_of(merge("spread"), merge("near"), least, most)
        if not sample:
            # Of all values: the state is that of a sample, which divides by one less.
            shorter = call("divide", call("minus", merge("n"), number(1)), merge("n"))
            variance = call("multiply", variance, shorter)
        value = call("sqrt", variance) if root else variance
        equal = either(call("equals", least.copy(), most.copy()), number(0.0), value)
        if not sample:
            return equal
        one = null() if single is None else number(single)
        return either(call("equals", merge("n"), number(1)), one, equal)

    return MeasureFunction(("n", "spread", "near", "least", "most"), finish)


def _percentile(percent: str, *, interpolated: bool, exactly: bool = False) -> MeasureFunction:
    """Make a percentile, as `search.reductions.numeric.percentile` defines it."""
    near = MeasureFunction(
        (SKETCH,), lambda merge, single: of_sketch_at(merge(SKETCH), percent, interpolated=interpolated)
    )
    return MeasureFunction(
        ("all",),
        lambda merge, single: of_numbers_at(merge("all"), percent, interpolated=interpolated),
        None if exactly else near,
    )


def _time(state: str) -> MeasureFunction:
    return MeasureFunction((state,), lambda merge, single: call("divide", merge(state), number(_SECOND)))


def _per_second(rise: Tree, end: Tree, start: Tree) -> Tree:
    """Return a rise divided by the seconds between two times; null where there are none."""
    length = call("divide", call("toFloat64", call("minus", end, start)), number(_SECOND))
    return call("divide", rise, call("nullIf", length, number(0)))


_RATE = MeasureFunction(
    ("last", "first", "first_time", "last_time"),
    lambda merge, single: _per_second(
        call("minus", merge("last"), merge("first")), merge("last_time"), merge("first_time")
    ),
)
_COUNTER_RATE = MeasureFunction(
    (*_PACED, "counter_rise", "counter_start"),
    lambda merge, single: _per_second(merge("counter_rise"), merge("last_time"), merge("counter_start")),
)


def _of_series(name: str) -> MeasureFunction:
    return MeasureFunction((*_PACED, name), lambda merge, single: merge(name))


_RANGE = MeasureFunction(
    ("least", "most"), lambda merge, single: call("minus", merge("most"), merge("least"))
)
_AVERAGE = MeasureFunction(("total", "n", "least"), _mean)

MEASURES: dict[str, MeasureFunction] = {
    "avg": _AVERAGE,
    "c": _plain("n"),
    "count": _plain("n"),
    "dc": _plain("distinct"),
    "distinct_count": _plain("distinct"),
    "earliest": _plain("first"),
    "earliest_time": _time("first_time"),
    "exactperc95": _percentile("95", interpolated=False, exactly=True),
    "latest": _plain("last"),
    "latest_time": _time("last_time"),
    "max": _plain("most"),
    "mean": _AVERAGE,
    "median": _percentile("50", interpolated=False),
    "min": _plain("least"),
    "p95": _percentile("95", interpolated=True),
    "perc95": _percentile("95", interpolated=True),
    "percentile95": _percentile("95", interpolated=True),
    "range": _RANGE,
    "rate": _RATE,
    "rate_avg": _of_series("mean_pace"),
    "rate_sum": _of_series("whole_pace"),
    "stdev": _deviation(root=True, sample=True),
    "stdevp": _deviation(root=True, sample=False),
    "sum": _plain("total"),
    "sumsq": _plain("squares"),
    "upperperc95": _percentile("95", interpolated=True),
    "var": _deviation(root=False, sample=True),
    "varp": _deviation(root=False, sample=False),
}

_OF_COUNTERS = {
    "rate": _COUNTER_RATE,
    "rate_avg": _of_series("mean_counter_pace"),
    "rate_sum": _of_series("whole_counter_pace"),
}

_PERCENTILE = re.compile(r"(exactperc|upperperc|percentile|perc|p)(\d+(?:\.\d+)?)")


@cache
def find(name: str) -> MeasureFunction | None:
    """Return an aggregate by its name, or None if there is none of that name.

    ``counter NAME`` is what NAME is of counters, see `named_for`.
    """
    if name.startswith("counter "):
        return _OF_COUNTERS.get(name.removeprefix("counter "))
    if name in MEASURES:
        return MEASURES[name]
    found = _PERCENTILE.fullmatch(name)
    if not found or float(found[2]) > 100:
        return None
    exactly = found[1] == "exactperc"
    return _percentile(found[2], interpolated=not exactly, exactly=exactly)


def named_for(name: str, kinds: frozenset[Kind]) -> str:
    """Return the name by which `find` knows an aggregate of series of these kinds.

    Rates differ: of a counter the points are increases, of a gauge readings.
    """
    return f"counter {name}" if name in _OF_COUNTERS and kinds - {Kind.GAUGE} else name


def function_of(name: str, *, summarised: bool = False) -> MeasureFunction:
    """Return an aggregate that is known to exist, or what stands for it where summaries answer."""
    found = find(name)
    assert found, name
    return found.of_sketches or found if summarised else found


def functions_of(node: Measure) -> list[MeasureFunction]:
    """Return what the aggregates of a step are made with, from where it is answered."""
    return [function_of(one.function, summarised=node.summarised) for one in node.aggregates]


def asked(node: Measure) -> list[str]:
    """Return the names of the functions that the aggregates ask for, each once."""
    return list(dict.fromkeys(one.function for one in node.aggregates))


def states_of(node: Measure) -> list[str]:
    """Return the states that the aggregates need, and what they need of series, each once."""
    return list(dict.fromkeys(state for function in functions_of(node) for state in function.states))


def near(node: Measure) -> dict[str, list[str]]:
    """Return the aggregates of a step that sketches can stand for, with the metrics that each is of."""
    found: dict[str, list[str]] = {}
    for one in node.aggregates:
        if function_of(one.function).of_sketches:
            found.setdefault(one.function, []).extend([one.metric] if one.metric else node.metrics)
    return found


def merged(name: str, condition: Tree) -> Tree:
    """Return the merged state of the rows that meet a condition, as a number; null without any."""
    if name in _OF_SERIES:
        function, made = _OF_SERIES[name]
        return _as_number(name, call(f"{function}OrNullIf", column(made), condition))
    function = STATES[name].function
    if not STATES[name].single:
        found = call(f"{function}MergeIf", column(name), condition)
        return call("arraySort", found) if name == SKETCH else found
    return _as_number(name, call(f"{function}MergeOrNullIf", column(name), condition))


def of_points(name: str, condition: Tree) -> Tree:
    """Return what `merged` does, of points that meet a condition, without states in between."""
    state = STATES[name]
    if not state.single:
        return call(f"{state.function}If", *state.taken(column("value")), condition)
    return _as_number(name, call(f"{state.function}OrNullIf", *state.taken(column("value")), condition))


def _as_number(name: str, value: Tree) -> Tree:
    return value if name in TIMES else call("toFloat64", value)


def split_states(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of the wanted names are states, and which columns of series are needed besides."""
    made = dict.fromkeys(_OF_SERIES[name][1] for name in names if name in _OF_SERIES)
    return [name for name in names if name not in _OF_SERIES], list(made)


def of_series(name: str, *, binned: bool) -> Tree:
    """Return a column over the states of a series: how far it rose, or its pace, the rise a second.

    A pace counts from the last point of the bin before, if there is one.
    """

    def own(state: str) -> Tree:
        return call("finalizeAggregation", column(state))

    # The points of a counter are increases: of the first one in a bin the start lies before the bin.
    entered = call("less", column(SEEN), own("first_time"))
    rise = either(entered, own("total"), call("minus", own("total"), own("first")))
    if name == "counter_rise":
        return rise
    if name == "counter_pace":
        risen = either(call("isNotNull", column(SEEN_BEFORE)), own("total"), rise)
        start = call("ifNull", column(SEEN_BEFORE), column(SEEN))
    else:
        risen = call("minus", own("last"), call("ifNull", before(own("last"), binned=binned), own("first")))
        start = call("ifNull", before(own("last_time"), binned=binned), own("first_time"))
    return _per_second(call("toNullable", risen), own("last_time"), start)


def before(value: Tree, *, binned: bool) -> Tree:
    """Return a value of the same series in the bin before; null without one."""
    if not binned:
        return call("CAST", null(), text("Nullable(UInt64)"))
    keys = [column("metric"), column("series_id")]
    lagged = call("lagInFrame", call("toNullable", value), number(1), null())
    return over(lagged, partition=keys, order=[column("bin")])
