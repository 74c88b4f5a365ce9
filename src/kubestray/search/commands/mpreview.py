"""``mpreview [index=NAME] [filter="CLAUSE"] [CLAUSE] [target_per_timeseries=N]`` shows points as received.

One row a point: ``_time``, the metric's name and value both as ``metric_name`` and ``_value`` and, as
Splunk writes a metric event, as ``metric_name:NAME``; then the attributes. Counters show what was sent,
not their increases. All points are shown unless ``target_per_timeseries`` is given, then that many of
the newest of each series.

Example::

    | mpreview index=kubernetes_metrics filter="metric_name=tcp.*" earliest=-5m
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.clauses import clause
from kubestray.search.cursor import Cursor
from kubestray.search.plan import Attribute, Column, Limited, Order, Received
from kubestray.search.relation import Context, Relation
from kubestray.search.series import scope
from kubestray.search.syntax import Clause, Command, Junction, Place
from kubestray.search.values import NULL_NUMBER, Shape, Value, choose
from kubestray.store.trees import Tree, call, column, text

_OPTION = r"(target_per_timeseries|chunk_size)\s*=\s*(\d+)"
_FILTER = r"filter\s*=\s*\""
_MOST_COLUMNS = 1000


@dataclass(frozen=True, slots=True)
class MPreview(Command):
    """The ``mpreview`` command."""

    place: ClassVar = Place.FIRST

    clause: Clause | None
    per_series: int


def parse(cursor: Cursor, at: int) -> MPreview:
    """Read the clauses and the number of points."""
    clauses: list[Clause] = []
    per_series = 0
    while not cursor.at_end() and not cursor.looking_at("|") and not cursor.looking_at("]"):
        if found := cursor.match(_OPTION):
            per_series = int(found[2]) if found[1].lower() == "target_per_timeseries" else per_series
        elif cursor.match(_FILTER):
            clauses.append(clause(cursor, lambda inside: inside.looking_at('"')))
            cursor.expect('"', "to close the filter")
        else:
            clauses.append(clause(cursor, _stop))
    joined = clauses[0] if len(clauses) == 1 else Junction(at, "and", tuple(clauses))
    return MPreview(at, joined if clauses else None, per_series)


def _stop(cursor: Cursor) -> bool:
    start = cursor.skip()
    ends = cursor.match(_OPTION) or cursor.match(_FILTER)
    cursor.at = start
    return bool(ends)


def plan(command: MPreview, _: None, context: Context) -> Relation:
    """Show the points."""
    selected = scope(command.clause, context)
    context.note_expired(selected.span)
    known = context.catalog.metrics(["*"], selected.series, selected.span)
    names = context.catalog.attributes(known, selected.series, selected.span)
    if len(known) + len(names) > _MOST_COLUMNS:
        raise context.error(
            command.at,
            f"this shows {len(known)} metrics and {len(names)} attributes",
            "name fewer with filter=",
        )
    time, metric, value = (context.column(shape) for shape in (Shape.NUMBER, Shape.TEXT, Shape.NUMBER))
    attributes = tuple(Attribute(context.column(Shape.TEXT), name) for name in names)
    kinds = frozenset().union(*known.values())
    node = Received(tuple(known), kinds, selected.series, selected.span, time, metric, value, attributes)
    own = {"_time": time, "metric_name": metric, "_value": value}
    fields = {**own, **{a.name: a.column for a in attributes if a.name not in own}}
    shown = Relation(node, fields, (Order(time), Order(metric), *(Order(a.column) for a in attributes)))
    if command.per_series:
        newest = (Order(time, descending=True),)
        per = (metric, *(a.column for a in attributes))
        shown = shown.with_node(Limited(node, newest, command.per_series, per))
    return shown.extended([_named(name, metric, value, context) for name in known])


def _named(name: str, metric: Column, value: Column, context: Context) -> tuple[str, Column, Tree]:
    is_it = call("equals", column(metric.name), text(name))
    shown = choose([(is_it, value.value())], Value(Shape.NUMBER, NULL_NUMBER.tree))
    return f"metric_name:{name}", context.column(Shape.NUMBER), shown.tree
