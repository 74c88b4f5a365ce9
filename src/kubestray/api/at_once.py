"""How much of one kind of work may be under way at once, for each account and in all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from kubestray.api.refusal import Refused

OF_ONE, OF_ALL = 16, 24
"""A search holds one of the forty threads that answer requests, for minutes if need be."""


class AtOnce:
    """Counts what is under way. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Counter[str] = Counter()

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Do one thing more for an account; raises `Refused` (429) where too much is under way."""
        with self._lock:
            if self._of[name] >= OF_ONE or self._of.total() >= OF_ALL:
                told = f"{OF_ONE} searches of yours" if self._of[name] >= OF_ONE else f"{OF_ALL} searches"
                raise Refused(429, "busy", f"{told} are running already", "wait until one of them has ended")
            self._of[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._of[name] -= 1
                if not self._of[name]:
                    del self._of[name]
