"""What the store makes of points, against a recount of them one by one, on every engine."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from engines.fleet import emptied
from helpers import DAY, HOUR, MINUTE, NOW, SECOND, Point, batch, examples, observations, search, series
from kubestray.model.metric import Kind, Series
from kubestray.store.points import Selection, Span, measured
from kubestray.store.schema import Layout
from kubestray.store.store import Store
from kubestray.store.values import COLUMNS, KEY, NUMBER

quick = settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)

SERIES = [
    series("a", Kind.GAUGE, pod="1"),
    series("a", Kind.GAUGE, pod="2"),
    series("b", Kind.CUMULATIVE, pod="1"),
    series("b", Kind.DELTA, pod="1"),
]
EVERY_KIND = frozenset(Kind)
LAST = 2**64 - 1

times = st.one_of(
    st.integers(0, 400).map(lambda step: NOW + step * 17 * SECOND),
    st.sampled_from([0, 1, DAY - 1, DAY, 2**63 - 1, 2**63, LAST - 1, LAST]),
)
values = st.sampled_from([0.0, 1.0, 2.5, 1e12, 1e12 + 0.25, 1e-300, 5e-324, 1.7e308])
points = st.tuples(st.sampled_from(SERIES), times, values).map(
    # The start follows from the time: the same point is the same in all its fields.
    lambda drawn: (drawn[0], drawn[1], drawn[1] // DAY * 7, drawn[2])
)


def read(store: Store, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in store.query(parse_one(sql, dialect="clickhouse")).to_pylist()]


@quick
@given(
    sent=st.lists(st.lists(points, min_size=1, max_size=8), max_size=6),
    again=st.randoms(use_true_random=False),
)
def test_each_point_is_kept_once_however_it_is_sent(
    store: Store, sent: list[list[Point]], again: Any
) -> None:
    fresh = emptied(store)
    resent = [again.sample(part, again.randint(1, len(part))) for part in again.sample(sent, len(sent) // 2)]
    for part in sent + resent:
        fresh.append(batch(part))
    expected = {(s.metric, s.id, time, start, value) for part in sent for s, time, start, value in part}
    query = "SELECT metric, series_id, time, start, value FROM samples"
    found = read(fresh, query)
    assert set(found) == expected
    assert len(found) == len(expected)
    fresh.engine.execute("OPTIMIZE TABLE samples_local FINAL")
    assert sorted(read(fresh, query)) == sorted(expected)


COUNTER = series("sent", Kind.CUMULATIVE, pod="1")
OTHER = series("sent", Kind.CUMULATIVE, pod="2")
READING = series("sent", Kind.GAUGE, pod="3")

steps = st.sampled_from([0, 1, 10 * SECOND, 30 * MINUTE, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR])
counts = st.sampled_from([0.0, 1.0, 7.0, 7.5, 100.0, 1e12, 1e12 + 1])


@st.composite
def counters(draw: st.DrawFn) -> list[Point]:
    """Points of two counters and a reading: with restarts, resets, gaps and two values for one moment."""
    made: list[Point] = []
    for one in (COUNTER, OTHER, READING):
        time, start = NOW, draw(st.sampled_from([0, 5]))
        for _ in range(draw(st.integers(0, 8))):
            time += draw(steps)
            if draw(st.integers(0, 4)) == 0:
                start = draw(st.sampled_from([0, 5, time]))
            made.append((one, time, start, draw(counts)))
    unique = {(s.id, time, value): (s, time, start, value) for s, time, start, value in made}
    return draw(st.permutations(list(unique.values())))


edges = st.one_of(st.none(), st.builds(lambda a, b: NOW + a + b, steps, steps))


@quick
@given(sent=counters(), cut=st.integers(0, 24), earliest=edges, latest=edges)
def test_increases_equal_a_recount(
    store: Store, sent: list[Point], cut: int, earliest: int | None, latest: int | None
) -> None:
    fresh = emptied(store)
    fresh.append(batch(sent[cut:]))
    fresh.append(batch(sent[:cut]))
    start, end = earliest or 0, latest if latest is not None else LAST
    expected = [(s.metric, s.id, t, v) for s, t, v in observations(sent) if start <= t < end]
    kinds = frozenset(s.kind for s, *_ in sent)
    tree = measured(Selection(("sent",), kinds, None, Span(start, latest)))
    assert Counter(tuple(row.values()) for row in fresh.query(tree).to_pylist()) == Counter(expected)


def test_a_counter_at_the_end_of_time(store: Store) -> None:
    store.append(batch([(COUNTER, LAST - SECOND, 0, 5.0), (COUNTER, LAST, 0, 7.0)]))
    tree = measured(Selection(("sent",), frozenset({Kind.CUMULATIVE}), None, Span()))
    assert [row["value"] for row in store.query(tree).to_pylist()] == [2.0]


def test_the_lookback_reaches_exactly_an_hour(store: Store) -> None:
    store.append(
        batch([(COUNTER, NOW, 0, 5.0), (COUNTER, NOW + HOUR, 0, 7.0), (COUNTER, NOW + 2 * HOUR + 1, 0, 9.0)])
    )
    for earliest, expected in [(0, [2.0]), (NOW + HOUR, [2.0]), (NOW + HOUR + 1, [])]:
        tree = measured(Selection(("sent",), frozenset({Kind.CUMULATIVE}), None, Span(earliest)))
        assert [row["value"] for row in store.query(tree).to_pylist()] == expected


def test_a_late_point_changes_the_increase_after_it(store: Store) -> None:
    store.append(batch([(COUNTER, NOW, 1, 100.0), (COUNTER, NOW + 20 * SECOND, 1, 130.0)]))
    text = "| mstats sum(sent) as s where index=* span=10s | fields - _time"
    assert search(store, text).rows == [{"s": 30}]
    store.append(batch([(COUNTER, NOW + 10 * SECOND, 1, 125.0)]))
    assert search(store, text).rows == [{"s": 25}, {"s": 5}]


@quick
@given(sent=st.lists(st.lists(points, min_size=1, max_size=6), min_size=1, max_size=5), restart=st.booleans())
def test_the_catalog_knows_when_series_were_seen(
    store: Store, sent: list[list[Point]], restart: bool
) -> None:
    fresh = emptied(store)
    for part in sent:
        if restart:
            fresh = Store(fresh.engine, fresh.layout)
        fresh.append(batch(part))
    everything = [point for part in sent for point in part]
    found = {row[0]: row[1:] for row in read(fresh, "SELECT series_id, first_seen, last_seen FROM series")}
    assert found.keys() == {s.id for s, *_ in everything}
    for identity, (first, last) in found.items():
        seen = [time for s, time, *_ in everything if s.id == identity]
        assert first == min(seen)
        # The last sight is renewed once an hour, for each series at a moment of its own.
        assert last in seen
        assert max(seen) - last < HOUR


@quick
@given(sent=st.lists(points, max_size=12), window=st.tuples(times, times).map(sorted))
def test_a_search_over_any_range_finds_what_is_in_it(
    store: Store, sent: list[Point], window: list[int]
) -> None:
    fresh = emptied(store)
    for part in (sent[::2], sent[1::2]):
        fresh.append(batch(part))
    expected = Counter(
        (dict(s.attributes)["pod"], s.metric) for s, t, _ in observations(sent) if window[0] <= t < window[1]
    )
    found = search(fresh, "| mstats count(*) as * where index=* by pod", span=Span(*window))
    assert {
        (row["pod"], metric): n for row in found.rows for metric, n in row.items() if metric != "pod" and n
    } == expected


def test_points_at_the_edges_of_time_come_back(store: Store) -> None:
    made = series("m")
    moments = [0, 1, 999_999_999, 2**63 - 1, 2**63, LAST]
    store.append(batch((made, time, 0, float(n)) for n, time in enumerate(moments)))
    assert read(store, "SELECT time FROM samples ORDER BY value") == [(time,) for time in moments]
    found = search(store, "| mpreview index=* | fields _time _value").rows
    assert [row["_value"] for row in found] == [0, 1, 2, 3, 4, 5]
    assert [row["_time"] for row in found] == pytest.approx([time / 1e9 for time in moments], rel=1e-15)
    found = search(store, "| mstats count(m) as n where index=* span=1d | fields n").rows
    assert [row["n"] for row in found] == [3, 2, 1]


@pytest.mark.more("http")
def test_a_batch_of_scattered_days(store: Store) -> None:
    days = [*range(0, 300, 2), 20_000, 100_000, LAST // DAY]
    store.append(batch((series("m"), min(day * DAY + 5, LAST), 0, 1.0) for day in days))
    assert read(
        store, "SELECT count() AS n, count(DISTINCT intDiv(time, 86400000000000)) AS d FROM samples"
    ) == [(len(days), len(days))]


@pytest.mark.parametrize(
    "value",
    [1e12 + 0.1, 5e-324, 1.7976931348623157e308, 0.1, -3.5, 123456789.123456789, 7.0, -(2.0**53), 2.0**63],
)
def test_values_come_back_to_the_last_bit(store: Store, value: float) -> None:
    store.append(batch([(series("m"), NOW, 0, value)]))
    (row,) = search(store, "| mstats avg(m) as a sum(m) as s max(m) as x latest(m) as l where index=*").rows
    assert row == {"a": value, "s": value, "x": value, "l": value}
    (row,) = search(store, "| mpreview index=* | fields _value | fields - _time").rows
    assert row == {"_value": value}


def test_attributes_come_back_as_they_were_sent(store: Store) -> None:
    odd = {"": "", "k8s.pod.name": "it's", "ü🐍": "\x00\n\t\\", '"': "`", "long": "x" * 100_000}
    store.append(batch([(Series.of("m", Kind.GAUGE, "By", odd), NOW, 0, 1.0)]))
    (row,) = read(store, "SELECT attributes, unit, metric, kind FROM series")
    assert dict(row[0]) == odd
    assert row[1:] == ("By", "m", "gauge")


@pytest.mark.parametrize(
    ("columns", "order"),
    [
        ("value Float64 CODEC(ZSTD(1))", "value"),
        ("bits UInt64, value Float64 ALIAS reinterpretAsFloat64(bits)", "bits"),
        (
            "whole Int64, bits UInt64, "
            "value Float64 ALIAS if(bits = 0, toFloat64(whole), reinterpretAsFloat64(bits))",
            "whole, bits",
        ),
        (
            "whole Int64, counted Int64, bits UInt64, value Float64 ALIAS if(bits = 0, toFloat64(whole + "
            "counted), if(counted = 0, reinterpretAsFloat64(bits), counted / reinterpretAsFloat64(bits)))",
            "whole, counted, bits",
        ),
    ],
)
def test_a_table_made_when_values_were_held_otherwise_goes_on(
    embedded: Store, columns: str, order: str
) -> None:
    points = [(READING, NOW + second * SECOND, 0, second / 3) for second in range(4)]
    points += [(READING, NOW + HOUR + second * SECOND, NOW, 100.25 + second) for second in range(4)]
    embedded.engine.execute("DROP TABLE samples_local")
    made = next(one for one in Layout().statements() if "samples_local" in one)
    earlier = made.replace(COLUMNS, columns).replace(f"time, {KEY})", f"time, {order})")
    assert NUMBER not in earlier
    embedded.engine.execute(earlier)
    try:
        store = Store(embedded.engine, clock=lambda: NOW)
        store.create()
        for _ in range(2):
            store.append(batch(points))
        found = read(store, "SELECT metric, series_id, time, start, value FROM samples")
        assert sorted(found) == sorted(
            (s.metric, s.id, time, start, value) for s, time, start, value in points
        )
    finally:
        embedded.engine.execute("DROP TABLE samples_local")
        embedded.create()


def test_minus_zero_is_zero(store: Store) -> None:
    store.append(batch([(READING, NOW, 0, 0.0), (READING, NOW, 0, -0.0)]))
    assert len(read(store, "SELECT value FROM samples")) == 1
