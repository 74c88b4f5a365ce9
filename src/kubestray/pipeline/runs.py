"""Runs the searches that are due at one time, some of them at once, and gives what came of them in order.

Searches of one time do not see what others find at that time, so they need not wait for each other. Three
things keep their order: what is no detection, or writes something that others may read, runs alone; searches
that learn run one after the other, as two of them can have a profile in common; rules look at what all others
gave, and come last.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import Self

from kubestray.detect.runner import Times, request_of
from kubestray.model.content import Content, Detection
from kubestray.model.errors import KubestrayError
from kubestray.pipeline.agenda import Due
from kubestray.pipeline.assessing import is_rule
from kubestray.pipeline.detecting import Detector, Run
from kubestray.search.run import learns, source_of, writes

AT_ONCE = min(4, os.cpu_count() or 1)
"""How many searches run at once: more would only wait for a processor."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of something that was due: the run, or what ended it, and how many seconds it took."""

    due: Due
    run: Run | None
    fault: BaseException | None
    seconds: float

    def result(self) -> Run:
        """Return the run; raise what ended it."""
        if self.fault is not None:
            raise self.fault
        assert self.run
        return self.run


@dataclass(frozen=True, slots=True)
class _Way:
    """How a search runs beside others."""

    alone: bool
    learns: bool = False


class Runs:
    """Runs searches of a content as they are due."""

    def __init__(self, detector: Detector, content: Content, at_once: int = AT_ONCE) -> None:
        self._detector, self._content = detector, content
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="detection")
        self._learning = ThreadPoolExecutor(1, thread_name_prefix="learning")
        self._ways: dict[str, tuple[str, _Way]] = {}

    def of(self, pending: Sequence[Due], place: int) -> Iterator[Ran]:
        """Run all that is due at a place in event time (ns); yield what came of it, in the same order."""
        together: list[tuple[Due, _Way]] = []
        for one in pending:
            way = self._way(one)
            if way.alone:
                yield from self._at_once(together, place)
                yield from self._at_once([(one, way)], place)
                together = []
            else:
                together.append((one, way))
        yield from self._at_once(together, place)

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        self._threads.shutdown()
        self._learning.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _at_once(self, some: Sequence[tuple[Due, _Way]], place: int) -> Iterator[Ran]:
        """Run some that need not wait for each other.

        Each has a future, which keeps whatever is raised: a fault in one detection must not end the schedule
        of all others.
        """
        began = time.monotonic()
        futures = []
        for one, way in some:
            threads = self._learning if way.learns else self._threads
            futures.append((threads.submit(copy_context().run, self._timed, one, place), one))
        try:
            for future, one in futures:
                yield _ran(one, future, began)
        finally:
            wait([future for future, _ in futures])  # also where nobody wants the rest

    def _timed(self, one: Due, place: int) -> tuple[Run, float]:
        began = time.monotonic()
        run = self._detector.run(one.search, Times(one.now), place, one.told_since)
        return run, time.monotonic() - began

    def _way(self, one: Due) -> _Way:
        """Return how a search runs; it is read once for each text that it has."""
        search = one.search
        if not isinstance(search, Detection) or is_rule(search):
            return _Way(alone=True)
        try:
            request = request_of(search, self._content, Times(one.now), self._detector.make)
            text = source_of(request).text
            if search.id not in self._ways or self._ways[search.id][0] != text:
                self._ways[search.id] = text, _Way(writes(request), learns(request))
        except KubestrayError:
            return _Way(alone=True)  # its run tells what is wrong with it
        return self._ways[search.id][1]


def _ran(one: Due, future: Future[tuple[Run, float]], began: float) -> Ran:
    fault = future.exception()
    if fault is not None:
        return Ran(one, None, fault, time.monotonic() - began)
    run, seconds = future.result()
    return Ran(one, run, None, seconds)
