"""``timechart [span=TIME] AGGREGATE … [BY FIELD]`` makes a table over time for a chart.

One row a span of ``_time``, also for spans without rows (``cont=false`` leaves those out); one column a
value of the field. Spans are those of ``bin`` (``span=5m``, ``1mon``, ``1w@w1``, ``aligntime``). Without
``span`` it is the shortest of 1, 5, 10, 30 seconds, 1, 5, 10, 30 minutes, 1 hour, 1 day, 1 month that makes
at most ``bins=N`` (100) rows, and at least ``minspan``. A length of time after BY is a span of rows too.

The rows reach over the range of the search where it has one, else, and with ``fixedrange=false``, from the
first row to the last; ``partial=false`` leaves out a first and a last span that the range cuts. The options
for columns are those of ``chart``. ``per_second(x)``, ``per_minute(x)``, ``per_hour(x)`` and ``per_day(x)``
are the sum for each second, minute, hour or day of a span.

Example::

    | timechart span=5m avg(tcp.bytes) BY source.workload.name
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.binning import (
    TIME,
    aligned,
    extent_of_times,
    least,
    number_of_bins,
    written_span,
)
from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.grouping import Wish
from kubestray.search.joining import join_first
from kubestray.search.pivot import Table, filled, pivoted, shown
from kubestray.search.pivot_syntax import Axis, Pivot, Reader
from kubestray.search.plan import Filter, Node, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.spans import TimeSpan, automatic_time, parse_span
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, as_number
from kubestray.store.points import Span
from kubestray.store.trees import aggregate, all_of, call, column, number

_BINS = 100
_MOST_ROWS = 100_000
_LAST = 1e-6
"""A range ends before its end."""


@dataclass(frozen=True, slots=True)
class TimeChart(Command):
    """The ``timechart`` command."""

    pivot: Pivot
    bins: dict[str, str]


@dataclass(frozen=True, slots=True)
class Grid:
    """The bins of time: their length, where the first and the last start, and the range of the search."""

    span: TimeSpan
    first: float
    last: float
    searched: tuple[float, float] | None


def parse(cursor: Cursor, at: int) -> TimeChart:
    """Read the options, the aggregates and the field."""
    reader = Reader(cursor)
    bins: dict[str, str] = {}
    reader.read_options(bins)
    reader.read_aggregates()
    reader.read_options(bins)
    columns = None
    if cursor.keyword("by"):
        columns = _columns(reader.axis("after BY"), bins)
        reader.read_choice(columns)
        reader.read_options(bins)
    return TimeChart(at, reader.pivot(columns), bins)


def _columns(axis: Axis, bins: dict[str, str]) -> Axis:
    """Return the field of columns; lengths of time that stand behind it are meant for the rows."""
    own = dict(axis.bins)
    for name in ("span", "minspan", "aligntime"):
        if name in own and (name == "aligntime" or isinstance(parse_span(own[name]), TimeSpan)):
            bins[name] = own.pop(name)
    return Axis(axis.field, own)


def plan(command: TimeChart, relation: Relation, context: Context) -> Relation:
    """Make the table."""
    time = relation.value(TIME)
    if not relation.fields:
        return given_relation([], context, [TIME])
    if time is None:
        raise context.error(command.at, "timechart needs _time", "give mstats a span, for example span=1m")
    relation = relation.with_node(Filter(relation.node, call("isNotNull", as_number(time))))
    grid = _grid(command, relation, context)
    key = context.column(Shape.NUMBER)
    span = grid.span if grid else TimeSpan(1.0)
    relation = relation.computed([(key, span.start(as_number(time)))])
    seconds = span.length(key.value().tree)
    wish = Wish((TIME,), seconds=aggregate("any", seconds) if span.calendar else seconds)
    table = pivoted(command.pivot, relation, [key], context, command.at, wish)
    result = shown(table, TIME, table.keys[0])
    result = Relation(result.node, result.fields, (Order(table.keys[0]),))
    if grid is None:
        return result
    if command.pivot.flag("cont", True):
        result = _continued(command, table, result, grid, context)
    return result if command.pivot.flag("partial", True) else _whole(result, grid)


def _grid(command: TimeChart, relation: Relation, context: Context) -> Grid | None:
    """Return the bins; None without rows."""
    time = relation.value(TIME)
    assert time
    first, last = extent_of_times(as_number(time), relation, context)
    if first is None or last is None:
        return None
    searched = _searched(relation.node, context) if command.pivot.flag("fixedrange", True) else None
    if searched and not (searched[0] <= first and last < searched[1]):
        searched = None
    if searched:
        first, last = searched[0], searched[1] - _LAST
    span = _span(command, first, last, context)
    return Grid(span, span.floor(first), span.floor(last), searched)


def _span(command: TimeChart, first: float, last: float, context: Context) -> TimeSpan:
    options, at = command.bins, command.at
    if "span" in options:
        found = written_span(TIME, options, context, at)
    else:
        bins = number_of_bins(options, _BINS, context, at)
        found = automatic_time(first, last, bins, least(options, context, at), context.timezone)
    found = aligned(found, options, context, at)
    assert isinstance(found, TimeSpan)
    return found


def _searched(node: Node, context: Context) -> tuple[float, float] | None:
    """Return the range in seconds that all rows come from; None if there is none, or no one range.

    Rows that have no range of their own, such as those of a lookup, leave it to the others; if there are
    only such rows it is that of the search.
    """
    sources = [node]
    spans: set[Span] = set()
    while sources:
        one = sources.pop()
        sources += one.inputs
        if (own := getattr(one, "span", None)) is not None:
            spans.add(own)
    if len(spans) > 1:
        return None
    span = spans.pop() if spans else context.span
    latest = context.now if span.latest is None else span.latest
    return (span.earliest / 1e9, latest / 1e9) if 0 < span.earliest < latest else None


def _continued(command: TimeChart, table: Table, result: Relation, grid: Grid, context: Context) -> Relation:
    """Return a row for each bin; where nothing was counted there is a 0."""
    count = grid.span.count(grid.first, grid.last)
    if count > _MOST_ROWS:
        raise context.error(command.at, f"this makes {count} rows", "take a longer span, or cont=false")
    whole = given_relation([{TIME: start} for start in grid.span.starts(grid.first, grid.last)], context)
    cells = result.with_fields({cell.name: cell.column for cell in table.cells})
    joined = join_first(whole, cells, [(TIME, result.value(TIME))], context, outer=True, overwrite=True)
    return filled(table, joined, context)


def _whole(result: Relation, grid: Grid) -> Relation:
    """Return the rows without a first and a last bin that the range of the search cuts."""
    if grid.searched is None:
        return result
    earliest, latest = grid.searched
    time = result.fields[TIME]
    wanted = []
    if grid.first < earliest:
        wanted.append(call("notEquals", column(time.name), number(grid.first)))
    if grid.span.after(grid.last) > latest:
        wanted.append(call("notEquals", column(time.name), number(grid.last)))
    return result.with_node(Filter(result.node, all_of(wanted))) if wanted else result
