"""A stream reads ahead of its reader, boundedly, and ends with whoever leaves it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from queue import SimpleQueue

import pyarrow as pa
import pytest

from kubestray.model.errors import LimitExceeded, StoreError
from kubestray.store.stream import AHEAD, Stream

PATIENCE = 60
"""Seconds until a test gives up on something that should happen soon."""


def numbered(number: int, size: int = 1) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array([number] * size)})


class Source:
    """Gives batches and counts them; ``fails`` is raised after the last one. It can wait to be cancelled."""

    def __init__(
        self, count: int, *, size: int = 1, fails: Exception | None = None, waits: bool = False
    ) -> None:
        self._count, self._size, self._fails, self._waits = count, size, fails, waits
        self.given = 0
        self.cancelled = 0
        self.at_end, self.closed = threading.Event(), threading.Event()
        self._go_on = threading.Event()

    def stream(self) -> Stream:
        return Stream(self.batches(), self.cancel)

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        try:
            for number in range(self._count):
                self.given += 1
                yield numbered(number, self._size)
            self.at_end.set()
            if self._waits:
                assert self._go_on.wait(PATIENCE)
                raise StoreError("cancelled")
            if self._fails:
                raise self._fails
        finally:
            self.closed.set()

    def cancel(self) -> None:
        self.cancelled += 1
        if self.cancelled == 3:  # the first two come too early
            self._go_on.set()


def read(stream: Stream) -> list[int]:
    return [batch.column("n")[0].as_py() for batch in stream]


def test_all_batches_in_their_order() -> None:
    source = Source(1000)
    with source.stream() as stream:
        assert read(stream) == list(range(1000))
        assert read(stream) == []
    assert source.cancelled == 0


def test_no_batch_is_no_row() -> None:
    with Source(0).stream() as stream:
        assert read(stream) == []


def test_nothing_runs_before_somebody_reads() -> None:
    source = Source(3)
    source.stream().close()
    with source.stream():
        pass
    assert (source.given, source.cancelled) == (0, 0)


def test_an_error_comes_after_the_batches_before_it() -> None:
    with Source(5, fails=LimitExceeded("too many")).stream() as stream:
        assert [next(stream).column("n")[0].as_py() for _ in range(5)] == list(range(5))
        for _ in range(2):
            with pytest.raises(LimitExceeded, match="too many"):
                next(stream)


def test_what_is_read_ahead_is_bounded() -> None:
    size = AHEAD // 8 // 4  # eight bytes a row: four batches fill it
    source = Source(20, size=size)
    with source.stream() as stream:
        next(stream)
        assert not source.at_end.wait(0.3)  # it would be there at once
        assert source.given <= 1 + 4 + 1  # the reader's, those ahead, the one that waits for room
        assert len(read(stream)) == 19
    assert source.given == 20


def test_a_batch_larger_than_the_bound_passes() -> None:
    with Source(3, size=AHEAD // 4).stream() as stream:
        assert read(stream) == [0, 1, 2]


def test_leaving_early_ends_the_source() -> None:
    source = Source(20, size=AHEAD // 8)
    with source.stream() as stream:
        next(stream)
    assert source.closed.wait(PATIENCE)
    assert source.given < 20


def test_leaving_while_the_engine_computes_cancels_until_it_ends() -> None:
    """Once may be too early: the statement has been sent, and is not known to the engine yet."""
    source = Source(1, waits=True)
    with source.stream() as stream:
        next(stream)
        assert source.at_end.wait(PATIENCE)
    assert source.closed.is_set()
    assert source.cancelled == 3


def test_a_reader_that_waits_is_released_when_somebody_closes() -> None:
    source = Source(0, waits=True)
    stream = source.stream()
    found: list[list[int]] = []
    reader = threading.Thread(target=lambda: found.append(read(stream)))
    reader.start()
    assert source.at_end.wait(PATIENCE)
    stream.close()
    reader.join(PATIENCE)
    assert found == [[]]


def test_who_waits_for_the_engine_need_not_wait_for_the_reader() -> None:
    done = threading.Event()
    stream = Source(10).stream()
    stream.when_done(done.set)
    with stream:
        next(stream)
        assert done.wait(PATIENCE)
        assert len(read(stream)) == 9


def test_leaving_early_is_not_being_done() -> None:
    done = threading.Event()
    source = Source(20, size=AHEAD // 8)
    stream = source.stream()
    stream.when_done(done.set)
    with stream:
        next(stream)
    assert source.closed.wait(PATIENCE)
    assert not done.is_set()


def test_an_error_is_being_done() -> None:
    done = threading.Event()
    stream = Source(0, fails=StoreError("refused")).stream()
    stream.when_done(done.set)
    with stream, pytest.raises(StoreError, match="refused"):
        next(stream)
    assert done.is_set()


def test_a_fault_of_ours_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    told: SimpleQueue[threading.ExceptHookArgs] = SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", told.put)
    with Source(2, fails=ZeroDivisionError()).stream() as stream:
        next(stream), next(stream)
        with pytest.raises(StoreError, match="broke off"):
            next(stream)
    assert told.get(timeout=PATIENCE).exc_type is ZeroDivisionError
