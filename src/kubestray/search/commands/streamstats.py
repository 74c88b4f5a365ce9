"""``streamstats AGGREGATE … [BY FIELD …] [window=N] [current=false]`` adds running aggregates to each row.

A row's aggregate is over the rows of its group up to it: all of them, or of the last N rows with ``window=N``
those of its group; ``global=false`` takes the last N rows of each group instead. ``current=false`` leaves
the row itself out. ``time_window=5m`` takes the rows of the last five minutes, where the rows are in the
order of their time, upwards or downwards, and with ``window=N`` too at most the last N of them; a month is
30 days, a year 365. Without an aggregate nothing changes.

``reset_before=(CONDITION)`` and ``reset_after=(CONDITION)`` start anew with the row for which the condition
holds, or after it; ``reset_on_change=true`` where a BY field changes. All groups start anew then. The
condition of ``reset_before`` sees the rows as they were before this command, that of ``reset_after`` its
results too; if it uses them there may be 200 resets. ``allnum=true`` is that of ``stats``.

Example::

    | streamstats window=5 avg(count) AS recent BY host
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kubestray.search.aggregates import Style, aggregates, by_fields
from kubestray.search.cursor import Cursor
from kubestray.search.grouping import Wish, aggregated, partitioned
from kubestray.search.options import flag, read_options, whole
from kubestray.search.relation import Context, Relation
from kubestray.search.resets import Resets, names_in, one_by_one, read_condition, segments
from kubestray.search.spans import TimeSpan, parse_span
from kubestray.search.syntax import Aggregate, Command, Expression
from kubestray.search.timed import direction, within
from kubestray.search.values import NULL, Value, as_number, choose
from kubestray.search.windows import nearby
from kubestray.store.trees import Tree, call, windowed

_OPTIONS = ("window", "time_window")
_FLAGS = ("current", "global", "allnum", "reset_on_change")


@dataclass(frozen=True, slots=True)
class StreamStats(Command):
    """The ``streamstats`` command; ``window`` of 0 is all rows, ``seconds`` of 0 any time."""

    aggregates: tuple[Aggregate, ...]
    by: tuple[str, ...]
    window: int
    seconds: float
    current: bool
    across: bool
    all_numeric: bool
    resets: Resets


def parse(cursor: Cursor, at: int) -> StreamStats:
    """Read the options, the aggregates and the BY fields."""
    options: dict[str, str] = {}
    conditions: dict[str, Expression] = {}

    def read(cursor: Cursor) -> bool:
        if found := cursor.match(r"(reset_before|reset_after)\s*=\s*"):
            conditions[found[1].lower()] = read_condition(cursor)
            return True
        return read_options(cursor, _OPTIONS, options, _FLAGS)

    while read(cursor):
        pass
    bare = (options or conditions) and (cursor.at_end() or cursor.looking_at("|") or cursor.looking_at("]"))
    found = () if bare else aggregates(cursor, Style(implied=True))
    by = by_fields(cursor, read)
    return StreamStats(
        at,
        found,
        by,
        whole(cursor, options, "window", 0),
        _seconds(cursor, options),
        flag(options, "current", True),
        flag(options, "global", True) and bool(by),
        flag(options, "allnum", False),
        Resets(
            conditions.get("reset_before"),
            conditions.get("reset_after"),
            flag(options, "reset_on_change", False),
        ),
    )


def _seconds(cursor: Cursor, options: dict[str, str]) -> float:
    if "time_window" not in options:
        return 0.0
    span = parse_span(options["time_window"])
    if not isinstance(span, TimeSpan):
        raise cursor.error(f"time_window={options['time_window']} is not a length of time")
    return span.nominal


def plan(command: StreamStats, relation: Relation, context: Context) -> Relation:
    """Add the running aggregates as fields."""
    if not command.aggregates:
        return relation
    relation, place = relation.ranked(context)
    resets, after = command.resets, command.resets.after
    wish = Wish(command.by, command.all_numeric, windowed=True)
    results = {one.name for one in aggregated(command.aggregates, relation, context, wish)[1]}
    if after is None or not names_in(after) & results:
        relation, segment = segments(resets, command.by, relation, context)
        return _running(command, relation, segment, context)
    relation, segment = segments(replace(resets, after=None), command.by, relation, context)

    def running(more: list[Tree]) -> Relation:
        return _running(command, relation, [*segment, *more], context)

    return one_by_one(after, running, place, context, command.at)


def _running(command: StreamStats, relation: Relation, segment: list[Tree], context: Context) -> Relation:
    """Add the running aggregates within each segment."""
    wish = Wish(command.by, command.all_numeric, windowed=True)
    relation, found = aggregated(command.aggregates, relation, context, wish)
    groups, grouped = partitioned(relation, command.by)
    over = _frame(command, [*groups, *(tree.copy() for tree in segment)], relation, context)
    made = []
    for one in found:
        running = Value(one.value.shape, over(one.value.tree))
        if command.by:
            running = choose([(grouped.copy(), running)], relation.value(one.name) or NULL)
        made.append((one.name, context.column(running.shape), running.tree))
    return relation.extended(made)


def _frame(
    command: StreamStats, partition: list[Tree], relation: Relation, context: Context
) -> Callable[[Tree], Tree]:
    """Return what takes aggregates over the right rows."""
    (place,) = (order.column.value() for order in relation.order)
    if command.seconds:
        time = relation.value("_time")
        if time is None:
            raise context.error(command.at, "time_window needs _time")
        sign = direction(time, place, relation, context)
        return lambda tree: within(
            tree,
            partition=partition,
            time=as_number(time),
            place=place.tree,
            seconds=command.seconds,
            sign=sign,
            current=command.current,
            rows=command.window,
            across=command.across,
        )
    if command.window and command.across:
        whole_place = call("toInt64", call("assumeNotNull", place.tree))
        before = command.window - command.current
        return lambda tree: nearby(
            tree, partition=partition, place=whole_place, before=before, current=command.current
        )
    terms = [order.term() for order in relation.order]
    return lambda tree: windowed(
        tree, partition=partition, terms=terms, rows=command.window, current=command.current
    )
