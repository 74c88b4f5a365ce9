"""Answers that many pages need and that are dear, kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from kubestray.pipeline.running import Running

T = TypeVar("T")


class _Kept:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.locks: dict[Any, threading.Lock] = {}
        self.answers: dict[Any, tuple[float, Hashable, Any]] = {}


_MOST = 64


def remembered(
    running: Running, key: Any, seconds: float, make: Callable[[], T], stamp: Hashable = None
) -> T:
    """Return the answer kept under ``key``, or make it; two who ask at once wait for one to make it.

    One that was made under another ``stamp`` is made anew: what it was made of has changed since.
    """
    kept = running.kept.setdefault("answers", _Kept())
    with kept.lock:
        lock = kept.locks.setdefault(key, threading.Lock())
    with lock:
        found = kept.answers.get(key)
        if found is None or found[0] < time.monotonic() or found[1] != stamp:
            found = (time.monotonic() + seconds, stamp, make())
            with kept.lock:
                while len(kept.answers) >= _MOST:
                    kept.answers.pop(next(iter(kept.answers)))
                kept.answers[key] = found
    answer: T = found[2]
    return answer


def forget(running: Running) -> None:
    """Make all answers anew: something was changed."""
    kept = running.kept.get("answers")
    if kept:
        with kept.lock:
            kept.answers.clear()
