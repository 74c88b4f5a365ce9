"""Only whole days that have expired are dropped."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from engines.fleet import emptied
from helpers import DAY, HOUR, MINUTE, NOW, SECOND, batch, examples, search, series
from kubestray.model.metric import Kind
from kubestray.store.expiry import expire, expire_summaries
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

TODAY = NOW // DAY


def moments(store: Store) -> list[int]:
    found = store.query(parse_one("SELECT time FROM samples ORDER BY time", dialect="clickhouse"))
    return [int(time) for time in found.column("time").to_pylist()]


@settings(
    max_examples=examples(2),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    times=st.lists(
        st.one_of(
            st.integers(0, 4 * DAY), st.integers((TODAY - 3) * DAY, NOW), st.integers(0, 3).map(DAY.__mul__)
        ),
        min_size=1,
        max_size=8,
        unique=True,
    ),
    before=st.one_of(st.integers(0, 5 * DAY), st.integers((TODAY - 3) * DAY, NOW), st.just(-1), st.just(DAY)),
)
def test_days_that_lie_wholly_before_are_dropped(store: Store, times: list[int], before: int) -> None:
    fresh = Store(emptied(store).engine, store.layout, lambda: NOW + DAY)
    fresh.append(batch((series("m", pod=str(n % 2)), time, 0, 1.0) for n, time in enumerate(times)))
    Summariser(fresh, ()).catch_up()
    gone = {time // DAY for time in times if (time // DAY + 1) * DAY <= before}
    assert expire(fresh, before) == sorted(gone)
    assert moments(fresh) == sorted(time for time in times if time // DAY not in gone)
    assert expire(fresh, before) == []


def test_what_is_dropped_can_be_sent_again(store: Store) -> None:
    store = Store(store.engine, store.layout, lambda: NOW)
    store.append(batch([(series("m"), SECOND, 0, 1.0)]))
    assert expire(store, 2 * DAY) == []  # it is not summarised yet
    Summariser(store, ()).catch_up()
    assert expire(store, 2 * DAY) == [0]
    store.append(batch([(series("m"), SECOND, 0, 1.0)]))
    assert moments(store) == [SECOND]


def test_an_empty_store_has_nothing_to_drop(store: Store) -> None:
    assert expire(store, NOW) == []


@pytest.mark.more("http")
def test_summaries_answer_for_what_has_expired(store: Store) -> None:
    fresh = Store(store.engine, store.layout, lambda: NOW)
    start = (TODAY - 3) * DAY
    points = [(series("m", pod=pod), start + n * HOUR, 0, float(n)) for n in range(60) for pod in "ab"]
    fresh.append(batch(points))
    text, span = "| mstats sum(m) AS s count(m) AS n max(m) AS x WHERE index=* BY pod", Span(start, NOW)
    before = search(fresh, text, span=span)
    Summariser(fresh, ()).catch_up()
    assert expire(fresh, start + 2 * DAY) == [TODAY - 3, TODAY - 2]
    assert len(moments(fresh)) == 2 * 12
    after = search(fresh, text, span=span)
    assert (after.rows, after.annotations) == (before.rows, [])
    # What comes for a day that has expired counts too.
    fresh.append(batch([(series("m", pod="a"), start + 5, 0, 100.0)]))
    Summariser(fresh, ()).catch_up()
    (first, second) = search(fresh, text, span=span).rows
    assert first == {"pod": "a", "s": before.rows[0]["s"] + 100, "n": 61, "x": 100}
    assert second == before.rows[1]


def test_a_result_without_what_has_expired_says_so(embedded: Store) -> None:
    fresh = Store(embedded.engine, embedded.layout, lambda: NOW)
    start = (TODAY - 3) * DAY
    fresh.append(batch([(series("m"), start + n * HOUR, 0, float(n)) for n in range(60)]))
    Summariser(fresh, ()).catch_up()
    expire(fresh, start + 2 * DAY)
    for text in (
        "| mstats avg(m) WHERE index=* span=10s",
        "| mpreview index=*",
        "| mstats latest(m) WHERE index=*",
    ):
        (note,) = search(fresh, text, span=Span(start, NOW)).annotations
        assert "the points of 2 days from 2026-09-18 to 2026-09-19 have expired" in str(note)
        assert search(fresh, text, span=Span(start + 2 * DAY, NOW)).annotations == []


def test_summaries_expire_by_months(embedded: Store) -> None:
    month = 31 * DAY
    fresh = Store(embedded.engine, embedded.layout, lambda: NOW)
    fresh.append(batch([(series("m"), n * month + DAY, 0, 1.0) for n in range(3)]))
    Summariser(fresh, ()).catch_up()
    assert expire_summaries(fresh, 2 * month - 1) == [0]
    assert expire_summaries(fresh, 2 * month) == [1]
    text = "| mstats count(m) AS n WHERE index=*"
    assert search(fresh, text).rows == [{"n": 3}]  # the points are still there


def test_ranges_at_the_border_of_retention(embedded: Store) -> None:
    """Points are there from a midnight on: what a range takes before it comes from whole hours alone."""
    fresh = Store(embedded.engine, embedded.layout, lambda: NOW)
    start = (TODAY - 2) * DAY
    fresh.append(batch([(series("m"), start + n * HOUR // 2, 0, 1.0) for n in range(96)]))
    Summariser(fresh, ()).catch_up()
    assert expire(fresh, start + DAY) == [TODAY - 2]
    text, edge = "| mstats count(m) AS n WHERE index=*", start + DAY
    for span, count, lacking in (
        (Span(edge, edge + HOUR), 2, False),
        (Span(edge - 1, edge + HOUR), 2, True),
        (Span(edge - HOUR, edge + 1), 3, False),
        (Span(edge - 90 * 60 * SECOND, edge + HOUR), 4, True),  # half an hour is gone
        (Span(edge - DAY, edge + HOUR), 50, False),
    ):
        found = search(fresh, text, span=span)
        assert (found.rows, bool(found.annotations)) == ([{"n": count}], lacking), span


def test_a_counter_lacks_the_points_before_the_first_that_are_kept(embedded: Store) -> None:
    """Its first increase after a day that has expired is over a point of that day: a result says so."""
    fresh = Store(embedded.engine, embedded.layout, lambda: NOW)
    edge = (TODAY - 1) * DAY
    for metric, kind in (("c", Kind.CUMULATIVE), ("m", Kind.GAUGE)):
        of = series(metric, kind)
        fresh.append(batch([(of, edge + n * 5 * MINUTE, 0, n + 300.0) for n in range(-288, 100)]))
    Summariser(fresh, ()).catch_up()
    assert expire(fresh, edge) == [TODAY - 2]
    for metric, text, first, end, lacking in (
        ("c", "span=5m", 0, 2 * HOUR, True),
        ("c", "span=5m", HOUR, 2 * HOUR, False),
        ("c", "span=1h", 0, 2 * HOUR, False),  # summaries have it
        ("c", "", MINUTE, 2 * HOUR, True),
        ("c", "", -2 * HOUR, 2 * HOUR, False),
        ("m", "span=5m", 0, 2 * HOUR, False),
    ):
        span = Span(edge + first, edge + end)
        result = search(fresh, f"| mstats sum({metric}) AS s WHERE index=* {text}", span=span)
        notes = [str(note) for note in result.annotations]
        assert ["the points of 1 days" in note for note in notes] == [True] * lacking, (metric, text, first)
