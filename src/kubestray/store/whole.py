"""Tells whether an answer of the embedded engine is the whole one.

A statement that is cancelled, or that takes longer than it may, mostly fails. At times the engine ends it
without a word instead, and what it had until then looks like an answer: some of the rows, or none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kubestray.model.errors import LimitExceeded
from kubestray.store.engine import Limits
from kubestray.store.failures import CANCELLED, too_slow


class Running:
    """The statements that run, by their tags, and which of them somebody cancels. Safe for threads."""

    def __init__(self) -> None:
        self._cancelled: dict[str, bool] = {}
        self._all = 0
        """How many are just about to cancel all."""
        self._lock = threading.Lock()

    @contextmanager
    def whole(self, tag: str, limits: Limits) -> Iterator[None]:
        """Run a statement in this; raises `LimitExceeded` at its end if it was cancelled or took too long."""
        began = time.monotonic()
        with self._lock:
            self._cancelled[tag] = self._all > 0
        try:
            yield
        finally:
            with self._lock:
                cancelled = self._cancelled.pop(tag)
        if cancelled:
            raise LimitExceeded(CANCELLED)
        if limits.seconds and time.monotonic() - began >= limits.seconds:
            raise LimitExceeded(too_slow(limits.seconds))

    @contextmanager
    def cancelling(self, tag: str | None = None) -> Iterator[None]:
        """Have the engine cancel a statement, or all of them, in this.

        Those that begin in the meantime count as cancelled too: they may be.
        """
        everything = tag is None
        with self._lock:
            self._all += everything
            self._mark(tag)
        try:
            yield
        finally:
            with self._lock:
                self._all -= everything
                self._mark(tag)

    def _mark(self, tag: str | None) -> None:
        for running in self._cancelled:
            if tag in (None, running):
                self._cancelled[running] = True
