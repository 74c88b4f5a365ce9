"""Runs the enabled detections on their schedules, in a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from sqlglot import exp

from kubestray.detect.runner import Times
from kubestray.detect.scheduler import SECOND_NS, Patience, due, resume_point, watermark
from kubestray.model.content import Content, Detection, Search
from kubestray.model.errors import KubestrayError
from kubestray.model.finding import UPDATED, Change
from kubestray.pipeline.assessing import ASSESSED, Assessment, is_rule
from kubestray.pipeline.detecting import Detector
from kubestray.risk.findings import Hit
from kubestray.store.store import Store
from kubestray.store.trees import call, column, named, select

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0  # seconds


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
        self._runner = ThreadPoolExecutor(1, thread_name_prefix="detection")
        self._reached: dict[str, int] = {}
        self._assessment: Assessment | None = None

    def start(self) -> None:
        """Go on where the last server of this store left off."""
        self.resume(time.time_ns())
        self._thread.start()

    def resume(self, clock: int) -> None:
        """Find out how far the schedule had come, at this time of the clock (ns)."""
        last = last_runs(self._store)
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
        self._runner.shutdown()

    def pass_once(self, clock: int) -> int:
        """Run everything that is due at this time of the clock (ns); return how many runs there were."""
        until = watermark(self._newest(), clock, self._patience)
        ids = {search.id for search in scheduled(self._content)}
        # One that was switched off and is on again begins anew: what it slept through was not asked for.
        self._reached = {key: reached for key, reached in self._reached.items() if key in ids}
        pending = due_runs(self._content, lambda search: self._reached.setdefault(search.id, clock), until)
        for when, searches in pending:
            if self._stopping.is_set():
                break
            self._run_all(searches, when)
        return sum(len(searches) for _, searches in pending)

    def _run_all(self, searches: list[Search], when: int) -> None:
        """Run what is due at a time, see to findings, and take note of it: all of it or, if stopped, none."""
        rows, hits = [], []
        for search in searches:
            began = time.monotonic()
            count, error, found = self._outcome(search, when)
            if error and self._stopping.is_set():
                return  # cancelled because the server stops: it is due again when one starts
            if error:
                logger.error("%s at %d: %s", search.name, when // SECOND_NS, error)
            hits += found
            rows.append((search.id, count, error, time.monotonic() - began))
        began = time.monotonic()
        changes = self._assessed(when, hits)
        if changes is not None:
            rows.append((ASSESSED, len(changes), "", time.monotonic() - began))
        self._store.record("runs", _run_rows(rows, when))
        self._reached |= {search.id: when for search in searches}
        for change in changes or ():
            if change.change != UPDATED:
                logger.info("%s %s: %s", change.kind, change.change, change.document["title"])
        if changes:
            self._changed()

    def _assessed(self, when: int, hits: list[Hit]) -> list[Change] | None:
        """See to findings; None if there is a fault: the next time it goes on from what the store has."""
        future = self._runner.submit(lambda: self._findings(when).advance(when, hits))
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
            reached = last_runs(self._store).get(ASSESSED, when - 1)
            self._assessment = Assessment(self._store, self._content, reached, self._detector.explain)
        return self._assessment

    def _outcome(self, search: Search, when: int) -> tuple[int, str, list[Hit]]:
        """Run a search; return how many rows it gave, what went wrong, and what a rule says.

        It runs in a thread of its own, whose future keeps whatever it raises: a fault in one detection
        must not end the schedule of all others.
        """
        future = self._runner.submit(self._detector.run, search, Times(when))
        fault = future.exception()
        if fault is not None:
            logger.error("%s at %d failed", search.name, when // SECOND_NS, exc_info=fault)
            return 0, f"{type(fault).__name__}: {fault}", []
        run = future.result()
        if run.events:
            logger.info("%s: %d rows, %d risk events", search.name, len(run.outcome.rows), len(run.events))
        return len(run.outcome.rows), run.outcome.error or "", run.hits

    def _loop(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            try:
                self._refresh()
                self.pass_once(time.time_ns())
            except KubestrayError:
                # The store failed; what was due stays due.
                logger.exception("the scheduled pass failed and is tried again")


def last_runs(store: Store) -> dict[str, int]:
    """Return the scheduled time of each search's last run, in nanoseconds, by id."""
    tree: exp.Expr = (
        select(column("detection"), named(call("max", column("scheduled")), "last"))
        .from_("runs")
        .group_by(column("detection"))
    )
    return {row["detection"]: row["last"] for row in store.query(tree).to_pylist()}


def scheduled(content: Content) -> list[Search]:
    """Return the searches that run by themselves: enabled detections, and baselines, with a schedule."""
    enabled = [d for d in content.detections.values() if d.enabled]
    return [s for s in (*enabled, *content.baselines.values()) if content.schedule_of(s)]


def due_runs(content: Content, after: Callable[[Search], int], until: int) -> list[tuple[int, list[Search]]]:
    """Return what is due in ``(after, until]`` (ns) by time; rules last, as they look at what others gave."""
    pending: dict[int, list[Search]] = defaultdict(list)
    for search in scheduled(content):
        schedule = content.schedule_of(search)
        assert schedule
        for when in due(schedule.cron, after(search), until):
            pending[when].append(search)
    return [(when, sorted(pending[when], key=_turn)) for when in sorted(pending)]


def _turn(search: Search) -> tuple[bool, str]:
    return isinstance(search, Detection) and is_rule(search), search.name


def _run_rows(runs: Sequence[tuple[str, int, str, float]], when: int) -> pa.Table:
    """Return rows of the ledger of runs: a search's id, its rows, what went wrong, seconds."""
    return pa.table(
        {
            "detection": [identity for identity, _, _, _ in runs],
            "scheduled": pa.array([when] * len(runs), pa.uint64()),
            "finished": pa.array([time.time_ns()] * len(runs), pa.uint64()),
            "rows": pa.array([rows for _, rows, _, _ in runs], pa.uint64()),
            "error": [error for _, _, error, _ in runs],
            "seconds": pa.array([seconds for _, _, _, seconds in runs], pa.float64()),
        }
    )
