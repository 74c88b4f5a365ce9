"""A store in memory that can be told to fail, or to wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kubestray.model.metric import Batch


class MemoryStore:
    """Keeps what is appended; can be told to fail, or to wait."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.failure: Exception | None = None
        self.entered, self.open = threading.Semaphore(0), threading.Event()
        self.open.set()

    def append(self, batch: Batch) -> None:
        self.entered.release()
        self.open.wait(30)
        if self.failure:
            raise self.failure
        self.batches.append(batch)

    @contextmanager
    def busy(self, send: Callable[[], object]) -> Iterator[None]:
        """Have what ``send`` sends under way, in a thread of its own, while the block runs."""
        self.open.clear()
        sender = threading.Thread(target=send)
        sender.start()
        assert self.entered.acquire(timeout=20)
        try:
            yield
        finally:
            self.open.set()
            sender.join(20)

    @property
    def values(self) -> list[float]:
        return [value for batch in self.batches for value in batch.value.tolist()]
