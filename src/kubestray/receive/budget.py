"""How many new series a source may bring: a bucket that fills again in an hour."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

_HOUR = 3600.0
_TOLD_EVERY = 60.0  # seconds


class SeriesBudget:
    """Lets ``per_hour`` new series through at once, and as many in each hour after.

    Series that are known cost nothing: a source beyond its budget keeps those it has. Safe to share between
    threads.
    """

    def __init__(self, source: str, per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._source, self._per_hour, self._clock = source, per_hour, clock
        self._left, self._at = float(per_hour), clock()
        self._refused, self._told = 0, -_TOLD_EVERY
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one new series out of the budget; false if there is none left."""
        with self._lock:
            now = self._clock()
            self._left = min(self._per_hour, self._left + (now - self._at) * self._per_hour / _HOUR)
            self._at = now
            if self._left >= 1:
                self._left -= 1
                return True
            self._refused += 1
            if now - self._told >= _TOLD_EVERY:
                log.warning(
                    "source %s brings more than %d new series an hour: %d points of new ones were rejected",
                    *(self._source, self._per_hour, self._refused),
                )
                self._refused, self._told = 0, now
            return False
