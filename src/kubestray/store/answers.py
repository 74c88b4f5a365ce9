"""Answers about the store that are kept for as long as nobody writes to the tables they are from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")

Changes = Callable[[Collection[str]], Hashable | None]
"""Gives a value that differs once these tables have changed; None where nobody can know: `Store.changes`."""

_MOST = 1000


class Answers:
    """The answers to the latest questions. Safe to use from several threads."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._kept: OrderedDict[Hashable, tuple[Hashable, Any]] = OrderedDict()
        self._lock = Lock()

    def lasting(self, tables: Collection[str]) -> bool:
        """Tell whether answers from these tables can be kept at all."""
        return self._changes(tables) is not None

    def get(self, tables: Collection[str], question: Hashable, ask: Callable[[], T]) -> T:
        """Return the answer to a question about tables: the one that is kept if they are as they were."""
        # Looked at before asking: what is written meanwhile makes the answer newer than it claims to be.
        now = self._changes(tables)
        if now is None:
            return ask()
        with self._lock:
            known = self._kept.get(question)
        if known and known[0] == now:
            found: T = known[1]
            return found
        answer = ask()
        with self._lock:
            self._kept[question] = (now, answer)
            self._kept.move_to_end(question)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return answer


NONE_KEPT = Answers(lambda _: None)
"""Keeps nothing: each question is asked."""
