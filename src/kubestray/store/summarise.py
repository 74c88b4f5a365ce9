"""Keeps summaries: hours as they end, hours that points came late to again, days of their hours.

A pass does what is due for one day at most, newest day first, so that it is bounded and can stop anywhere:
what is done is noted in the store, everything else is found again by the next pass. An hour's summary is the
states of its points, by group, counters as increases; a day's is its hours' merged. Of some metrics sketches
(`store.sketching`) are made with them: of the same hours, at the same time.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
from sqlglot import exp

from kubestray.store.coverage import DAY, HOUR, expired_days
from kubestray.store.groups import described
from kubestray.store.lateness import SETTLED_NS
from kubestray.store.measuring import Names, kinds_seen, runs, told
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.points import Span
from kubestray.store.sketching import Sketcher
from kubestray.store.store import Store
from kubestray.store.summaries import (
    columns,
    complete_days,
    hours_of_all,
    is_length,
    merged_day,
    noted,
    of_all,
    stale,
    states,
    touched_since,
)
from kubestray.store.trees import all_of, call, column, named, number, one_of, select, table, text, unsigned

logger = logging.getLogger(__name__)

_TABLES = ("summarised", "touched", "expired")
"""What has to change for something to become due, if no hour has ended."""


@dataclass(frozen=True, slots=True)
class Due:
    """Hours of one day that have to be summarised; the metrics that points came late to, or all.

    ``without`` are the attributes that groups do without: those of its first summary, if it has one.
    """

    hours: tuple[int, ...]
    metrics: tuple[str, ...] | None
    without: tuple[str, ...]


class Summariser:
    """Brings the summaries of a store up to date; ``without`` gives the attributes that groups do without.

    ``sketched`` gives the metrics that have sketches, by name or with ``*``. Both are asked when there is
    something to summarise, as finding out can take longer than all the rest.
    One at a time for a store: two would do the same work twice, but not wrongly.
    """

    def __init__(self, store: Store, without: Names, sketched: Names = ()) -> None:
        self._store = store
        self._asked_without = without
        self._sketcher = Sketcher(store, sketched)
        self._started = store.reached() // HOUR_NS
        self._filled: set[int] | None = None
        self._rested: Hashable | None = None

    @cached_property
    def _without(self) -> tuple[str, ...]:
        return told(self._asked_without)

    def backlog(self) -> list[Due]:
        """Return what is due, the newest day first."""
        busy = self._store.writing.hours()
        settled, expired = self._settled(), expired_days(self._query)
        done = {row["hour"]: tuple(row["without"]) for row in self._query(hours_of_all()).to_pylist()}
        whole = self._unsummarised(done, settled) - busy
        again: dict[int, set[str]] = defaultdict(set)
        for hour, metric in self._touched():
            if hour in busy or hour >= settled or hour // DAY in expired:
                continue
            if hour in done:
                again[hour].add(metric)
            else:
                whole.add(hour)
        for hour, metric in self._sketcher.undrawn(hour for hour in done if hour not in busy):
            if hour // DAY not in expired:
                again[hour].add(metric)
        days = sorted({hour // DAY for hour in (*whole, *again)}, reverse=True)
        return [self._due(day, whole, again, done) for day in days]

    def _due(
        self, day: int, whole: set[int], again: dict[int, set[str]], done: dict[int, tuple[str, ...]]
    ) -> Due:
        """Return what is due in a day: whole hours, or where there are none metrics that are due again."""
        fresh = tuple(sorted(hour for hour in whole if hour // DAY == day))
        if fresh:
            return Due(fresh, None, self._without)
        hours = sorted(hour for hour in again if hour // DAY == day)
        alike = tuple(hour for hour in hours if done[hour] == done[hours[0]])
        metrics = sorted({metric for hour in alike for metric in again[hour]})
        return Due(alike, tuple(metrics), done[hours[0]])

    def pass_once(self) -> int:
        """Do what is due for the newest day that has something due; return how many hours it was."""
        now = self._state()
        if now is not None and now == self._rested:
            return 0
        done = self._do(self.backlog(), most=1)
        self._rested = None if done else now
        return done

    def _state(self) -> Hashable | None:
        """Return a value that differs once something may have become due; None where nobody can know."""
        # Looked at before the work: what is written meanwhile makes the next value another one.
        changes = self._store.changes(_TABLES)
        return None if changes is None else (changes, self._settled(), self._store.writing.hours())

    def catch_up(self) -> int:
        """Do all that is due; return how many hours it was."""
        total = 0
        while done := self._do(self.backlog()):
            total += done
        return total

    def _do(self, backlog: list[Due], most: int | None = None) -> int:
        chosen = backlog[:most]
        for due in chosen:
            self._hours(due)
        self._days()
        hours = sum(len(due.hours) for due in chosen)
        if hours:
            logger.info("summarised %d hours; %d more days are due", hours, len(backlog) - len(chosen))
        return hours

    # --- what is due ------------------------------------------------------------------------------------

    def _settled(self) -> int:
        """Return the hour up to which, not including, hours can be summarised."""
        return max(0, self._store.reached() - SETTLED_NS) // HOUR_NS

    def _unsummarised(self, done: Collection[int], settled: int) -> set[int]:
        """Return the settled hours that are not done, of all days in which there are points or may be.

        Points that were on time are in hours that have ended since this process started, or in those that
        `_hours_with_points` finds; hours in which points came late are found by their notice.
        """
        if self._filled is None:
            self._filled = self._hours_with_points(settled)
        days = {hour // DAY for hour in (*self._filled, *range(self._started, settled))}
        return {d * DAY + n for d in days for n in range(DAY) if d * DAY + n < settled} - set(done)

    def _hours_with_points(self, settled: int) -> set[int]:
        """Return the settled hours with points after the last day that is summarised."""
        last = select(named(call("max", column("hour")), "last"), named(call("count"), "days"))
        found = self._query(last.from_("summarised").where(of_all(DAY))).to_pylist()[0]
        start = (found["last"] + DAY) * HOUR_NS if found["days"] else 0
        hour = call("intDiv", column("time"), unsigned(HOUR_NS))
        hours = select(named(hour, "hour")).distinct().from_("samples")
        return set(
            self._query(hours.where(Span(start, settled * HOUR_NS).holds(column("time"))))
            .column("hour")
            .to_pylist()
        )

    def _touched(self) -> list[tuple[int, str]]:
        """Return the hours and metrics to which points came since their summary began."""
        found = self._query(touched_since())
        return list(zip(found.column("hour").to_pylist(), found.column("metric").to_pylist(), strict=True))

    # --- hours ------------------------------------------------------------------------------------------

    def _hours(self, due: Due) -> None:
        began = self._store.stamp()
        if due.metrics is None:
            self._clear(due.hours)
        for first, end in runs(due.hours):
            kinds = kinds_seen(self._query, Span(first * HOUR_NS, end * HOUR_NS), due.metrics)
            if kinds:
                self._groups(kinds, due.without)
                self._store.fill("summaries", columns(), states(kinds, first, end, due.without, began))
        self._sketcher.draw(due.hours, due.metrics, due.without, began)
        self._store.record("summarised", noted(HOUR, due.hours, due.metrics, due.without, began))

    def _clear(self, hours: Sequence[int]) -> None:
        """Remove what a pass that was cut short left: its groups may have done without other attributes."""
        left = all_of([is_length(HOUR), one_of(column("hour"), map(number, hours))])
        for name in ("summaries", "sketches"):
            if self._query(select(column("hour")).from_(name).where(left.copy()).limit(1)).num_rows:
                self._store.delete(name, left.copy())

    def _groups(self, metrics: Iterable[str], without: Sequence[str]) -> None:
        """Describe the groups of all series of these metrics that are not described yet."""
        tree = described(without, one_of(column("metric"), map(text, metrics)))
        known = select(column("group_id")).from_("groups")
        fresh = exp.Not(this=exp.In(this=column("id"), query=exp.Subquery(this=known), is_global=True))
        new = select(exp.Star()).from_(table(tree, "described")).where(fresh)
        self._store.fill("groups", ["metric", "group_id", "kind", "attributes"], new)

    # --- days -------------------------------------------------------------------------------------------

    def _days(self) -> None:
        """Merge the hours of each day that is complete and up to date, and that is not merged since."""
        began = self._store.stamp()
        pending = {hour // DAY for hour, _ in self._touched()}
        for row in self._query(complete_days()).to_pylist():
            metrics = stale(row)
            if row["day"] in pending or metrics == ():
                continue
            first = row["day"] * DAY
            self._store.fill("summaries", columns(), merged_day(first, metrics, began))
            self._sketcher.merge_day(first, metrics, began)
            self._store.record("summarised", noted(DAY, [first], metrics, row["lacking"], began))

    def _query(self, tree: exp.Expr) -> pa.Table:
        return self._store.query(tree)
