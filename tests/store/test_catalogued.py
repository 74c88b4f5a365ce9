"""What this process knows of the catalog, against a dict; points in order, against sorting one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import DAY, HOUR, NOW, SECOND, batch, series
from kubestray.model.metric import Batch, Series
from kubestray.model.unread import SeriesOfBatch, Unread, series_of
from kubestray.store.catalogued import Catalogued
from kubestray.store.ordering import MOST_DAYS, in_order
from kubestray.store.point_tables import BLOCK_NS
from kubestray.store.store import Store
from kubestray.store.values import BITS, COUNTED, HOLDING, NUMBER, WHOLE

# Ids that meet in one slot, and the one that a free slot has.
IDS = [0, 1, 2, 4096, 4097, 2 * 4096, 3 * 4096, 2**64 - 1]
ids = st.one_of(st.sampled_from(IDS), st.integers(0, 2**64 - 1))
notes = st.lists(st.tuples(ids, st.integers(0, 99), st.integers(0, 3 * HOUR)), max_size=40)


def u64(values: Any) -> np.ndarray:
    return np.array(list(values), np.uint64)


@settings(max_examples=25, deadline=None)
@given(st.lists(notes, max_size=6), st.lists(ids, max_size=20))
def test_what_was_noted_is_known(groups, others):
    known, expected = Catalogued(), {}
    for group in groups:
        of_group = {identity: (number, time) for identity, number, time in group}
        numbers = np.array([number for number, _ in of_group.values()], np.int32)
        times = u64(time for _, time in of_group.values())
        known.note(u64(of_group), numbers, times, times)
        for identity, (number, _) in of_group.items():
            expected.setdefault(identity, number)
    asked = [*expected, *others]
    slots = known.find(u64(asked))
    found = [int(known.number[slot]) if slot >= 0 else None for slot in slots.tolist()]
    assert found == [expected.get(identity) for identity in asked]
    assert len(known) == len(expected)


def test_a_series_is_due_at_an_earlier_time_and_once_an_hour():
    known = Catalogued()
    rng = np.random.default_rng(1)
    many = rng.integers(1, 2**63, 5000, dtype=np.uint64)
    at = np.full(len(many), NOW, np.uint64)
    known.note(many, np.zeros(len(many), np.int32), at, at)
    slots = known.find(many)
    assert not known.due(slots, at).any()
    assert known.due(slots, at - np.uint64(1)).all()
    assert known.due(slots, at + np.uint64(HOUR)).all()
    # Not all at one moment: of ten minutes, about a sixth.
    share = float(known.due(slots, at + np.uint64(HOUR // 6)).mean())
    assert 0.1 < share < 0.25


def test_of_too_many_series_those_seen_last_stay():
    known = Catalogued(most=1000)
    old, new = np.arange(1, 901, dtype=np.uint64), np.arange(5000, 5600, dtype=np.uint64)
    times = np.full(len(old), NOW, np.uint64)
    times[:450] -= np.uint64(9 * HOUR)
    known.note(old, np.full(len(old), 1, np.int32), times, times)
    late = np.full(len(new), NOW, np.uint64)
    known.note(new, np.full(len(new), 2, np.int32), late, late)
    assert len(known) <= 1100
    assert (known.find(new) >= 0).all()
    assert (known.find(old[450:]) >= 0).sum() > (known.find(old[:450]) >= 0).sum()


_LAYOUTS = [["value"], [BITS], [WHOLE, BITS], [WHOLE, COUNTED, BITS], [NUMBER, COUNTED, BITS], list(HOLDING)]

some_points = st.lists(
    st.tuples(
        st.sampled_from([series("b", pod="1"), series("a", pod="1"), series("a", pod="2"), series("é")]),
        st.sampled_from([NOW, NOW + SECOND, NOW + 3 * HOUR, NOW + DAY, NOW - 200 * DAY]),
        st.integers(0, 2),
        st.sampled_from([0.0, -0.0, 1.5, -2.0]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(some_points, st.sampled_from(_LAYOUTS))
def test_rows_are_in_the_order_of_the_table_and_each_once(drawn, columns):
    made = batch(drawn)
    names = sorted({one.metric for one in made.series.values()}, reverse=True)
    metric = np.array([names.index(made.series[int(key)].metric) for key in made.series_id], np.int32)

    def bits(value: float) -> int:
        return int(np.float64(value).view(np.uint64))

    def kept(start: int, value: float) -> tuple[float, ...]:
        if len(columns) == 1:
            return (bits(value + 0.0),) if columns == [BITS] else (value + 0.0,)
        if WHOLE not in columns:
            steps, ones = (int(value), 0) if value.is_integer() else (int(value * 1e3), bits(1e3))
            counted, number = (steps, 0) if start else (0, steps)
            apart = (number & 255, number >> 8 & 255, number >> 16 & 255, number >> 24)
            return (*(apart if columns == list(HOLDING) else (number,)), counted, ones)
        if COUNTED in columns and start and value.is_integer():
            return (0, int(value), 0)
        whole = (int(value), 0) if value.is_integer() else (0, bits(value))
        return whole if COUNTED not in columns else (whole[0], 0, whole[1])

    def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
        value = tuple(row[column] for column in columns)
        return (row["metric"].encode(), row["time"] // BLOCK_NS, row["series_id"], row["time"], value)

    tables = [table.to_pylist() for table in in_order(made, metric, names, columns)]
    expected = {}
    for one, time, start, value in drawn:  # of the same points the last stays
        expected[one.metric.encode(), time // BLOCK_NS, one.id, time, kept(start, value)] = start
    rows = [row for table in tables for row in table]
    assert {key_of(row): row["start"] for row in rows} == expected
    assert len(rows) == len(expected)
    for table in tables:
        keys = [key_of(row) for row in table]
        assert keys == sorted(keys)
        assert len({row["time"] // DAY for row in table}) <= MOST_DAYS


def unread(*messages: list[Series]) -> tuple[Unread[Series], list[int]]:
    """Messages that say which of the series they hold by their number, and which of them were read."""
    read: list[int] = []

    def series_in(message: bytes) -> list[Series]:
        read.append(message[0])
        return messages[message[0]]

    named = [b"".join(one.id.to_bytes(8, "little") for one in message) for message in messages]
    return Unread(named, [bytes([number]) for number in range(len(messages))], series_in), read


def test_only_messages_that_are_asked_for_are_read():
    a, b, c, d = (series(name) for name in "abcd")
    told, read = unread([a, b], [c])
    held = SeriesOfBatch.union([SeriesOfBatch({}, [told]), {d.id: d}])
    assert series_of(held, {c.id, d.id}) == {c.id: c, d.id: d}
    assert read == [1]
    # What lies in the same message comes with it.
    assert series_of(held, {a.id}) == {a.id: a, b.id: b}
    assert set(held) == {a.id, b.id, c.id, d.id}
    assert set(held.limited_to({a.id, d.id})) == {a.id, d.id}


def test_a_store_reads_what_it_does_not_know(embedded: Store) -> None:
    """After a failure, or in another process: the catalog is complete though the decoder read nothing."""
    a, b = series("a", pod="1"), series("b", pod="2")
    told, read = unread([a], [b])

    def arrive(at: int) -> Batch:
        times = np.full(2, at, np.uint64)
        held = SeriesOfBatch({}, [told])
        return Batch(held, u64([a.id, b.id]), times, np.zeros(2, np.uint64), np.array([1.0, 2.0]))

    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no room")

    insert = embedded.engine.insert
    embedded.engine.insert = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no room"):
        embedded.append(arrive(NOW))
    embedded.engine.insert = insert  # type: ignore[method-assign]
    embedded.append(arrive(NOW))
    assert read == [0, 1, 0, 1]
    embedded.append(arrive(NOW + SECOND))
    assert read == [0, 1, 0, 1]  # known now
    embedded.append(arrive(NOW + HOUR))
    assert read == [0, 1, 0, 1, 0, 1]  # due again, once an hour
