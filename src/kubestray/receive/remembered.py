"""A bounded memory for what requests have in common; safe to share between threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """A mapping bounded in entries and in bytes that forgets what was not used for longest.

    Two generations: what is used moves to the young one, and when that is full it becomes the old
    one and the former old one is dropped. So what is in use keeps its place while a flood of new
    entries passes through, and a look-up of something in use is one look-up in a dict.

    ``size(key, value)`` estimates the bytes that an entry takes.
    """

    def __init__(self, size: Callable[[K, V], int], max_entries: int, max_bytes: int) -> None:
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._size = size
        self._max_entries, self._max_bytes = max_entries // 2, max_bytes // 2
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        """Return what was remembered under ``key``, and keep it for longer."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def get_all(self, keys: Sequence[K]) -> list[V | None]:
        """Return what was remembered under each key, as `get` does, with a look-up in a dict for each."""
        found = list(map(self._young.get, keys))
        if self._old and None in found:
            return [self.get(key) if value is None else value for key, value in zip(keys, found, strict=True)]
        return found

    def put(self, key: K, value: V) -> None:
        """Remember an entry; one too large for the bounds is forgotten at once."""
        size = self._size(key, value)
        if size > self._max_bytes:
            return
        with self._lock:
            if len(self._young) >= self._max_entries or self._bytes + size > self._max_bytes:
                self._old, self._young, self._bytes = self._young, {}, 0
            self._young[key] = value
            self._bytes += size
