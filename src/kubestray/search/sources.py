"""Where an ``mstats`` is answered from: summaries where they say the same as the points, else the points.

Summaries serve aggregates whose states they keep, over attributes that their groups have, for bins that are
whole hours. Of a time range they take the whole hours and days that are up to date; the rest is read from
the points, and both are merged.
"""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.measures import METRIC, CalendarMeasure, function_of, split_states
from kubestray.search.plan import Measure
from kubestray.store.coverage import DAY, Coverage, Query, coverage
from kubestray.store.schema import HOUR_NS
from kubestray.store.states import STATES


def sources(node: Measure, query: Query) -> Coverage | None:
    """Return how summaries and points share the work; None where points do all of it."""
    if not node.kinds or not _served(node):
        return None
    found = coverage(node.span, node.metrics, needs(node), query, _longest(node))
    return found if found.summaries else None


def _served(node: Measure) -> bool:
    states = [state for one in node.aggregates for state in function_of(one.function).states]
    _, of_series = split_states(states)
    calendar = isinstance(node, CalendarMeasure) and node.calendar is not None
    whole_hours = node.bin is None or (not calendar and node.bin_ns % HOUR_NS == 0)
    return whole_hours and not of_series and all(STATES[state].kept for state in states)


def _longest(node: Measure) -> int:
    """Return how many hours a unit may have, so that none lies in two bins."""
    return DAY if node.bin is None or node.bin_ns % (DAY * HOUR_NS) == 0 else 1


def needs(node: Measure) -> set[str]:
    """Return the attributes that rows are grouped or chosen by."""
    chosen = node.series.find_all(exp.Anonymous) if node.series is not None else ()
    asked = {
        call.expressions[1].this
        for call in chosen
        if call.this in ("mapContains", "arrayElement") and call.expressions[0] == exp.column("attributes")
    }
    return {attribute.name for attribute in node.by if attribute.name != METRIC} | asked
