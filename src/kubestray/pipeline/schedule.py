"""Runs the enabled detections on their schedules, and looks between runs, in a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pyarrow as pa
from sqlglot import exp

from kubestray.detect.scheduler import SECOND_NS, Patience, resume_point, watermark
from kubestray.model.content import Content
from kubestray.model.counted import Failures, counted
from kubestray.model.errors import KubestrayError, LimitExceeded
from kubestray.model.finding import UPDATED, Change
from kubestray.pipeline.agenda import Due, agenda, scheduled
from kubestray.pipeline.assessing import ASSESSED, Assessment
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.looking import Looking
from kubestray.pipeline.runs import Ran, Runs
from kubestray.risk.findings import Hit
from kubestray.store.store import Store
from kubestray.store.trees import call, column, named, select, unsigned

logger = logging.getLogger(__name__)

_PASS_EVERY = 0.2  # seconds; a pass in which nothing is due takes half a millisecond
LOOKED = "look:"
"""What stands before a search's id in the ledger of runs where a look gave rows, or failed."""
_LOOKS_BACK_NS = 15 * 60 * SECOND_NS
"""How far back looks are made up for; what is older is found by the runs that are made up for."""
_SET_BACK_NS = 3600 * SECOND_NS
"""By so much the schedule may be ahead of the clock; more, and somebody has set the clock back."""


