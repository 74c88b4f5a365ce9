"""Where an ``mstats`` is answered from: summaries where they say the same as the points, else the points.

Summaries serve aggregates whose states they keep, over attributes that their groups have, for bins that are
whole hours. Of a time range they take the whole hours and days that are up to date; the rest is read from
the points, and both are merged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlglot import exp

from kubestray.search.measures import METRIC, CalendarMeasure, function_of, split_states
from kubestray.search.plan import Measure
from kubestray.store.answers import NONE_KEPT, Answers
from kubestray.store.coverage import DAY, Coverage, Query, Stretch, coverage
from kubestray.store.points import Span
from kubestray.store.schema import HOUR_NS
from kubestray.store.states import STATES
from kubestray.store.trees import Tree, all_of, call, column, named, number, one_of, select, text


def sources(
    node: Measure, query: Query, answers: Answers = NONE_KEPT, further: Collection[str] = ()
) -> Coverage | None:
    """Return how summaries and points share the work; None where points do all of it.

    ``further`` are attributes that groups have to have besides those that the step names.
    """
    if not node.kinds or not _served(node):
        return None
    asked = needs(node).union(further)
    found = coverage(node.span, node.metrics, asked, query, _longest(node), answers)
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


def rows_read(node: Measure, query: Query) -> list[str]:
    """Count the rows that a step reads, by where they are; its clause may leave some of their series out."""
    stretches = node.sources.summaries if node.sources else ()
    spans = node.sources.points if node.sources else (node.span,)
    told = [f"{_rows_of(stretch, node, query):,} rows of summaries" for stretch in stretches]
    return [*told, *rows_of_points(node, spans, query)]


def rows_of_points(node: Measure, spans: Iterable[Span], query: Query) -> list[str]:
    """Count the points of the metrics of a step in some ranges."""
    points = [_rows("samples", node, [span.holds_stored(column("time"))], query) for span in spans]
    return [f"{count:,} samples" for count in points]


def _rows_of(stretch: Stretch, node: Measure, query: Query) -> int:
    wanted = [
        call("equals", column("hours"), number(stretch.hours)),
        call("greaterOrEquals", column("hour"), number(stretch.first)),
        call("less", column("hour"), number(stretch.end)),
    ]
    return _rows("summaries", node, wanted, query)


def _rows(name: str, node: Measure, wanted: list[Tree], query: Query) -> int:
    named_so = one_of(column("metric"), map(text, node.metrics))
    counted = select(named(call("count"), "rows")).from_(name).where(all_of([named_so, *wanted]))
    return int(query(counted).column("rows").to_pylist()[0])
