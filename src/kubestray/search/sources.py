"""Where an ``mstats`` is answered from: summaries where they say the same as the points, else the points.

Summaries serve aggregates whose states they keep, over attributes that their groups have, for bins that are
whole hours; sketches serve percentiles of metrics that have them. Of a time range they take the whole hours
and days that are up to date; the rest is read from the points, and both are merged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from sqlglot import exp

from kubestray.search.measures import (
    METRIC,
    CalendarMeasure,
    function_of,
    functions_of,
    near,
    split_states,
)
from kubestray.search.metric_points import chosen_series
from kubestray.search.plan import Measure
from kubestray.search.times import SECOND_NS
from kubestray.search.zones import EPOCH, UTC, whole_hours_ahead
from kubestray.store.answers import NONE_KEPT, Answers
from kubestray.store.coverage import DAY, Coverage, Query, coverage, expired_days
from kubestray.store.places import ERROR_TOLD
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.points import Span
from kubestray.store.sketches import sketched
from kubestray.store.states import SKETCH, STATES
from kubestray.store.trees import (
    Tree,
    all_of,
    any_of,
    call,
    column,
    in_query,
    named,
    one_of,
    select,
    text,
)

FEW = 1_000_000
"""Points that are read rather than sketches of them, where they are there: percentiles are exact then."""

_END = 4_102_444_800
"""The year 2100, in seconds: from then on clocks are taken to be as they were before."""

_MOST_NAMES = 5  # that a note tells


def sources(
    node: Measure, query: Query, answers: Answers = NONE_KEPT, further: Collection[str] = ()
) -> Coverage | None:
    """Return how summaries and points share the work; None where points do all of it.

    ``further`` are attributes that groups have to have besides those that the step names.
    """
    if not node.kinds or not servable(node):
        return None
    asked = needs(node).union(further)
    drawn = {metric for metrics in near(node).values() for metric in metrics}
    fitting = (lambda between: sketched(drawn, between, query, answers)) if drawn else None
    found = coverage(node.span, node.metrics, asked, query, _longest(node), answers, fitting)
    if not found.summaries or (drawn and _are_few(node, found, query, answers)):
        return None
    return found


def servable(node: Measure) -> bool:
    """Tell whether summaries and sketches can hold what a step asks for."""
    functions = [function_of(one.function, summarised=True) for one in node.aggregates]
    states, of_series = split_states([state for one in functions for state in one.states])
    return _whole_hours(node) and not of_series and all(STATES[one].kept or one == SKETCH for one in states)


def _whole_hours(node: Measure) -> bool:
    """Tell whether no bin of a step begins within an hour (UTC)."""
    calendar = node.calendar if isinstance(node, CalendarMeasure) else None
    if node.bin is None or calendar is None:
        return node.bin is None or node.bin_ns % HOUR_NS == 0
    latest = node.span.latest
    ends = [node.span.earliest // SECOND_NS, _END if latest is None else latest // SECOND_NS]
    return calendar.calendar and whole_hours_ahead(calendar.zone, *(_year(end) for end in ends))


def _year(seconds: int) -> int:
    """Return the year (UTC) of a time, as far as the clock of a zone is known."""
    return (EPOCH + timedelta(seconds=min(max(seconds, 0), _END))).year


def _are_few(node: Measure, found: Coverage, query: Query, answers: Answers) -> bool:
    """Tell whether the points that sketches would stand for are there, and few: they are read then."""
    gone = expired_days(query, answers)
    days = {hour // DAY for one in found.summaries for hour in range(one.first, one.end)}
    if not days.isdisjoint(gone):
        return False
    wanted = [any_of([stretch.holds() for stretch in found.summaries]), _named_so(node)]
    if (series := chosen_series(node)) is not None:
        groups = select(column("group_id")).from_("groups").where(all_of([_named_so(node), series]))
        wanted.append(in_query(column("group_id"), groups))
    points = named(call("countMerge", column("n")), "points")
    counted = query(select(points).from_("summaries").where(all_of(wanted)))
    return int(counted.column("points").to_pylist()[0]) <= FEW


def _longest(node: Measure) -> int:
    """Return how many hours a unit may have, so that none lies in two bins."""
    if isinstance(node, CalendarMeasure) and node.calendar is not None:
        return DAY if node.calendar.zone == UTC else 1
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
    told = [
        f"{_rows(name, node, [stretch.holds()], query):,} rows of {name}"
        for name in (_tables(node) if stretches else ())
        for stretch in stretches
    ]
    return [*told, *rows_of_points(node, spans, query)]


def _tables(node: Measure) -> list[str]:
    """Return the tables that a step reads where summaries answer."""
    states = {state for function in functions_of(node) for state in function.states}
    return [*(["summaries"] if states - {SKETCH} else []), *(["sketches"] if SKETCH in states else [])]


def nearly(node: Measure) -> str:
    """Tell which percentiles of a step are not exact, and how far they may be off; nothing without any."""
    found = near(node) if node.summarised else {}
    if not found:
        return ""
    names = [f"{name}({metric})" for name, metrics in found.items() for metric in metrics]
    more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return (
        f"{', '.join([*names[:_MOST_NAMES], *more])}: from sketches where summaries answer, so each of the "
        f"numbers that a percentile is made of is within {ERROR_TOLD} of the exact one"
    )


def rows_of_points(node: Measure, spans: Iterable[Span], query: Query) -> list[str]:
    """Count the points of the metrics of a step in some ranges."""
    points = [_rows("samples", node, [span.holds_stored(column("time"))], query) for span in spans]
    return [f"{count:,} samples" for count in points]


def _named_so(node: Measure) -> Tree:
    return one_of(column("metric"), map(text, node.metrics))


def _rows(name: str, node: Measure, wanted: list[Tree], query: Query) -> int:
    counted = select(named(call("count"), "rows")).from_(name).where(all_of([_named_so(node), *wanted]))
    return int(query(counted).column("rows").to_pylist()[0])
