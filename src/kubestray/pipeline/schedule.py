"""Runs the enabled detections on their schedules, in a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from sqlglot import exp

from kubestray.detect.runner import Times
from kubestray.detect.scheduler import SECOND_NS, Patience, due, resume_point, watermark
from kubestray.model.content import Content, Search
from kubestray.model.errors import KubestrayError
from kubestray.pipeline.detecting import Detector
from kubestray.store.store import Store
from kubestray.store.trees import call, column, named, select

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0  # seconds


class Scheduler:
    """Every enabled detection of a content, run when it is due.

    ``newest`` gives the time of the newest stored point (ns); ``refresh`` is called before each look at what
    is due, and may switch detections on or off.
    """

    def __init__(
        self,
        store: Store,
        content: Content,
        detector: Detector,
        patience: Patience,
        newest: Callable[[], int],
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._refresh = refresh
        self._store, self._content, self._detector = store, content, detector
        self._patience, self._newest = patience, newest
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)
        self._runner = ThreadPoolExecutor(1, thread_name_prefix="detection")
        self._reached: dict[str, int] = {}

    def start(self) -> None:
        """Go on where the last server of this store left off."""
        clock = time.time_ns()
        last = last_runs(self._store)
        for search in self._scheduled():
            self._reached[search.id], lost = resume_point(last.get(search.id), clock, clock, self._patience)
            if lost:
                logger.warning(
                    "%s: %.0f s of missed runs are too old to make up for", search.name, lost / 1e9
                )
        self._thread.start()

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
        pending: list[tuple[int, str, Search]] = []
        scheduled = self._scheduled()
        ids = {search.id for search in scheduled}
        # One that was switched off and is on again begins anew: what it slept through was not asked for.
        self._reached = {key: reached for key, reached in self._reached.items() if key in ids}
        for search in scheduled:
            schedule = self._content.schedule_of(search)
            assert schedule
            reached = self._reached.setdefault(search.id, clock)
            pending += [(when, search.name, search) for when in due(schedule.cron, reached, until)]
        for when, _, search in sorted(pending, key=lambda item: item[:2]):
            if self._stopping.is_set():
                break
            self._run(search, when)
        return len(pending)

    def _scheduled(self) -> list[Search]:
        enabled = [d for d in self._content.detections.values() if d.enabled]
        return [s for s in (*enabled, *self._content.baselines.values()) if self._content.schedule_of(s)]

    def _run(self, search: Search, when: int) -> None:
        began = time.monotonic()
        rows, error = self._outcome(search, when)
        seconds = time.monotonic() - began
        if error and self._stopping.is_set():
            return  # cancelled because the server stops: it is due again when one starts
        self._reached[search.id] = when
        if error:
            logger.error("%s at %d: %s", search.name, when // SECOND_NS, error)
        self._store.record("runs", _run_row(search, when, rows, error, seconds))

    def _outcome(self, search: Search, when: int) -> tuple[int, str]:
        """Run a search; return how many rows it gave, and what went wrong.

        It runs in a thread of its own, whose future keeps whatever it raises: a fault in one detection
        must not end the schedule of all others.
        """
        future = self._runner.submit(self._detector.run, search, Times(when))
        fault = future.exception()
        if fault is not None:
            logger.error("%s at %d failed", search.name, when // SECOND_NS, exc_info=fault)
            return 0, f"{type(fault).__name__}: {fault}"
        run = future.result()
        if run.events:
            logger.info("%s: %d rows, %d risk events", search.name, len(run.outcome.rows), len(run.events))
        return len(run.outcome.rows), run.outcome.error or ""

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


def _run_row(search: Search, when: int, rows: int, error: str, seconds: float) -> pa.Table:
    return pa.table(
        {
            "detection": [search.id],
            "scheduled": pa.array([when], pa.uint64()),
            "finished": pa.array([time.time_ns()], pa.uint64()),
            "rows": pa.array([rows], pa.uint64()),
            "error": [error],
            "seconds": [seconds],
        }
    )
