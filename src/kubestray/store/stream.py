"""The answer to one statement as it comes: record batches, which a thread reads ahead of their reader."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from types import TracebackType

import pyarrow as pa

from kubestray.model.errors import KubestrayError, StoreError

AHEAD = 64 << 20
"""Bytes that are read before anybody asks for them. An answer that is no larger leaves the engine at once,
however slow its reader is."""

CANCEL_AGAIN = 0.2
"""Seconds between two attempts to cancel a statement: one may come before it has begun."""

_SOON = 0.05  # seconds in which a thread that only waits for its reader sees that nobody reads any more


class Stream(Iterator[pa.RecordBatch]):
    """The record batches of one statement; no batch is no row.

    Use it in a ``with``: whoever leaves before the end cancels the statement. Batches that came before an
    error are given first, then the error is raised; only a stream that ends without one is whole.

    The engine runs in a thread of the stream's own, because Python hears of Ctrl-C only between its own
    steps and a query is one step. That thread starts with the first batch that is asked for.
    """

    def __init__(self, source: Generator[pa.RecordBatch, None, None], cancel: Callable[[], None]) -> None:
        """``source`` runs the statement; ``cancel`` stops it from another thread, and may be called often."""
        self._source, self._cancel = source, cancel
        self._then: Callable[[], None] = _nothing
        self._ready: deque[pa.RecordBatch] = deque()
        self._ahead = 0
        self._changed = threading.Condition()
        self._closed = self._ended = self._whole = False
        self._error: KubestrayError | None = None
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def when_done(self, then: Callable[[], None]) -> None:
        """Call something as soon as the engine has given everything, even if it has not been read yet."""
        self._then = then

    def __next__(self) -> pa.RecordBatch:
        if self._thread.ident is None and not self._closed:
            self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended or self._closed)
            if self._ready:
                batch = self._ready.popleft()
                self._ahead -= batch.nbytes
                self._changed.notify_all()
                return batch
        if self._whole or self._closed:
            raise StopIteration
        raise self._error or StoreError("the answer of the store broke off")

    def close(self) -> None:
        """Cancel the statement if it still runs; return when it has ended."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._ahead = 0
            self._changed.notify_all()
        pause = _SOON
        while self._thread.ident is not None and not self._gone(pause):
            self._cancel()
            pause = CANCEL_AGAIN

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _gone(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, seconds)

    def _run(self) -> None:
        """Read ahead; in the stream's thread."""
        try:
            for batch in self._source:
                if not self._offered(batch):
                    break
            else:
                self._whole = True
        except KubestrayError as error:
            self._error = error
        finally:
            self._source.close()
            self._end()

    def _offered(self, batch: pa.RecordBatch) -> bool:
        """Put a batch before the reader, once there is room; return whether somebody reads."""
        with self._changed:
            self._changed.wait_for(lambda: self._ahead < AHEAD or self._closed)
            if self._closed:
                return False
            self._ready.append(batch)
            self._ahead += batch.nbytes
            self._changed.notify_all()
            return True

    def _end(self) -> None:
        with self._changed:
            try:
                if not self._closed:
                    self._then()
            finally:
                self._ended = True
                self._changed.notify_all()


def _nothing() -> None:
    """Do nothing."""
