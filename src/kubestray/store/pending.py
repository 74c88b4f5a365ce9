"""Rows that are in the journal and not yet in their tables; who reads these tables has them written first.

So what was acknowledged is seen by every search from then on, as if it had been written at once, while the
tables get few, large parts. They are written when they are many or old too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from kubestray.model.counted import Failures
from kubestray.store.journal import Journal, Record, is_damaged, read

log = logging.getLogger(__name__)

ENOUGH = 1_000_000
"""Rows that are written without waiting for more: some 40 MB."""

OLD = 2.0
"""Seconds after which rows are written."""

_MOST = 4 * ENOUGH
"""Rows beyond which nothing is taken before some are written: the engine is too slow, or fails."""

_AGAIN = 1.0
"""Seconds after which a write that failed is tried again."""


@dataclass(slots=True)
class _Reader:
    """Somebody who asks several things of one state, and whether the first was asked."""

    of: Pending
    has_read: bool = False


_READER: ContextVar[_Reader | None] = ContextVar("reader", default=None)


class Pending:
    """Rows of some tables on their way; ``write`` puts those of several records into the tables.

    Safe to use from several threads. ``write`` may read tables itself, and then sees them without what waits.
    """

    def __init__(
        self, journal: Journal, tables: Sequence[str], write: Callable[[list[Record]], None]
    ) -> None:
        self._journal, self._tables, self._write = journal, tables, write
        self._waiting: list[Record] = []
        self._since = 0.0
        self._rows = 0
        self._closing = False
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._writes = 0
        """The thread that holds it."""
        # The executor keeps whatever a write raises, so that none ends the thread that tries again.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="pending")
        self._thread = threading.Thread(target=self._run, name="pending", daemon=True)

    def start(self) -> None:
        """Write from now on what gets old."""
        self._thread.start()

    def recover(self) -> None:
        """Write what an earlier process has left."""
        for path in self._journal.files():
            self._write(list(read(path)))
            if is_damaged(path):
                log.error(
                    "points of the journal are damaged, those before and behind them are stored; "
                    "the file is kept as %s: look at the disk",
                    self._journal.set_aside(path),
                )
            else:
                self._journal.remove([path])

    def add(self, records: Sequence[Record]) -> None:
        """Take rows; they are durable, and seen by who asks `before`, when this returns.

        Raises `StoreError` if they cannot be kept, and then nothing is taken.
        """
        if self._rows >= _MOST:
            self.flush()
        with self._changed:
            self._journal.append(records)
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting += records
            self._rows += sum(rows.num_rows for _, rows in records)
            self._changed.notify_all()

    def before(self, statement: str) -> None:
        """Have rows written if a statement may read their tables, unless `settled` has had it done."""
        if not any(name in statement for name in self._tables):
            return
        reader = _READER.get()
        if reader is None or reader.of is not self:
            self.flush()
        elif not reader.has_read:
            self.flush()
            reader.has_read = True

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Let statements read at least what came before the first of them: the others have nothing written.

        It holds for who enters it and for what runs in its context (`contextvars`).
        """
        reader = _READER.get()
        if reader is not None and reader.of is self:
            yield
            return
        token = _READER.set(_Reader(self))
        try:
            yield
        finally:
            _READER.reset(token)

    def flush(self) -> None:
        """Write all rows there are; those being written are in their tables too when this returns."""
        if self._writes == threading.get_ident():
            return  # the write under way reads: to write others first would delete the file that it is of
        with self._writing, self._as_writer():
            with self._changed:
                taken, rows = self._waiting, self._rows
                if not taken:
                    return
                self._waiting, self._rows = [], 0
                self._journal.turn()
                files = self._journal.files()
            with ExitStack() as failed:
                failed.callback(self._put_back, taken, rows)
                self._write(taken)
                failed.pop_all()
            self._journal.remove(files)

    @contextmanager
    def _as_writer(self) -> Iterator[None]:
        self._writes = threading.get_ident()
        try:
            yield
        finally:
            self._writes = 0

    def _put_back(self, taken: list[Record], rows: int) -> None:
        """Have rows wait again that could not be written."""
        with self._changed:
            self._waiting = taken + self._waiting
            self._rows += rows

    def close(self) -> None:
        """Write what there is and stop; what cannot be written stays in the journal."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        if error := self._writer.submit(self.flush).exception():
            log.warning("points stay in the journal until the store is opened again: %s", error)
        self._writer.shutdown()
        self._journal.turn()

    def _run(self) -> None:
        failures = Failures()
        while self._due():
            error = self._writer.submit(self.flush).exception()
            if error is None:
                failures.over()
                continue
            if failures.again():
                log.warning("points wait in the journal, the store does not take them: %s", error)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, _AGAIN)

    def _due(self) -> bool:
        """Wait until rows are many or old; false when there is an end."""
        with self._changed:
            while not self._closing:
                left = self._since + OLD - time.monotonic() if self._waiting else None
                if self._waiting and (self._rows >= ENOUGH or (left is not None and left <= 0)):
                    return True
                self._changed.wait(left)
            return False
