"""The states that aggregates are made of, by series and bin: of points, of summaries, or of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sqlglot import exp

from kubestray.search import measures
from kubestray.search.measures import CalendarMeasure
from kubestray.search.plan import Measure
from kubestray.store.coverage import Stretch
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.points import Selection, as_received, measured
from kubestray.store.sketches import elements
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
    reading,
    select,
    table,
    text,
    unsigned,
)

_MICRO_NS = 1_000


def all_states(node: Measure, chosen: Selection) -> exp.Query:
    """Select one row a series or group, metric and bin: from summaries as far as they serve, and points."""
    if node.sources is None:
        return _states(node, chosen)
    parts: list[exp.Query] = (
        [_summarised(node, chosen, node.sources.summaries)] if node.sources.summaries else []
    )
    parts += [_states(node, dataclasses.replace(chosen, span=span)) for span in node.sources.points]
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)


def _summarised(node: Measure, chosen: Selection, stretches: Sequence[Stretch]) -> exp.Select:
    """Select the merged states of stretches of summaries and sketches by group, metric and bin."""
    kept = [state for state in measures.states_of(node) if state != SKETCH]
    states = [named(STATES[state].merged(exp.column(state, table="summaries")), state) for state in kept]
    drawn = [named(call(f"{STATES[SKETCH].function}State", elements()), SKETCH)]
    if SKETCH not in measures.states_of(node):
        return _of_groups("summaries", node, chosen, stretches, states)
    of_sketches = _of_groups("sketches", node, chosen, stretches, drawn)
    if not kept:
        return of_sketches
    # Metrics that no percentile is asked of have no sketches. The order of columns is that of points' states.
    keys = ["metric", "series_id", *(["bin"] if node.bin else [])]
    of_summaries = table(_of_groups("summaries", node, chosen, stretches, states), "of_summaries")
    both = select(*map(column, (*keys, *measures.states_of(node)))).from_(of_summaries, copy=False)
    return both.join(table(of_sketches, "of_sketches"), using=list(keys), join_type="left", copy=False)


def _of_groups(
    name: str, node: Measure, chosen: Selection, stretches: Sequence[Stretch], states: list[Tree]
) -> exp.Select:
    """Select states of stretches of a table by group, metric and bin."""
    units = any_of([stretch.holds() for stretch in stretches])
    wanted = [units, one_of(column("metric"), [text(name) for name in chosen.metrics])]
    if chosen.series is not None:
        groups = select(column("group_id")).from_("groups").where(chosen.catalog())
        wanted.append(in_query(column("group_id"), groups))
    keys: list[Tree] = [column("metric"), column("group_id")]
    shown: list[Tree] = [column("metric"), named(column("group_id"), "series_id")]
    if node.bin:
        shown.append(named(_bin_of_hour(node), "bin"))
        keys.append(column("bin"))
    return select(*shown, *states).from_(name).where(all_of(wanted)).group_by(*keys)


def _states(node: Measure, chosen: Selection) -> exp.Select:
    """Select one row a series, metric and bin, with the states that the aggregates need."""
    states, made = measures.split_states(measures.states_of(node))
    values = [named(STATES[state].of_points(), state) for state in states]
    query = _by_series(node, measured(chosen), values)
    if not made:
        return query
    shown = [
        named(measures.of_series(name, binned=node.bin is not None), name)
        for name in made
        if name != measures.SEEN
    ]
    if set(made) == {"pace"}:
        return select(exp.Star(), *shown).from_(table(query, "series_states"), copy=False)
    both = select(exp.Star()).from_(table(query, "series_states"), copy=False)
    keys: list[int | str | Tree] = ["metric", "series_id", *(["bin"] if node.bin else [])]
    both = both.join(table(_seen(node, chosen), "series_seen"), using=keys, join_type="inner", copy=False)
    return select(exp.Star(), *shown).from_(table(both, "series_points"), copy=False)


def _seen(node: Measure, chosen: Selection) -> exp.Select:
    """Select when a series was seen in a bin, and last in the bin before."""
    ends = [(measures.SEEN, "min"), (measures.SEEN_LAST, "max")]
    times = [named(call(function, column("time")), name) for name, function in ends]
    last = measures.before(column(measures.SEEN_LAST), binned=node.bin is not None)
    query = table(_by_series(node, as_received(chosen), times), "series_times")
    return select(exp.Star(), named(last, measures.SEEN_BEFORE)).from_(query)


def _by_series(node: Measure, points: exp.Query, values: list[Tree]) -> exp.Select:
    """Select values of points by series, metric and bin."""
    keys: list[Tree] = [column("metric"), column("series_id")]
    shown: list[Tree] = list(keys)
    if node.bin:
        shown.append(named(bin_of(node), "bin"))
        keys.append(column("bin"))
    return reading(select(*shown, *values), points, "points").group_by(
        *(key.copy() for key in keys), copy=False
    )


def bin_of(node: Measure) -> Tree:
    """Return what bin a point is in: its number, or where it starts if bins differ in length."""
    if isinstance(node, CalendarMeasure) and node.calendar:
        # Cut off, never rounded: what is a nanosecond before midnight is of the day before.
        return node.calendar.start_of(_micros(call("intDiv", column("time"), unsigned(_MICRO_NS))))
    return call("intDiv", column("time"), unsigned(node.bin_ns))


def _bin_of_hour(node: Measure) -> Tree:
    """Return what bin an hour of summaries is in, as `_bin` does of a point."""
    if isinstance(node, CalendarMeasure) and node.calendar:
        start = call("multiply", call("toUInt64", column("hour")), unsigned(HOUR_NS // _MICRO_NS))
        return node.calendar.start_of(_micros(start))
    start = call("multiply", call("toUInt64", column("hour")), unsigned(HOUR_NS))
    return call("intDiv", start, unsigned(node.bin_ns))


def _micros(value: Tree) -> Tree:
    return call("toNullable", call("toInt64", value))