class Scheduler:
    """Every enabled detection of a content, run when it is due.

    ``newest`` gives the time of the newest stored point (ns); ``changed`` is called when findings have
    changed; ``refresh`` before each look at what is due, and may switch detections on or off.
    """

    def __init__(
        self,
        store: Store,
        content: Content,
        detector: Detector,
        patience: Patience,
        newest: Callable[[], int],
        changed: Callable[[], None] = lambda: None,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._refresh = refresh
        self._store, self._content, self._detector = store, content, detector
        self._patience, self._newest, self._changed = patience, newest, changed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)
        self._runs = Runs(detector, content)
        self._assessing = ThreadPoolExecutor(1, thread_name_prefix="assessing")
        self._reached: dict[str, int] = {}
        self._looking = Looking(store, content, detector.make, detector.kept)
        self._looked: int | None = None
        self._set_back: int | None = None
        """What the clock showed at the last pass, from when it was set back."""
        self._assessment: Assessment | None = None
        self._failing: dict[str, Failures] = defaultdict(Failures)
        """How often searches failed in a row, by id."""

    def start(self) -> None:
        """Go on where the last server of this store left off."""
        self.resume(time.time_ns())
        self._thread.start()

    def resume(self, clock: int) -> None:
        """Find out how far the schedule had come, at this time of the clock (ns)."""
        last = last_runs(self._store, clock)
        self._assessment = None
        self._looked = max(last.get(ASSESSED, clock), clock - _LOOKS_BACK_NS)
        for search in scheduled(self._content):
            self._reached[search.id], lost = resume_point(last.get(search.id), clock, clock, self._patience)
            if lost:
                logger.warning(
                    "%s: %.0f s of missed runs are too old to make up for", search.name, lost / 1e9
                )

    def stop(self) -> None:
        """Stop after the run that is under way."""
        self._stopping.set()
        while self._thread.is_alive():
            self._store.engine.cancel_all()
            self._thread.join(timeout=0.2)
        self._runs.close()
        self._assessing.shutdown()

    def pass_once(self, clock: int, shown: Callable[[], int] | None = None) -> int:
        """Run everything that is due at this time of the clock (ns); return how many runs there were.

        All of them read at least what was there when the first one asked. ``shown`` gives what the clock
        shows meanwhile: a pass ends early when that is before what would run next, as it was set back.
        """
        with self._store.settled():
            return self._pass(clock, shown or (lambda: clock))

    def _follow(self, clock: int) -> None:
        """Go back with a clock that was set back: else nothing would be due until it is there again.

        It is waited for if that takes an hour at most: nothing is run twice then.
        """
        ahead = max([self._looked or 0, *self._reached.values()]) - clock
        if ahead > _SET_BACK_NS:
            logger.warning(
                "the clock went back by %s: detections go on from what had run by that time",
                counted(ahead // SECOND_NS, "second"),
            )
            self.resume(clock)
            self._set_back = clock
        elif self._set_back is not None:
            # It may have been right before: what ran by then is not run again.
            if clock - self._set_back > _SET_BACK_NS:
                self.resume(clock)
            self._set_back = clock

    def _pass(self, clock: int, shown: Callable[[], int]) -> int:
        self._follow(clock)
        until = watermark(self._newest(), clock, self._patience)
        ids = {search.id for search in scheduled(self._content)}
        # One that was switched off and is on again begins anew: what it slept through was not asked for.
        self._reached = {key: reached for key, reached in self._reached.items() if key in ids}
        looked = clock if self._looked is None else self._looked
        self._looked = looked
        looks = self._looking.due(looked, until) if until > looked else []
        pending = agenda(
            self._content,
            lambda search: self._reached.setdefault(search.id, clock),
            lambda delay: until - delay,
            self._patience,
            looks,
        )
        for place, due in pending:
            if self._stopping.is_set() or place > shown():
                break
            self._run_all(due, place)
            self._looked = max(looked, place)
        else:
            self._looked = max(looked, until)
        return sum(len(due) for _, due in pending)

    def _run_all(self, pending: list[Due], place: int) -> None:
        """Run what is due at a time, see to findings, and take note of it: all of it or, if stopped, none."""
        rows, hits, events = [], [], 0
        for ran in self._runs.of(pending, place):
            one, (count, error) = ran.due, _came(ran)
            if error and self._stopping.is_set():
                return  # cancelled because the server stops: it is due again when one starts
            self._tell(ran, error)
            if ran.run:
                hits += ran.run.hits
                events += len(ran.run.events)
            if one.told_since is None:
                rows.append((one.search.id, one.scheduled, count, error, ran.seconds))
            elif error or count:
                rows.append((LOOKED + one.search.id, one.scheduled, count, error, ran.seconds))
        began, changes = time.monotonic(), None
        if events or any(one.told_since is None for one in pending):
            changes = self._assessed(place, hits)
        if changes is not None:
            rows.append((ASSESSED, place, len(changes), "", time.monotonic() - began))
        self._store.record("runs", _run_rows(rows))
        self._reached |= {one.search.id: one.scheduled for one in pending if one.told_since is None}
        for change in changes or ():
            if change.change != UPDATED:
                logger.info("%s %s: %s", change.kind, change.change, change.document["title"])
        if changes:
            self._changed()

    def _tell(self, ran: Ran, error: str) -> None:
        """Log what came of a run; of one that fails at each of its looks not every time."""
        search, when = ran.due.search, ran.due.now // SECOND_NS
        failures = self._failing[search.id]
        if not error:
            if failed := failures.over():
                logger.info("%s goes on after %s", search.name, counted(failed, "failure"))
        elif failures.again():
            logger.error("%s at %d failed: %s", search.name, when, error, exc_info=ran.fault)
        if ran.run and ran.run.events:
            rows, events = len(ran.run.outcome.rows), len(ran.run.events)
            logger.info("%s: %s, %s", search.name, counted(rows, "row"), counted(events, "risk event"))

    def _assessed(self, when: int, hits: list[Hit]) -> list[Change] | None:
        """See to findings; None if there is a fault: the next time it goes on from what the store has."""
        future = self._assessing.submit(copy_context().run, lambda: self._findings(when).advance(when, hits))
        fault = future.exception()
        if fault is None:
            return future.result()
        self._assessment = None
        if isinstance(fault, KubestrayError) or not isinstance(fault, Exception):
            raise fault
        logger.error("findings at %d failed", when // SECOND_NS, exc_info=fault)
        return None

    def is_alive(self) -> bool:
        """Return whether the schedule goes on."""
        return self._thread.is_alive()

    def _findings(self, when: int) -> Assessment:
        """Return the findings from where they were left; in a store without, they begin just before."""
        if self._assessment is None:
            reached = last_runs(self._store, when).get(ASSESSED, when - 1)
            self._assessment = Assessment(self._store, self._content, reached, self._detector.explain)
        return self._assessment

    def _loop(self) -> None:
        failures = Failures()
        while not self._stopping.wait(_PASS_EVERY):
            try:
                self._refresh()
                self.pass_once(time.time_ns(), time.time_ns)
            except KubestrayError as error:
                # The store failed, or a stop cancelled what was searched for; what was due stays due.
                if self._stopping.is_set() and isinstance(error, LimitExceeded):
                    continue
                if failures.again():
                    logger.error("the scheduled pass failed and is tried again: %s", error)
            else:
                if failed := failures.over():
                    logger.info("the scheduled pass goes on after %s", counted(failed, "failure"))


def _came(ran: Ran) -> tuple[int, str]:
    """Return how many rows a run gave, and what went wrong."""
    if ran.fault is not None:
        return 0, f"{type(ran.fault).__name__}: {ran.fault}"
    assert ran.run
    return len(ran.run.outcome.rows), ran.run.outcome.error or ""


def last_runs(store: Store, until: int) -> dict[str, int]:
    """Return the scheduled time of each search's last run up to a time, in nanoseconds, by id.

    What ran later ran by a clock that was wrong.
    """
    tree: exp.Expr = (
        select(column("detection"), named(call("max", column("scheduled")), "last"))
        .from_("runs")
        .where(exp.LTE(this=column("scheduled"), expression=unsigned(until)), copy=False)
        .group_by(column("detection"))
    )
    return {row["detection"]: row["last"] for row in store.query(tree).to_pylist()}


def _run_rows(runs: Sequence[tuple[str, int, int, str, float]]) -> pa.Table:
    """Return rows of the ledger of runs: a search's id, for when, its rows, what went wrong, seconds."""
    return pa.table(
        {
            "detection": pa.array([identity for identity, *_ in runs], pa.string()),
            "scheduled": pa.array([when for _, when, *_ in runs], pa.uint64()),
            "finished": pa.array([time.time_ns()] * len(runs), pa.uint64()),
            "rows": pa.array([rows for _, _, rows, _, _ in runs], pa.uint64()),
            "error": pa.array([error for _, _, _, error, _ in runs], pa.string()),
            "seconds": pa.array([seconds for *_, seconds in runs], pa.float64()),
        }
    )
