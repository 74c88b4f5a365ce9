"""Statements over metric points: what ``mstats`` measures, and points as ``mpreview`` shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from sqlglot import exp

from kubestray.search import by_metric, measures
from kubestray.search.columns import nothing
from kubestray.search.dense_bins import (
    FINE_NS,
    OF_METRIC,
    Bins,
    bins_of,
    merged_columns,
    merged_keys,
    rows,
    series_states,
)
from kubestray.search.measures import METRIC, CalendarMeasure
from kubestray.search.plan import Attribute, Catalogued, Column, Measure, MetricAggregate, Received
from kubestray.search.states_by_series import all_states, bin_of
from kubestray.search.values import NULL_NUMBER
from kubestray.store.points import Selection, as_received, measured
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    either,
    named,
    null,
    number,
    one_of,
    reading,
    select,
    table,
    text,
    unsigned,
)

_NAMED_METRIC = "named_metric"
"""What names of series call the metric, beside that of what they are joined to."""


def measure(node: Measure) -> exp.Query:
    """Aggregate by series and bin, join the few results to their attributes, then merge by attributes."""
    if not node.kinds:
        return nothing([*_keys(node), *(a.column for a in node.aggregates)])
    renamed = node.renamed and len(node.metrics) > 1
    chosen = Selection(node.metrics, node.kinds, chosen_series(node), node.span, renamed)
    # Names are joined by series: those that are left out have none.
    read = chosen if node.narrow or not node.by else dataclasses.replace(chosen, series=None)
    if dense := bins_of(node):
        return _densely(node, chosen, read, dense)
    bins = [named(_bin_start(node), node.bin.name)] if node.bin else []
    if by_metric.serves(node):
        return _of_each_metric(node, chosen, read)
    source = _points(node, read) if _is_fine(node) else all_states(node, read)
    merge = measures.of_points if _is_fine(node) else measures.merged
    by = [column(a.column.name) for a in node.by]
    merged = {pair: _merged(pair, merge, f"m{place}") for place, pair in enumerate(_pairs(node))}
    query = select(*by, *bins, *merged.values()).from_(table(source, "states"), copy=False)
    query = _with_names(query, node, chosen)
    groups = [*by, *([column("bin")] if node.bin else [])]
    if groups:
        query = query.group_by(*(key.copy() for key in groups), copy=False)
    else:
        query = query.having(call("greater", call("count"), number(0)), copy=False)
    # Each state is merged once, under a name: a deviation reads one several times.
    shown = [*by, *([column(node.bin.name)] if node.bin else [])]
    values = [_aggregate(node, aggregate, merged) for aggregate in node.aggregates]
    return select(*(key.copy() for key in shown), *values).from_(table(query, "merged"), copy=False)


def chosen_series(node: Measure) -> Tree | None:
    """Return the condition on the series that a step is about; None: all series of its metrics."""
    carries = [_carries(a) for a in node.by if a.fallback is None and a.name != METRIC]
    series = [*carries, *([node.series] if node.series is not None else [])]
    return all_of(series) if series else None


def _of_each_metric(node: Measure, chosen: Selection, read: Selection) -> exp.Select:
    """Merge states by attributes and metric, then make columns of the metrics' rows."""
    keys = [*(column(a.column.name) for a in node.by), column("metric")]
    states = table(all_states(node, read), "states")
    query = select(*keys, *by_metric.merged_columns(node)).from_(states, copy=False)
    query = _with_names(query, node, chosen).group_by(*(key.copy() for key in keys), copy=False)
    return by_metric.side_by_side(node, query)


def _densely(node: Measure, chosen: Selection, read: Selection, bins: Bins) -> exp.Query:
    """Aggregate by series to arrays of all bins, merge these by attributes, then make rows of them."""
    states = series_states(node, measured(read), bins)
    by = [*(column(a.column.name) for a in node.by), *merged_keys(node)]
    merging = select(*by, *merged_columns(node, bins)).from_(table(states, "states"), copy=False)
    merging = _with_names(merging, node, chosen, OF_METRIC)
    if by:
        merging = merging.group_by(*(key.copy() for key in by), copy=False)
    return rows(node, merging, bins)


def _with_names(query: exp.Select, node: Measure, chosen: Selection, metric: str = "metric") -> exp.Select:
    """Join states, whose metrics are in a column called ``metric``, to the BY attributes of their series."""
    if not node.by:
        return query
    on = _same_series("states", metric, chosen)
    return query.join(table(_all_names(node, chosen), "names"), on=on, join_type="inner", copy=False)


def _same_series(of: str, metric: str, chosen: Selection) -> Tree:
    """Return the condition that rows of a table, with metrics in ``metric``, and names are of a series."""
    pairs = {"series_id": "series_id"} | ({metric: _NAMED_METRIC} if chosen.renamed else {})
    return all_of(
        [
            exp.EQ(this=exp.column(own, table=of), expression=exp.column(theirs, table="names"))
            for own, theirs in pairs.items()
        ]
    )


def _is_fine(node: Measure) -> bool:
    """Tell whether points are aggregated at once, and not by series first."""
    _, of_series = measures.split_states(measures.states_of(node))
    return node.sources is None and 0 < node.bin_ns <= FINE_NS and not of_series


