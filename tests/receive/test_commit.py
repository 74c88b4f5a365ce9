"""Group commit: acknowledged means appended, once; a failure stays where it belongs."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubestray.model.errors import StoreError
from kubestray.model.metric import Batch, BatchBuilder, Kind, Series
from kubestray.receive.commit import GroupCommit, QueueFull

SERIES = Series.of("m", Kind.GAUGE, "", {})


def batch_of(*values: float) -> Batch:
    builder = BatchBuilder()
    for value in values:
        builder.add(SERIES, 1, 0, value)
    return builder.build()


class Store:
    """Appends are remembered as lists of values; those with a negative value fail, wholly."""

    def __init__(self) -> None:
        self.appends: list[list[float]] = []
        self.entered, self.open = threading.Semaphore(0), threading.Event()
        self.open.set()

    def append(self, batch: Batch) -> None:
        self.entered.release()
        assert self.open.wait(30)
        if (batch.value < 0).any():
            raise StoreError("negative")
        self.appends.append(batch.value.tolist())

    @property
    def values(self) -> list[float]:
        return [value for values in self.appends for value in values]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def commit_with(store):
    made = []

    def make(**options) -> GroupCommit:
        made.append(GroupCommit(store.append, **{"interval": 0.0, **options}))
        return made[-1]

    yield make
    store.open.set()
    for commit in made:
        commit.close()


def test_a_batch_is_stored_when_its_future_resolves(store, commit_with):
    commit = commit_with()
    commit.submit(batch_of(1, 2)).result(10)
    assert store.appends == [[1, 2]]


def test_nothing_resolves_before_its_append_returned(store, commit_with):
    commit = commit_with()
    store.open.clear()
    future = commit.submit(batch_of(1))
    assert store.entered.acquire(timeout=10)
    assert not future.done()
    store.open.set()
    future.result(10)


def test_an_empty_batch_resolves_at_once(store, commit_with):
    store.open.clear()
    assert commit_with().submit(Batch.empty()).done()
    assert store.appends == []


def hold(store: Store, commit: GroupCommit):
    """Have one append under way, so that what follows waits together."""
    store.open.clear()
    future = commit.submit(batch_of(0))
    assert store.entered.acquire(timeout=10)
    return future


def test_requests_that_wait_are_appended_together(store, commit_with):
    commit = commit_with()
    hold(store, commit)
    futures = [commit.submit(batch_of(value)) for value in (1, 2, 3)]
    store.open.set()
    wait(futures, 10)
    assert store.appends == [[0], [1, 2, 3]]


def test_appends_keep_their_distance(store, commit_with):
    commit = commit_with(interval=3600)
    commit.submit(batch_of(1)).result(10)
    futures = [commit.submit(batch_of(value)) for value in (2, 3)]
    assert not wait(futures, 0.2).done
    commit.close()
    assert store.appends == [[1], [2, 3]]
    assert all(future.done() for future in futures)


def test_one_bad_batch_costs_the_others_nothing(store, commit_with):
    commit = commit_with()
    hold(store, commit)
    futures = [commit.submit(batch_of(value)) for value in (1, -2, 3)]
    store.open.set()
    assert [type(future.exception(10)) for future in futures] == [type(None), StoreError, type(None)]
    assert store.appends == [[0], [1], [3]]


@pytest.mark.parametrize("error", [OSError("disk full"), AssertionError(), SystemExit(3)])
def test_an_append_may_raise_anything(error):
    def append(_: Batch) -> None:
        raise error

    commit = GroupCommit(append, interval=0.0)
    for _ in range(2):
        assert commit.submit(batch_of(1)).exception(10) is error
    commit.close()


def test_a_full_queue_refuses_and_recovers(store, commit_with):
    commit = commit_with(max_points=10)
    futures = [hold(store, commit), commit.submit(batch_of(*range(9)))]
    with pytest.raises(QueueFull, match="10 points") as caught:
        commit.submit(batch_of(1))
    assert caught.value.retry_after > 0
    store.open.set()
    wait(futures, 10)
    submit_until_taken(commit, batch_of(7))
    assert store.appends[-1] == [7]


def submit_until_taken(commit: GroupCommit, batch: Batch) -> None:
    """Room is free again shortly after the futures resolve."""
    for _ in range(1000):
        try:
            commit.submit(batch).result(10)
        except QueueFull:
            threading.Event().wait(0.01)
        else:
            return
    pytest.fail("the queue stays full")


def test_waiting_requests_are_bounded_too(store, commit_with):
    commit = commit_with(max_requests=3)
    hold(store, commit)
    for value in (1, 2):
        commit.submit(batch_of(value))
    with pytest.raises(QueueFull, match="3 requests"):
        commit.submit(batch_of(3))


def test_a_batch_larger_than_the_queue_is_taken_when_it_is_alone(store, commit_with):
    commit = commit_with(max_points=2)
    commit.submit(batch_of(1, 2, 3)).result(10)
    assert store.appends == [[1, 2, 3]]


def test_a_cancelled_request_is_dropped(store, commit_with):
    commit = commit_with()
    hold(store, commit)
    first, second = commit.submit(batch_of(1)), commit.submit(batch_of(2))
    assert first.cancel()
    store.open.set()
    second.result(10)
    with pytest.raises(CancelledError):
        first.result(10)
    assert store.appends == [[0], [2]]


def test_close_drains_and_then_refuses(store, commit_with):
    commit = commit_with()
    hold(store, commit)
    futures = [commit.submit(batch_of(value)) for value in range(1, 50)]
    closing = threading.Thread(target=commit.close)
    closing.start()
    store.open.set()
    closing.join(20)
    assert all(future.done() and not future.exception() for future in futures)
    assert sorted(store.values) == list(range(50))
    with pytest.raises(QueueFull, match="shutting down"):
        commit.submit(batch_of(1))


def test_close_under_load_loses_nothing_acknowledged(store):
    commit = GroupCommit(store.append, interval=0.001)

    def send(value: int) -> int | None:
        try:
            commit.submit(batch_of(value)).result(20)
        except QueueFull:
            return None
        return value

    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(send, value) for value in range(400)]
        sent[20].result(20)
        commit.close()
        acknowledged = [value for value in (future.result(20) for future in sent) if value is not None]
    assert len(acknowledged) > 20
    assert sorted(store.values) == sorted(acknowledged)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 4), max_size=40),
    bad=st.sets(st.integers(0, 39), max_size=6),
    max_points=st.integers(1, 40),
    threads=st.integers(1, 4),
)
def test_what_is_acknowledged_was_appended_exactly_once(sizes, bad, max_points, threads):
    store = Store()
    commit = GroupCommit(store.append, interval=0.0, max_points=max_points)

    def send(number: int) -> list[float]:
        """Return the values that were acknowledged."""
        values = [number * 10 + i + 1.0 for i in range(sizes[number])]
        batch = batch_of(*(-value if number in bad else value for value in values))
        try:
            error = commit.submit(batch).exception(20)
        except QueueFull:
            return []
        assert (error is not None) == (number in bad and bool(values))
        return [] if error else values

    with ThreadPoolExecutor(threads) as pool:
        acknowledged = [value for values in pool.map(send, range(len(sizes))) for value in values]
    commit.close()
    assert Counter(store.values) == Counter(acknowledged)
    assert commit.points == 0


def test_bytes_of_messages_that_are_held_count_too():
    """A few points may hold on to messages of any size."""
    from kubestray.model.unread import SeriesOfBatch, Unread

    entered, going_on = threading.Event(), threading.Event()

    def append(_: Batch) -> None:
        entered.set()
        going_on.wait(20)

    def large() -> Batch:
        plain = batch_of(1.0)
        ids = [plain.series_id.tobytes()]
        return Batch(
            SeriesOfBatch(dict(plain.series), [Unread(ids, [b"x" * 600], lambda _: ())]),
            *(plain.series_id, plain.time, plain.start, plain.value),
        )

    commit = GroupCommit(append, interval=0.0, max_bytes=1000)
    first = commit.submit(large())
    assert entered.wait(20)
    with pytest.raises(QueueFull, match="bytes wait"):
        commit.submit(large())
    going_on.set()
    assert first.result(20) is None
    assert commit.submit(large()).result(20) is None
    commit.close()
