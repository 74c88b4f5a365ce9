"""``mstats AGGREGATE [AS NAME] … [WHERE CLAUSE] [BY ATTRIBUTE …] [span=TIME]`` aggregates metric points.

The argument of an aggregate is a metric's name; with ``*`` it is every metric that matches, and then
the name after AS needs the same stars; ``_value`` is all metrics that ``metric_name`` in the clause
names. Points are taken one by one, over all their series: a mean is a mean of points. Counters count
with their increases. A point that lacks a BY attribute is in no row, unless ``fillnull_value=TEXT``
names a stand-in; ``metric_name`` in BY is the metric. ``span=10s`` makes one row for each 10 seconds that
hold a point, with ``_time`` the start of the bin; without it there is no ``_time``. ``every=1m`` with it
takes the first such bin of each minute. ``earliest`` and ``latest`` in the clause replace the time range of
the search; the range holds its start and not its end. The rows are ordered by time and then by the
attributes.

Aggregates: avg and mean, count, dc, sum, min, max, range, stdev, stdevp, var, varp, sumsq, median and the
percentiles of ``stats``, earliest, latest, earliest_time, latest_time. ``rate`` is the increase
for each second between the first point and the last; ``rate_avg`` and ``rate_sum`` are the mean and the sum
of the rates of the series, each counted from its last point before the bin.

Percentiles are exact where points are read: for ``exactperc`` always, and for the others unless whole hours
hold more than a million points in question, or points that have expired, and the metric has sketches of these
(the setting ``percentile_metrics``). From sketches each of the numbers that a percentile is made of is within
0.8 % of the exact one, and whole numbers up to 128 are exact; a note with the result says so. Of more than
1,000 different values Splunk's ``perc`` is within one percent of the rank; here it is exact, or of sketches.

``chart=true`` makes a table as ``timechart`` does (with a span, and at most one attribute for columns) or as
``chart`` does (one attribute for rows, another for columns), with ``chart.limit``, ``chart.agg``,
``chart.useother``, ``chart.otherstr``, ``chart.usenull`` and ``chart.nullstr``. ``prestats`` and ``append``
are not supported, nor what is for real-time searches; ``chunk_size`` changes nothing.

Example::

    | mstats avg(tcp.*) AS tcp.* WHERE index=* earliest=-1h BY source.workload.name span=10s
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

from kubestray.model.metric import Kind
from kubestray.search.aggregates import aggregates
from kubestray.search.clauses import clause
from kubestray.search.cursor import Cursor, nearest
from kubestray.search.measures import MEASURES, CalendarMeasure, find, named_for
from kubestray.search.metric_chart import CHART_OPTIONS, MetricChart, charted, read_chart
from kubestray.search.plan import Attribute, Column, Filter, Measure, MetricAggregate, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.series import Scope, scope
from kubestray.search.sources import nearly
from kubestray.search.spans import NumberSpan, TimeSpan, automatic_time, parse_span
from kubestray.search.syntax import Aggregate, Clause, Command, Place
from kubestray.search.times import SECOND_NS
from kubestray.search.trace import Leaf
from kubestray.search.values import Shape
from kubestray.search.wildcards import fill, parts
from kubestray.search.zones import UTC
from kubestray.store.trees import call, column, number

_VALUE = "_value"
_NAMES = rf"span|every|fillnull_value|chunk_size|prestats|append|chart|{CHART_OPTIONS}"
_OPTION = rf"({_NAMES})\s*=\s*(\"[^\"]*\"|[^\s,|\]]+)"
_LACKING = r"(backfill|update_period)\s*="
_TRUE = ("true", "t", "1")
_BINS = 100


@dataclass(frozen=True, slots=True)
class MStats(Command):
    """The ``mstats`` command; ``span`` and ``every`` are as written."""

    place: ClassVar = Place.FIRST

    aggregates: tuple[Aggregate, ...]
    clause: Clause | None
    by: tuple[str, ...]
    span: str | None
    every: str | None
    fallback: str | None
    chart: MetricChart | None


def parse(cursor: Cursor, at: int) -> MStats:
    """Read the aggregates, the clause, the attributes and the options; the last three in any order."""
    options: dict[str, str] = {}
    _options(cursor, options)
    found = aggregates(cursor)
    condition: Clause | None = None
    by: list[str] = []
    while True:
        _options(cursor, options)
        if cursor.keyword("where"):
            condition = clause(cursor, _stop)
        elif cursor.keyword("by", "groupby"):
            _by(cursor, by)
        else:
            break
    return MStats(
        at,
        found,
        condition,
        tuple(by),
        options.get("span"),
        options.get("every"),
        options.get("fillnull_value"),
        read_chart(cursor, options) if options.get("chart", "f").lower() in _TRUE else None,
    )


def _options(cursor: Cursor, options: dict[str, str]) -> None:
    while found := cursor.match(_OPTION):
        name = found[1].lower()
        options[name] = found[2].strip('"')
        if name in ("prestats", "append") and options[name].lower() in _TRUE:
            raise cursor.error(
                f"mstats option {name!r} is known in SPL but not supported here",
                hint="write the aggregates in mstats itself, and | append [ | mstats … ]",
            )
    if lacking := cursor.match(_LACKING):
        raise cursor.error(f"mstats option {lacking[1]!r} is known in SPL but not supported here")


def _stop(cursor: Cursor) -> bool:
    start = cursor.skip()
    ends = cursor.match(_OPTION) or cursor.match(_LACKING) or cursor.keyword("by", "groupby")
    cursor.at = start
    return bool(ends)


def _by(cursor: Cursor, by: list[str]) -> None:
    while cursor.at_field() and not (_stop(cursor) or cursor.peek_word() == "where"):
        at = cursor.skip()
        name = cursor.field("after BY")
        if "*" in name:
            raise cursor.error("BY takes no wildcards in mstats", at)
        if name in ("_timeseries", "_time", _VALUE):
            raise cursor.error(f"mstats BY {name} is not supported here", at)
        if name not in by:
            by.append(name)
        cursor.take(",")
    if not by:
        raise cursor.error(f"expected an attribute after BY, found {cursor.found()}")


def plan(command: MStats, _: None, context: Context) -> Relation:
    """Aggregate the points."""
    selected = scope(command.clause, context)
    wanted = _wanted(command, selected, context)
    measured, known, fields = _expanded(command, selected, wanted, context)
    span = _span(command, selected, context)
    if command.chart:
        node = _node(command, selected, measured, known, wanted, span, context)
        return charted(command.chart, node, fields, context, command.at)
    node = _node(command, selected, measured, known, wanted, span, context)
    time = {"_time": node.bin} if node.bin else {}
    keys = {**time, **{attribute.name: attribute.column for attribute in node.by}}
    order = tuple(Order(column) for column in keys.values())
    relation = Relation(node, {**keys, **fields}, order)
    return _every(command, span, relation, context)


def _node(
    command: MStats,
    selected: Scope,
    measured: tuple[MetricAggregate, ...],
    known: dict[str, frozenset[Kind]],
    wanted: tuple[str, ...],
    span: TimeSpan | None,
    context: Context,
) -> Measure:
    """Return the step that reads the points."""
    kinds = frozenset[Kind]().union(*known.values())
    bin_column = context.column(Shape.NUMBER) if span else None
    by = tuple(Attribute(context.column(Shape.TEXT), name, command.fallback) for name in command.by)
    single = 0.0 if context.switches.stdev_single == "0" else None
    fixed = _fixed_ns(span, context) if span else 0
    measure = CalendarMeasure(
        measured,
        tuple(known),
        kinds,
        by,
        selected.series,
        selected.span,
        bin_column,
        fixed,
        single,
        calendar=None if fixed else span,
    )
    catalog = context.catalog
    measure = dataclasses.replace(measure, narrow=catalog.narrows(measure), renamed=catalog.renames(measure))
    context.trace.leaves.append(Leaf(selected.ranged, wanted, selected.series, known, measure))
    sources = catalog.sources(measure)
    context.note_expired(measure.span, sources, counters=measure.counters)
    measure = dataclasses.replace(measure, sources=sources)
    if told := nearly(measure):
        context.note(told)
    return measure


def _fixed_ns(span: TimeSpan, context: Context) -> int:
    """Return how long all bins are, in nanoseconds; 0 if they differ, or do not start with the epoch."""
    if span.months or span.align or (span.days and context.timezone != UTC):
        return 0
    return round(span.about * SECOND_NS)


def _span(command: MStats, selected: Scope, context: Context) -> TimeSpan | None:
    if command.span is None:
        return None
    if command.span.lower() == "auto":
        return _automatic(command, selected, context)
    found = parse_span(command.span, context.timezone)
    if isinstance(found, NumberSpan):
        found = TimeSpan(float(found.size))
    if not isinstance(found, TimeSpan):
        raise context.error(
            command.at, f"span={command.span} is not a length of time", "write span=10s, 5m, 1h or 1d"
        )
    return found


def _automatic(command: MStats, selected: Scope, context: Context) -> TimeSpan:
    """Return the shortest usual length of time that cuts the range of the search in at most 100."""
    latest = context.now if selected.span.latest is None else selected.span.latest
    if not 0 < selected.span.earliest < latest:
        raise context.error(command.at, "span=auto needs a time range", "write earliest=-1h, or span=1m")
    first, last = (time / SECOND_NS for time in (selected.span.earliest, latest))
    return automatic_time(first, last, _BINS, 0.0, context.timezone)


def _every(command: MStats, span: TimeSpan | None, relation: Relation, context: Context) -> Relation:
    """Return the first bin of each so long a time."""
    if command.every is None:
        return relation
    found = parse_span(command.every)
    if isinstance(found, NumberSpan):
        found = TimeSpan(float(found.size))
    if span is None or span.calendar or not isinstance(found, TimeSpan):
        raise context.error(command.at, "every needs a span of hours or less", "write span=10s every=1m")
    length = found.nominal  # as documented, a month is 30 days here, and a year 365
    if not math.isclose(length % span.seconds, 0, abs_tol=1e-9) or length < span.seconds:
        raise context.error(command.at, f"every={command.every} is no multiple of span={command.span}")
    micros = call(
        "toInt64", call("round", call("multiply", column(relation.fields["_time"].name), number(1e6)))
    )
    first = call("equals", call("modulo", micros, number(round(length * 1e6))), number(0))
    return relation.with_node(Filter(relation.node, first))


def _wanted(command: MStats, selected: Scope, context: Context) -> tuple[str, ...]:
    """Return the metrics that the aggregates are of, with their wildcards."""
    patterns = (_metric(aggregate, context) for aggregate in command.aggregates)
    return tuple(name for p in patterns for name in (selected.metrics if p == _VALUE else (p,)))


def _expanded(
    command: MStats, selected: Scope, wanted: tuple[str, ...], context: Context
) -> tuple[tuple[MetricAggregate, ...], dict[str, frozenset[Kind]], dict[str, Column]]:
    """Return one aggregate for each metric that a pattern matches, the metrics to read, and the fields."""
    patterns = [_metric(aggregate, context) for aggregate in command.aggregates]
    known = context.catalog.metrics(wanted, selected.series, selected.span)
    measured: list[MetricAggregate] = []
    fields: dict[str, Column] = {}
    done: set[tuple[str, str]] = set()
    for aggregate, pattern in zip(command.aggregates, patterns, strict=True):
        for metric in _matching(pattern, known):
            name = _result_name(aggregate, pattern, metric)
            if (aggregate.function, metric) in done and context.switches.duplicate_alias == "first":
                continue
            done.add((aggregate.function, metric))
            fields[name] = context.column(Shape.NUMBER)
            kinds = known.get(metric) or frozenset[Kind]().union(*known.values())
            measured.append(MetricAggregate(fields[name], named_for(aggregate.function, kinds), metric))
    kept = {column.number for column in fields.values()}
    return tuple(m for m in measured if m.column.number in kept), known, fields


def _metric(aggregate: Aggregate, context: Context) -> str:
    if find(aggregate.function) is None:
        raise context.error(
            aggregate.at,
            f"unknown aggregate {aggregate.function}() of metrics",
            nearest(aggregate.function, MEASURES) or "mstats knows " + ", ".join(MEASURES),
        )
    if aggregate.argument is None and aggregate.function in ("count", "c"):
        return _VALUE
    if not isinstance(aggregate.argument, str):
        raise context.error(
            aggregate.at, f"{aggregate.function}() needs a metric", "for example avg(tcp.bytes)"
        )
    stars = aggregate.argument.count("*")
    if stars and aggregate.name.count("*") != stars:
        raise context.error(
            aggregate.at, f"the name after AS needs the same wildcards as {aggregate.argument!r}"
        )
    return aggregate.argument


def _matching(pattern: str, known: dict[str, frozenset[Kind]]) -> list[str]:
    if pattern == _VALUE:
        return [""]
    return [pattern] if "*" not in pattern else [name for name in known if parts(pattern, name) is not None]


def _result_name(aggregate: Aggregate, pattern: str, metric: str) -> str:
    return fill(aggregate.name, parts(pattern, metric) or ()) if "*" in pattern else aggregate.name
