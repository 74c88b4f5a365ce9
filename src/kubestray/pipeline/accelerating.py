"""Keeps the last statistics of searches over long times by the hour, so that these do not read points again.

Which searches: those of the enabled detections and the baselines that look further back than a day and can be
taken apart (`search.decompose`), unless the settings name them. A pass does a day of a search at most, the
newest first; what is done is noted in the store, everything else is found again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from kubestray.config import Config
from kubestray.detect.runner import Times, request_of, window_of
from kubestray.model.content import Content, Search
from kubestray.model.counted import counted
from kubestray.model.errors import KubestrayError, LimitExceeded, StoreError, UsageError
from kubestray.pipeline.setting_up import events_of, lookups_of, searching
from kubestray.search.acceleration import Acceleration
from kubestray.search.compile import compile_states
from kubestray.search.nearest import nearest
from kubestray.search.run import Request, acceleratable
from kubestray.store.accelerations import Units, columns, merge_day, note, up_to_date
from kubestray.store.coverage import DAY, HOUR, expired_days
from kubestray.store.measuring import runs
from kubestray.store.point_tables import DAY_NS, HOUR_NS
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.summaries import summarised_hours
from kubestray.store.trees import (
    all_of,
    call,
    column,
    named,
    number,
    one_of,
    select,
    table,
    text,
    unsigned,
)

logger = logging.getLogger(__name__)

_PLAN_EVERY = 3600.0  # seconds: new metrics or names can make other statistics of a search
_MOST_POINTS = 1_000_000
"""Points that one statement reads, more or less; an hour is the least."""

_LATER = 17 * DAY_NS + 1_000_000_007
"""How much later a search is planned too: statistics that then differ depend on the time."""

_TABLES = ("summarised", "touched", "expired", "accelerations")
"""What has to change for something to become due."""


@dataclass(frozen=True, slots=True)
class Due:
    """Hours of one day of which statistics have to be kept; without any, a day to merge of its hours."""

    acceleration: Acceleration
    day: int
    hours: tuple[int, ...]
    again: bool = False
    """Whether it was merged before."""


def check_accelerated(config: Config, content: Content) -> None:
    """Raise `UsageError` if the setting names a search that there is not."""
    known = (*content.detections, *content.baselines)
    for name in config["accelerated_searches"] or ():
        if name not in known:
            raise UsageError(
                f"accelerated_searches: there is no detection or baseline {name!r}; "
                f"{nearest(name, known) or 'kubestray content list shows all'}"
            )


class Accelerator:
    """Keeps the statistics of the searches of a content up to date. One at a time for a store."""

    def __init__(self, store: Store, config: Config, content: Content) -> None:
        self._store, self._config, self._content = store, config, content
        make = searching(config)
        self._naming = make("", 0, Span()).naming
        self._make = make
        self._known: list[Acceleration] = []
        self._planned: float | None = None
        self._rested: Hashable | None = None

    def pass_once(self) -> int:
        """Do what is due for a day of a search; return how many hours it was, a merged day counts as 1."""
        now = self._store.changes(_TABLES)
        if now is not None and now == self._rested and not self._is_time_to_plan_again():
            return 0
        failed: set[int] = set()
        for due in self._due():
            if due.acceleration.search in failed:
                continue
            try:
                return self._do(due)
            except (StoreError, LimitExceeded):
                # Points answer, as before; the others, and what expires, need not wait for it.
                logger.exception("the statistics of a search could not be kept; tried again in an hour")
                failed.add(due.acceleration.search)
                self._known = [one for one in self._known if one.search not in failed]
        self._rested = now
        return 0

    def catch_up(self) -> int:
        """Do all that is due; return how many hours it was."""
        total = 0
        while done := self.pass_once():
            total += done
        return total

    def backlog(self) -> list[Due]:
        """Return what is due, the newest days of each search first."""
        return list(self._due())

    # --- which searches ---------------------------------------------------------------------------------

    def accelerations(self) -> list[Acceleration]:
        """Return the statistics that are kept, each once."""
        if self._planned is None or self._is_time_to_plan_again():
            self._planned = time.monotonic()
            found = (one for search in self._searches() for one in self._of(search))
            self._known = list({one.search: one for one in found}.values())
        return self._known

    def _is_time_to_plan_again(self) -> bool:
        return self._planned is not None and time.monotonic() - self._planned >= _PLAN_EVERY

    def _searches(self) -> Iterable[Search]:
        names = self._config["accelerated_searches"]
        enabled = [d for d in self._content.detections.values() if d.enabled]
        every = (*enabled, *self._content.baselines.values())
        return [one for one in every if names is None or one.name in names]

    def _of(self, search: Search) -> list[Acceleration]:
        """Return the statistics of a search that look back further than a day, and do so at any time."""
        now = self._store.clock()
        if not self._may_look_back(search, now):
            return []
        try:
            found = self._planned_at(search, now)
            later = self._planned_at(search, now + _LATER) if found else []
        except KubestrayError:
            # What is wrong with a search is told when it runs, and by content check.
            logger.debug("%s cannot be accelerated", search.name, exc_info=True)
            return []
        same = {one.search for one in later}
        return [one for one in found if one.search in same and _length(one, now) > DAY_NS]

    def _may_look_back(self, search: Search, now: int) -> bool:
        """Tell whether a search may look back further than a day: planning takes longer than this."""
        if "earliest" in search.search.lower():
            return True
        first, last = window_of(self._content.schedule_of(search), Times(now), self._config["timezone"])
        return last - first > DAY_NS

    def _planned_at(self, search: Search, now: int) -> list[Acceleration]:
        lookups, events = lookups_of(self._store, self._content), events_of(self._store)

        def make(*given: object, **more: object) -> Request:
            return self._make(*given, lookups=lookups, events=events, **more)

        return acceleratable(request_of(search, self._content, Times(now), make), self._store.query)

    # --- what is due ------------------------------------------------------------------------------------

    def _due(self) -> Iterable[Due]:
        summarised = summarised_hours(self._store)
        if not summarised:
            return  # statistics are kept of such hours only, and planning all searches takes a while
        known = self.accelerations()
        if not known:
            return
        ready = summarised - self._store.writing.hours()
        gone = expired_days(self._store.query)
        for one in known:
            yield from self._of_one(one, ready, gone)

    def _of_one(self, one: Acceleration, ready: set[int], gone: frozenset[int]) -> Iterable[Due]:
        measure = one.parts.measure
        first = -(-measure.span.earliest // HOUR_NS)
        units = up_to_date(one.search, measure.metrics, Span(first * HOUR_NS), self._store.query)
        hours = {hour for hour in ready if hour >= first}
        fresh = {hour for length, hour in units.began if length == HOUR}
        lacking = {hour for hour in hours - fresh if hour // DAY not in gone}
        for day in sorted({hour // DAY for hour in lacking}, reverse=True):
            yield Due(one, day, tuple(sorted(hour for hour in lacking if hour // DAY == day)))
        for day in sorted({hour // DAY for hour in fresh}, reverse=True):
            if _unmerged(day, units):
                yield Due(one, day, (), again=day * DAY in units.stale_days)

    def _do(self, due: Due) -> int:
        search = due.acceleration.search
        if not due.hours:
            merge_day(self._store, search, due.day, again=due.again)
            return 1
        began = self._store.stamp()
        hours = due.hours[-self._at_once(due) :]
        spans = [Span(first * HOUR_NS, end * HOUR_NS) for first, end in runs(hours)]
        self._keep(due.acceleration, spans, began)
        note(self._store, search, HOUR, hours, began)
        logger.info("kept the statistics of %s for searches to come", counted(len(hours), "hour"))
        return len(hours)

    def _at_once(self, due: Due) -> int:
        """Return how many hours are read at once: the rows of their bins take memory."""
        day = Span(due.day * DAY_NS, (due.day + 1) * DAY_NS)
        named_so = one_of(column("metric"), map(text, due.acceleration.parts.measure.metrics))
        there = all_of([named_so, day.holds_stored(column("time"))])
        counted = select(named(call("count"), "points")).from_("samples").where(there)
        points = int(self._store.query(counted).column("points").to_pylist()[0])
        return max(1, min(DAY, DAY * _MOST_POINTS // max(1, points)))

    def _keep(self, one: Acceleration, spans: Sequence[Span], began: int) -> None:
        """Keep the states of each hour of some ranges."""
        states = compile_states(one.parts, spans)
        made = self._naming.applied(states, self._store.query)
        assert isinstance(made, exp.Query)
        head = [named(unsigned(one.search), "of"), named(call("toUInt8", number(HOUR)), "length")]
        shown = [column(name) for name in columns()[2:-1]]
        rows = select(*head, *shown, named(unsigned(began), "at")).from_(table(made, "states"))
        self._store.fill("accelerated", columns(), rows)


def _unmerged(day: int, units: Units) -> bool:
    """Tell whether a day's hours are all there, and it was not merged since the last of them."""
    hours = [units.began.get((HOUR, day * DAY + n)) for n in range(DAY)]
    known = [began for began in hours if began is not None]
    return len(known) == DAY and units.began.get((DAY, day * DAY), 0) <= max(known)


def _length(one: Acceleration, now: int) -> int:
    """Return how far back statistics look, in nanoseconds."""
    span = one.parts.measure.span
    return (now if span.latest is None else span.latest) - span.earliest
