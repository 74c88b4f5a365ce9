"""Group commit: many small requests, few appends, and no answer before its points are stored."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from kubestray.model.errors import KubestrayError
from kubestray.model.metric import Batch

log = logging.getLogger(__name__)

Submit = Callable[[Batch], "Future[None]"]
"""What receivers hand batches to: the future resolves once the points are stored; may raise QueueFull."""


class QueueFull(KubestrayError):
    """No room for more points at present; ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class _Request(NamedTuple):
    batch: Batch
    stored: Future[None]
    bytes: int


class GroupCommit:
    """Appends the batches of many requests together, from one thread.

    The first request after a quiet time is appended at once; after that appends begin no closer
    together than ``interval`` seconds, so that the store gets few parts. ``append`` stores a batch
    wholly or raises. If the append of a group raises, its requests are appended one by one, so that
    one bad batch costs nobody else anything.

    ``max_points``, ``max_bytes`` and ``max_requests`` bound what waits or is being appended; a single batch
    larger than that is taken when nothing else waits, as it would otherwise never be.
    """

    def __init__(
        self,
        append: Callable[[Batch], None],
        *,
        max_points: int = 2_000_000,
        max_requests: int = 10_000,
        max_bytes: int = 1 << 30,
        interval: float = 0.1,
    ) -> None:
        self._append = append
        self._max_points, self._max_requests, self._interval = max_points, max_requests, interval
        self._max_bytes, self._bytes = max_bytes, 0
        self._waiting: list[_Request] = []
        self._points = self._requests = 0
        self._closing = False
        self._changed = threading.Condition()
        # The executor keeps whatever an append raises, so that a failure of any kind reaches the
        # futures of its requests and none ends the thread that they all wait for.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="append")
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    @property
    def points(self) -> int:
        """Points that wait or are being appended."""
        return self._points

    @property
    def bytes(self) -> int:
        """Bytes of memory that these take."""
        return self._bytes

    @property
    def full(self) -> bool:
        """Whether the next batch would be refused, unless it is very small."""
        full = self._points >= self._max_points or self._bytes >= self._max_bytes
        return full or self._requests >= self._max_requests

    def submit(self, batch: Batch) -> Future[None]:
        """Queue a batch; the future resolves when its points are stored, or with append's exception.

        Raises QueueFull if there is no room, or if `close` was called. An empty batch is done at once.
        A future cancelled before its group's turn is dropped.
        """
        stored: Future[None] = Future()
        if not len(batch):
            stored.set_result(None)
            return stored
        size = batch.bytes
        with self._changed:
            self._check_room(len(batch), size)
            self._waiting.append(_Request(batch, stored, size))
            self._count(1, len(batch), size)
            self._changed.notify_all()
        return stored

    def close(self) -> None:
        """Append all that waits, then stop. Further batches are refused."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._writer.shutdown()

    def _check_room(self, points: int, size: int) -> None:
        if self._closing:
            raise QueueFull("the receiver is shutting down", retry_after=5.0)
        if self._requests and self._points + points > self._max_points:
            raise QueueFull(f"{self._points} points wait to be stored", retry_after=1.0)
        if self._requests and self._bytes + size > self._max_bytes:
            raise QueueFull(f"{self._bytes} bytes wait to be stored", retry_after=1.0)
        if self._requests >= self._max_requests:
            raise QueueFull(f"{self._requests} requests wait to be stored", retry_after=1.0)

    def _count(self, requests: int, points: int, size: int) -> None:
        self._requests += requests
        self._points += points
        self._bytes += size

    def _run(self) -> None:
        earliest = 0.0
        while group := self._next_group(earliest):
            earliest = time.monotonic() + self._interval
            running = [request for request in group if request.stored.set_running_or_notify_cancel()]
            errors = self._store(running)
            with self._changed:
                sizes = sum(request.bytes for request in group)
                self._count(-len(group), -sum(len(request.batch) for request in group), -sizes)
            for request, error in zip(running, errors, strict=True):
                _resolve(request.stored, error)

    def _next_group(self, earliest: float) -> list[_Request]:
        """Wait for requests, and until ``earliest``; return none only when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            while not self._closing and (left := earliest - time.monotonic()) > 0:
                self._changed.wait(left)
            group, self._waiting = self._waiting, []
            return group

    def _store(self, group: Sequence[_Request]) -> list[BaseException | None]:
        """Append a group in one go or else one by one; return each request's error."""
        error = self._try(group)
        if error is None or len(group) == 1:
            return [error] * len(group)
        log.warning("storing %d requests together failed, trying one by one: %s", len(group), error)
        return [self._try([request]) for request in group]

    def _try(self, group: Sequence[_Request]) -> BaseException | None:
        if not group:
            return None
        batches = [request.batch for request in group]
        return self._writer.submit(lambda: self._append(Batch.concat(batches))).exception()


def _resolve(stored: Future[None], error: BaseException | None) -> None:
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(error)
