"""``mstats AGGREGATE [AS NAME] … [WHERE CLAUSE] [BY ATTRIBUTE …] [span=TIME]`` aggregates metric points.

The argument of an aggregate is a metric's name; with ``*`` it is every metric that matches, and then
the name after AS needs the same stars; ``_value`` is all metrics that ``metric_name`` in the clause
names. Points are taken one by one, over all their series: a mean is a mean of points. Counters count
with their increases. A point that lacks a BY attribute is in no row, unless ``fillnull_value=TEXT``
names a stand-in. ``span=10s`` makes one row for each 10 seconds that hold
a point, with ``_time`` the start of the bin; without it there is no ``_time``. ``earliest`` and ``latest``
in the clause replace the time range of the search; the range holds its start and not its end.
The rows are ordered by time and then by the attributes.

Aggregates: avg, count, sum, min, max, range, stdev, stdevp, var, varp, sumsq, earliest, latest.

Example::

    | mstats avg(tcp.*) AS tcp.* WHERE index=* earliest=-1h BY source.workload.name span=10s
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.model.metric import Kind
from kubestray.search.aggregates import aggregates
from kubestray.search.clauses import clause
from kubestray.search.cursor import Cursor, nearest
from kubestray.search.measures import MEASURES
from kubestray.search.plan import Attribute, Column, Measure, MetricAggregate, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.series import Scope, scope
from kubestray.search.syntax import Aggregate, Clause, Command, Place
from kubestray.search.times import parse_duration
from kubestray.search.values import Shape
from kubestray.search.wildcards import fill, parts

_VALUE = "_value"
_OPTION = r"(span|fillnull_value)\s*=\s*(\"[^\"]*\"|[^\s,|\]]+)"
_LACKING = r"(prestats|append|backfill|update_period|every|chart)\s*="


@dataclass(frozen=True, slots=True)
class MStats(Command):
    """The ``mstats`` command."""

    place: ClassVar = Place.FIRST

    aggregates: tuple[Aggregate, ...]
    clause: Clause | None
    by: tuple[str, ...]
    span_ns: int
    fallback: str | None


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
            return MStats(
                at, found, condition, tuple(by), _span(cursor, options), options.get("fillnull_value")
            )


def _options(cursor: Cursor, options: dict[str, str]) -> None:
    while found := cursor.match(_OPTION):
        options[found[1].lower()] = found[2].strip('"')
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
        if name not in by:
            by.append(name)
        cursor.take(",")
    if not by:
        raise cursor.error(f"expected an attribute after BY, found {cursor.found()}")


def _span(cursor: Cursor, options: dict[str, str]) -> int:
    if "span" not in options:
        return 0
    duration = parse_duration(options["span"])
    if not duration:
        raise cursor.error(
            f"span={options['span']} is not a length of time", hint="write span=10s, 5m, 1h or 1d"
        )
    return duration


def plan(command: MStats, _: None, context: Context) -> Relation:
    """Aggregate the points."""
    selected = scope(command.clause, context)
    measured, known, fields = _expanded(command, selected, context)
    kinds = frozenset[Kind]().union(*known.values())
    bin_column = context.column(Shape.NUMBER) if command.span_ns else None
    by = tuple(Attribute(context.column(Shape.TEXT), name, command.fallback) for name in command.by)
    single = 0.0 if context.switches.stdev_single == "0" else None
    node = Measure(
        measured, tuple(known), kinds, by, selected.series, selected.span, bin_column, command.span_ns, single
    )
    time = {"_time": bin_column} if bin_column else {}
    keys = {**time, **{attribute.name: attribute.column for attribute in by}}
    return Relation(node, {**keys, **fields}, tuple(Order(column) for column in keys.values()))


def _expanded(
    command: MStats, selected: Scope, context: Context
) -> tuple[tuple[MetricAggregate, ...], dict[str, frozenset[Kind]], dict[str, Column]]:
    """Return one aggregate for each metric that a pattern matches, the metrics to read, and the fields."""
    patterns = [_metric(aggregate, context) for aggregate in command.aggregates]
    wanted = [name for p in patterns for name in (selected.metrics if p == _VALUE else (p,))]
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
            measured.append(MetricAggregate(fields[name], aggregate.function, metric))
    kept = {column.number for column in fields.values()}
    return tuple(m for m in measured if m.column.number in kept), known, fields


def _metric(aggregate: Aggregate, context: Context) -> str:
    if aggregate.function not in MEASURES:
        raise context.error(
            aggregate.at,
            f"unknown aggregate {aggregate.function}() of metrics",
            nearest(aggregate.function, MEASURES) or "mstats knows " + ", ".join(MEASURES),
        )
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
