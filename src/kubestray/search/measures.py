"""The aggregates of metric points (``mstats``), as states that merge: by series first, by attributes then.

Each is made of engine states, so that points are read once, states of a few series are joined to
their attributes, and shards or summaries can merge theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubestray.store.trees import Tree, call, column, either, null, number

Merge = Callable[[str], Tree]
"""Gives the merged value of a state, by the state's name: null where the group holds none."""


@dataclass(frozen=True, slots=True)
class MeasureFunction:
    """The states an aggregate needs, and what it makes of them."""

    states: tuple[str, ...]
    finish: Callable[[Merge, float | None], Tree]


STATES: dict[str, tuple[str, tuple[str, ...]]] = {
    # name: the engine's function, and the columns of a point it takes
    "n": ("count", ()),
    "total": ("sumKahan", ("value",)),
    "least": ("min", ("value",)),
    "most": ("max", ("value",)),
    "spread": ("varSampStable", ("value",)),
    "spread_all": ("varPopStable", ("value",)),
    "squares": ("sum", ("square",)),
    "first": ("argMin", ("value", "time")),
    "last": ("argMax", ("value", "time")),
}


def _plain(state: str) -> MeasureFunction:
    return MeasureFunction((state,), lambda merge, single: merge(state))


def _mean(merge: Merge, single: float | None) -> Tree:
    """Return the mean, kept between the least and the most: sums round, and equal values are their mean."""
    ratio = call("divide", merge("total"), merge("n"))
    return call("least", call("greatest", ratio, merge("least")), merge("most"))


def _deviation(state: str, *, root: bool, sample: bool) -> MeasureFunction:
    """Make a variance or its root; of equal values it is 0, of a single one what ``single`` says."""

    def finish(merge: Merge, single: float | None) -> Tree:
        value = call("sqrt", merge(state)) if root else merge(state)
        equal = either(call("equals", merge("least"), merge("most")), number(0.0), value)
        if not sample:
            return equal
        one = null() if single is None else number(single)
        return either(call("equals", merge("n"), number(1)), one, equal)

    return MeasureFunction(("n", state, "least", "most"), finish)


MEASURES: dict[str, MeasureFunction] = {
    "avg": MeasureFunction(("total", "n", "least", "most"), _mean),
    "count": _plain("n"),
    "sum": _plain("total"),
    "min": _plain("least"),
    "max": _plain("most"),
    "range": MeasureFunction(
        ("least", "most"), lambda merge, single: call("minus", merge("most"), merge("least"))
    ),
    "stdev": _deviation("spread", root=True, sample=True),
    "stdevp": _deviation("spread_all", root=True, sample=False),
    "var": _deviation("spread", root=False, sample=True),
    "varp": _deviation("spread_all", root=False, sample=False),
    "sumsq": _plain("squares"),
    "earliest": _plain("first"),
    "latest": _plain("last"),
}


def state_of(name: str) -> Tree:
    """Return the state over a series' points."""
    function, arguments = STATES[name]
    values = {"square": call("multiply", column("value"), column("value"))}
    return call(f"{function}State", *(values.get(argument, column(argument)) for argument in arguments))


def merged(name: str, condition: Tree) -> Tree:
    """Return the merged state of the rows that meet a condition, as a number; null without any."""
    function, _ = STATES[name]
    return call("toFloat64", call(f"{function}MergeOrNullIf", column(name), condition))