def _points(node: Measure, chosen: Selection) -> exp.Select:
    """Select the points with the number of their bin."""
    shown = [column(name) for name in ("metric", "series_id", "time", "value")]
    return reading(select(*shown, named(bin_of(node), "bin")), measured(chosen), "points")


def _keys(node: Measure) -> list[Column]:
    return [*([node.bin] if node.bin else []), *(attribute.column for attribute in node.by)]


def _all_names(node: Measure, chosen: Selection) -> exp.Query:
    """Select the BY attributes of each series, and of each group where summaries are read."""
    if node.sources is None:
        return _names(node.by, chosen)
    groups = _names(node.by, chosen, of="groups", key="group_id")
    return exp.union(_names(node.by, chosen), groups, distinct=False) if node.sources.points else groups


def _names(
    by: tuple[Attribute, ...], chosen: Selection, *, of: str = "series", key: str = "series_id"
) -> exp.Select:
    """Select the BY attributes of each series, or of each group."""
    shown = [named(_by_value(a), a.column.name) for a in by]
    return select(*_series_of_names(key, chosen), *shown).from_(of).where(chosen.catalog())


def _series_of_names(key: str, chosen: Selection) -> list[Tree]:
    """Return the columns of names that tell series apart; ``key`` is the id of series, or of groups."""
    metrics = [named(column("metric"), _NAMED_METRIC)] if chosen.renamed else []
    return [named(column(key), "series_id"), *metrics]


def _by_value(one: Attribute) -> Tree:
    return call("toNullable", column("metric") if one.name == METRIC else _attribute(one.name, one.fallback))


def _attribute(name: str, fallback: str | None) -> Tree:
    value = call("arrayElement", column("attributes"), text(name))
    if fallback is None:
        return value
    return either(call("mapContains", column("attributes"), text(name)), value, text(fallback))


def _carries(attribute: Attribute) -> Tree:
    return call("mapContains", column("attributes"), text(attribute.name))


def _bin_start(node: Measure) -> Tree:
    if isinstance(node, CalendarMeasure) and node.calendar:
        return column("bin")
    start = call("multiply", column("bin"), unsigned(node.bin_ns))
    return call("toNullable", call("divide", start, number(1e9)))


def _pairs(node: Measure) -> list[tuple[str, str]]:
    """Return each state that an aggregate needs with its metric, once."""
    made = zip(node.aggregates, measures.functions_of(node), strict=True)
    return list(dict.fromkeys((state, one.metric) for one, function in made for state in function.states))


def _merged(pair: tuple[str, str], merge: Callable[[str, Tree], Tree], name: str) -> Tree:
    state, metric = pair
    is_it = call("equals", column("metric"), text(metric)) if metric else exp.true()
    return named(merge(state, is_it), name)


def _aggregate(node: Measure, aggregate: MetricAggregate, merged: Mapping[tuple[str, str], Tree]) -> Tree:
    def state(name: str) -> Tree:
        return column(merged[name, aggregate.metric].alias)

    finish = measures.function_of(aggregate.function, summarised=node.summarised).finish
    return named(finish(state, node.stdev_single), aggregate.column.name)


def catalogued(node: Catalogued) -> exp.Query:
    """Select when series were first seen, with the attributes that a `Measure` of them has."""
    by = node.measure.by
    if not node.measure.kinds:
        return nothing([*(a.column for a in by), node.first, *node.unknown])
    carries = [_carries(a) for a in by if a.fallback is None and a.name != METRIC]
    wanted = [
        one_of(column("metric"), [text(name) for name in node.measure.metrics]),
        exp.GTE(this=column("last_seen"), expression=unsigned(node.since)),
        *([node.measure.series] if node.measure.series is not None else []),
        *carries,
    ]
    first = call("toNullable", call("divide", call("toFloat64", column("first_seen")), number(1e9)))
    lacking = [named(NULL_NUMBER.tree.copy(), made.name) for made in node.unknown]
    shown = [named(_by_value(a), a.column.name) for a in by]
    return select(*shown, named(first, node.first.name), *lacking).from_("series").where(all_of(wanted))


def received(node: Received) -> exp.Query:
    """Select points as they came, with the attributes that are asked for."""
    columns = [node.time, node.metric, node.value, *(a.column for a in node.attributes)]
    if not node.metrics:
        return nothing(columns)
    # What is received is shown under each of its names.
    chosen = Selection(node.metrics, node.kinds, node.series, node.span, renamed=len(node.metrics) > 1)
    points = [
        named(call("toNullable", call("divide", column("time"), number(1e9))), node.time.name),
        named(call("toNullable", call("toString", exp.column("metric", table="points"))), node.metric.name),
        named(call("toNullable", column("value")), node.value.name),
    ]
    shown = [
        named(either(_carries(a), call("toNullable", _attribute(a.name, None)), null()), a.column.name)
        for a in node.attributes
    ]
    shown_by = [*_series_of_names("series_id", chosen), column("attributes")]
    catalog = select(*shown_by).from_("series").where(chosen.catalog())
    on = _same_series("points", "metric", chosen)
    query = select(*points, *shown).from_(table(as_received(chosen), "points"), copy=False)
    return query.join(table(catalog, "names"), on=on, join_type="inner", copy=False)
