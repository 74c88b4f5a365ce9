"""``timechart [span=TIME] AGGREGATE … [BY FIELD]`` makes a table over time for a chart.

One row a span of ``_time``, also for spans without rows (``cont=false`` leaves those out); one column a
value of the field. Without ``span`` it is the shortest of 1, 5, 10, 30 seconds, 1, 5, 10, 30 minutes,
1 hour, 1 day that makes at most 100 rows. ``limit``, ``useother`` and ``usenull`` are those of ``chart``.

Example::

    | timechart span=5m avg(tcp.bytes) BY source.workload.name
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.joining import join_first
from kubestray.search.pivot import Pivot, fields_of, pivoted, read_options, read_pivot
from kubestray.search.plan import Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.times import parse_duration
from kubestray.search.values import Shape, Value, as_number, choose, missing
from kubestray.store.trees import aggregate, call, number

_SPANS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 86400)
_ROWS = 100
_MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class TimeChart(Command):
    """The ``timechart`` command."""

    pivot: Pivot
    columns: str | None


def parse(cursor: Cursor, at: int) -> TimeChart:
    """Read the options, the aggregates and the field."""
    pivot = read_pivot(cursor)
    columns = fields_of(cursor, ("by",))
    read_options(cursor, pivot.options)
    return TimeChart(at, pivot, columns)


def plan(command: TimeChart, relation: Relation, context: Context) -> Relation:
    """Make the table."""
    time = relation.value("_time")
    if time is None:
        raise context.error(command.at, "timechart needs _time", "give mstats a span, for example span=1m")
    relation = relation.present_only(time)
    first, last = _extent(time, relation, context)
    size = _size(command, first, last, context)
    start = call("multiply", call("floor", call("divide", as_number(time), number(size))), number(size))
    key = Value(Shape.NUMBER, start)
    table, counts = pivoted(command.pivot, relation, ("_time", key), command.columns, context)
    if not command.pivot.flag("cont", True) or first is None or last is None:
        return table
    return _continued(table, counts, _bins(first, last, size, command, context), context)


def _extent(time: Value, relation: Relation, context: Context) -> tuple[float | None, float | None]:
    columns = [context.column(Shape.NUMBER) for _ in range(2)]
    ends = [aggregate(name, as_number(time)) for name in ("minOrNull", "maxOrNull")]
    node = Grouped(relation.node, (), tuple(zip(columns, ends, strict=True)))
    row = context.discover(Relation(node, dict(zip(("first", "last"), columns, strict=True))))[0]
    return row.get("first"), row.get("last")


def _size(command: TimeChart, first: float | None, last: float | None, context: Context) -> float:
    if "span" in command.pivot.options:
        duration = parse_duration(command.pivot.options["span"])
        if not duration:
            raise context.error(command.at, f"span={command.pivot.options['span']} is not a length of time")
        return duration / 1e9
    length = (last or 0) - (first or 0)
    return float(next((size for size in _SPANS if length / size < _ROWS), _SPANS[-1]))


def _bins(first: float, last: float, size: float, command: TimeChart, context: Context) -> list[float]:
    low, high = int(first // size), int(last // size)
    if high - low > _MOST_ROWS:
        raise context.error(command.at, f"this makes {high - low} rows", "take a longer span, or cont=false")
    return [index * size for index in range(low, high + 1)]


def _continued(table: Relation, counts: list[str], bins: list[float], context: Context) -> Relation:
    """Return a row for each bin; where nothing was counted there is a 0."""
    given: list[dict[str, Any]] = [{"_time": start} for start in bins]
    whole = given_relation(given, context)
    others = table.with_fields({name: c for name, c in table.fields.items() if name != "_time"})
    keys = [("_time", table.value("_time"))]
    joined = join_first(whole, others, keys, context, outer=True, overwrite=True)
    made = []
    for name in counts:
        value = joined.value(name)
        assert value
        zero = Value(Shape.NUMBER, call("toNullable", call("toFloat64", number(0))))
        filled = choose([(missing(value), zero)], value)
        made.append((name, context.column(filled.shape), filled.tree))
    return joined.extended(made)
