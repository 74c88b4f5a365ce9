"""Answers that many pages need and that are dear, kept for a while, or as long as what they are made of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from kubestray.pipeline.running import Running

T = TypeVar("T")


class _Kept:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.locks: dict[Any, threading.Lock] = {}
        self.answers: dict[Any, _Answer] = {}


@dataclass(slots=True)
class _Answer:
    made: float
    changes: Hashable | None
    answer: Any


_MOST = 64


def remembered(
    running: Running,
    key: Any,
    seconds: float,
    make: Callable[[], T],
    of: Collection[str] = (),
    *,
    at_once: bool = False,
) -> T:
    """Return the answer kept under ``key``, or make it; two who ask at once wait for one to make it.

    It is kept for so many seconds; and up to ten times as long, where it depends on nothing but the tables
    ``of`` (and on the time, which may be a little off) and the store knows that nothing was written to them.
    With ``at_once`` it is made anew as soon as something was.
    """
    kept = running.kept.setdefault("answers", _Kept())
    with kept.lock:
        lock = kept.locks.setdefault(key, threading.Lock())
    with lock:
        found = kept.answers.get(key)
        if found is None or not _holds(running, found, seconds, of, at_once=at_once):
            # What is written while the answer is made may be in it or not: then it is asked for again.
            changes = running.store.changes(of) if of else None
            answer = make()
            found = _Answer(time.monotonic(), changes, answer)
            with kept.lock:
                while len(kept.answers) >= _MOST:
                    oldest = next(iter(kept.answers))
                    del kept.answers[oldest]
                    kept.locks.pop(oldest, None)
                kept.answers[key] = found
    kept_answer: T = found.answer
    return kept_answer


def _holds(running: Running, found: _Answer, seconds: float, of: Collection[str], *, at_once: bool) -> bool:
    age = time.monotonic() - found.made
    if age < seconds and not at_once:
        return True
    if found.changes is None:
        return age < seconds
    return age < 10 * seconds and running.store.changes(of) == found.changes


def forget(running: Running) -> None:
    """Make all answers anew: something was changed."""
    kept = running.kept.get("answers")
    if kept:
        with kept.lock:
            kept.answers.clear()
