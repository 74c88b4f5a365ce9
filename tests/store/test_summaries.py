"""Summaries say what the points say, whatever comes late, twice or out of order, on every engine."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from engines.fleet import emptied
from helpers import DAY, HOUR, MINUTE, NOW, SECOND, Point, batch, examples, more, series
from kubestray.model.metric import Kind, Series
from kubestray.search.run import Request, compile_search, run_search
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

START = NOW // DAY * DAY - 3 * DAY
WITHOUT = ("process.pid",)
EVERY = (
    "avg(*) AS a.* count(*) AS n.* sum(*) AS s.* min(*) AS l.* max(*) AS m.* stdev(*) AS d.* var(*) AS v.* "
)
EVERY += "range(*) AS r.* stdevp(*) AS p.* varp(*) AS w.* sumsq(*) AS q.*"


class Clock:
    """A clock that tests move."""

    def __init__(self, time: int) -> None:
        self.time = time

    def __call__(self) -> int:
        return self.time


def fleet_series(dice: random.Random) -> list[Series]:
    kinds = (Kind.GAUGE, Kind.DELTA, Kind.CUMULATIVE)
    made = []
    for metric in ("cpu", "io"):
        for host in ("a", "b"):
            for pid in range(dice.randint(1, 3)):
                kind = dice.choice(kinds)
                made.append(series(metric, kind, host=host, **{"process.pid": str(pid)}))
    return [*made, series("cpu", Kind.GAUGE, host="c")]


def sent(dice: random.Random, made: list[Series], count: int) -> list[Point]:
    """Points over three days, many around the borders of hours and days."""
    scale = dice.choice([1.0, 1e-9, 1e12])
    points = []
    for _ in range(count):
        of = dice.choice(made)
        hour = START + dice.randint(0, 71) * HOUR
        time = dice.choice(
            [hour, hour - 1, hour + dice.randint(0, 3599) * SECOND, START + dice.randint(0, 3) * DAY]
        )
        value = scale * dice.choice(
            [dice.random(), 1.0 + dice.randint(0, 5) * 1e-3, float(dice.randint(0, 100))]
        )
        points.append((of, time, dice.choice([0, START, hour]), value))
    return points


def answers(
    store: Store, text: str, span: Span, *, summaries: bool, zone: str = "UTC"
) -> list[dict[str, Any]]:
    request = Request(text, NOW, span, summaries=summaries, timezone=zone)
    return run_search(request, store.query).rows


def assert_same(store: Store, text: str, span: Span, zone: str = "UTC") -> None:
    found = answers(store, text, span, summaries=True, zone=zone)
    expected = answers(store, text, span, summaries=False, zone=zone)
    assert len(found) == len(expected), (text, span)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys(), (text, span)
        for name, value in theirs.items():
            if isinstance(value, str):
                assert ours[name] == value
            else:
                assert math.isclose(ours[name], value, rel_tol=1e-9, abs_tol=1e-300), (
                    *(text, span, name, ours, theirs),
                )


few = settings(
    max_examples=examples(1),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@few
@given(seed=st.integers(0, 2**32))
def test_summaries_answer_as_the_points_do(store: Store, seed: int) -> None:
    dice = random.Random(seed)
    clock = Clock(START)
    fresh = Store(emptied(store).engine, store.layout, clock)
    summariser = Summariser(fresh, WITHOUT)
    made = fleet_series(dice)
    for _ in range(3):
        clock.time += dice.choice([HOUR, DAY, DAY + HOUR // 2])
        points = sent(dice, made, dice.randint(1, 60))
        fresh.append(batch(points + points[: dice.randint(0, 5)]))
        for _ in range(dice.randint(0, 3)):
            summariser.pass_once()
        if dice.random() < 0.3:
            summariser = Summariser(fresh, WITHOUT)
            summariser.catch_up()
        edges = sorted(
            START + dice.choice([0, HOUR, 7 * MINUTE + 1]) * dice.randint(-2, 80) for _ in range(2)
        )
        spans = [dice.choice([Span(), Span(edges[0])]), Span(START, START + 3 * DAY), Span(*edges)]
        by = dice.choice(["BY host", "", "BY host metric_name", "BY process.pid", "BY host span=1h"])
        where = dice.choice(["index=*", "index=* host=a", "index=* process.pid=1", "index=* NOT host=a*"])
        for span in spans:
            assert_same(fresh, f"| mstats {EVERY} WHERE {where} {by}", span)
        if dice.random() < 0.3:
            clock.time -= 5 * HOUR  # somebody sets it back


def test_it_is_summaries_that_answer(store: Store) -> None:
    clock = Clock(START)
    fresh = Store(store.engine, store.layout, clock)
    of = series("cpu", Kind.GAUGE, host="a", **{"process.pid": "1"})
    fresh.append(batch([(of, START + n * 10 * MINUTE, 0, float(n % 7)) for n in range(6 * 60)]))
    clock.time = START + 60 * HOUR
    summariser = Summariser(fresh, WITHOUT)
    assert summariser.catch_up() == 59
    assert summariser.catch_up() == 0
    request = Request("| mstats avg(cpu) WHERE index=* BY host", NOW, Span(START + HOUR + 1, clock.time))
    told = compile_search(request, fresh.query).explain(fresh.query)
    assert "summaries of days" in told
    assert "summaries of hours" in told
    assert "from samples\n" not in told
    rows = ("22 rows of summaries", "1 rows of summaries", "11 rows of summaries", "5 samples", "6 samples")
    assert "rows read of metrics\n  " + "\n  ".join(rows) + "\n" in told
    of_pids = Request("| mstats avg(cpu) WHERE index=* BY process.pid", NOW, request.span)
    assert "from samples\n" in compile_search(of_pids, fresh.query).explain(fresh.query)


@pytest.mark.more("http", "distributed")
def test_a_late_point_counts_at_once(store: Store) -> None:
    clock = Clock(START + 26 * HOUR)
    fresh = Store(store.engine, store.layout, clock)
    of = series("cpu", Kind.GAUGE, host="a")
    fresh.append(batch([(of, START + n * HOUR, 0, 1.0) for n in range(25)]))
    summariser = Summariser(fresh, ())
    summariser.catch_up()
    text, span = "| mstats sum(cpu) AS s count(cpu) AS n WHERE index=*", Span(START, START + DAY)
    assert answers(fresh, text, span, summaries=True) == [{"s": 24, "n": 24}]
    fresh.append(batch([(of, START + 3 * HOUR + 1, 0, 5.0)]))
    assert answers(fresh, text, span, summaries=True) == [{"s": 29, "n": 25}]
    assert summariser.catch_up() == 1
    assert "summaries of days" in compile_search(Request(text, NOW, span), fresh.query).explain(fresh.query)
    assert answers(fresh, text, span, summaries=True) == [{"s": 29, "n": 25}]


@pytest.mark.more("http")
def test_a_counter_across_the_border_of_an_hour(store: Store) -> None:
    clock = Clock(START + 10 * HOUR)
    fresh = Store(store.engine, store.layout, clock)
    of = series("sent", Kind.CUMULATIVE, host="a")
    edge = START + 3 * HOUR
    fresh.append(batch([(of, edge - 20 * SECOND, 1, 100.0), (of, edge + 10 * SECOND, 1, 160.0)]))
    summariser = Summariser(fresh, ())
    summariser.catch_up()
    text = "| mstats sum(sent) AS s WHERE index=* span=1h | fields - _time"
    assert answers(fresh, text, Span(), summaries=True) == [{"s": 60}]
    fresh.append(batch([(of, edge - 10 * SECOND, 1, 150.0)]))
    expected = [{"s": 50}, {"s": 10}]
    assert answers(fresh, text, Span(), summaries=True) == expected
    summariser.catch_up()
    assert answers(fresh, text, Span(), summaries=True) == expected


@pytest.mark.parametrize("without", [(), ("host",)])
def test_summaries_made_for_other_attributes_do_not_serve(embedded: Store, without: tuple[str, ...]) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + DAY))
    fresh.append(batch([(series("cpu", Kind.GAUGE, host=h), START, 0, 1.0) for h in "ab"]))
    Summariser(fresh, without).catch_up()
    text = "| mstats count(cpu) AS n WHERE index=* BY host"
    assert answers(fresh, text, Span(START, START + HOUR), summaries=True) == [
        {"host": "a", "n": 1},
        {"host": "b", "n": 1},
    ]
    told = compile_search(Request(text, NOW, Span(START, START + HOUR)), fresh.query).explain(fresh.query)
    assert ("summaries of hours" in told) == (not without)


def test_notice_is_taken_of_points_of_all_times(embedded: Store) -> None:
    """An INSERT takes a hundred partitions at most; points may be of any time that a number can say."""
    of = series("cpu", Kind.CUMULATIVE, host="a")
    embedded = Store(embedded.engine, embedded.layout, Clock(NOW))
    embedded.append(batch([(of, n * 40 * DAY, 0, float(n)) for n in range(110)]))
    hours = embedded.query(parse_one("SELECT hour FROM touched", dialect="clickhouse"))
    assert set(hours.column("hour").to_pylist()) == {
        n * 40 * 24 + next_one for n in range(110) for next_one in (0, 1)
    }


def test_days_on_which_the_clocks_change(embedded: Store) -> None:
    """A day of the calendar has 23 or 25 hours then: days that are summarised (UTC) are not its days."""
    spring, autumn = 1_774_746_000 * SECOND, 1_792_886_400 * SECOND  # 2026-03-29 01:00 and -10-25 00:00 UTC
    clock = Clock(autumn + 3 * DAY)
    fresh = Store(embedded.engine, embedded.layout, clock)
    of = series("cpu", Kind.GAUGE, host="a")
    for edge in (spring, autumn):
        first = edge // DAY * DAY - DAY
        fresh.append(batch([(of, first + n * 30 * MINUTE, 0, 1.0) for n in range(3 * 48)]))
    Summariser(fresh, ()).catch_up()
    text = "| mstats count(cpu) AS n WHERE index=* span=1d | table n"
    for edge, hours in ((spring, 23), (autumn, 25)):
        day = edge // DAY * DAY
        # From midnight to midnight in Berlin, an hour or two before that in UTC.
        start = day - (1 if hours == 23 else 2) * HOUR
        request = Request(text, NOW, Span(start, start + hours * HOUR), timezone="Europe/Berlin")
        assert run_search(request, fresh.query).rows == [{"n": hours * 2}]
        whole = Request(text.replace(" span=1d", ""), NOW, request.span, timezone="Europe/Berlin")
        told = compile_search(whole, fresh.query).explain(fresh.query)
        assert "summaries of hours" in told
        assert run_search(whole, fresh.query).rows == [{"n": hours * 2}]


@pytest.mark.parametrize("zone", [more("UTC"), "America/New_York", "Asia/Kolkata"])
def test_days_of_a_zone_are_made_of_hours_where_they_begin_with_one(embedded: Store, zone: str) -> None:
    """Half an hour from UTC no bin does: points answer then. The clocks of New York change on 2026-11-01."""
    change = 1_793_491_200 * SECOND  # 2026-11-01 00:00 UTC
    fresh = Store(embedded.engine, embedded.layout, Clock(change + 6 * DAY))
    of = [series("cpu", Kind.GAUGE, host=host) for host in ("a", "b")]
    times = [change + n * 30 * MINUTE - late for n in range(-3 * 48, 3 * 48) for late in (0, 1)]
    fresh.append(batch([(one, time, 0, float(time // MINUTE % 7)) for one in of for time in times]))
    Summariser(fresh, ()).catch_up()
    asked = Span(change - 2 * DAY + 90 * MINUTE, change + 2 * DAY + 90 * MINUTE)
    for span in ("1d", "1w@w1", "1mon"):
        text = f"| mstats {EVERY} WHERE index=* BY host span={span}"
        told = compile_search(Request(text, NOW, asked, timezone=zone), fresh.query).explain(fresh.query)
        assert ("summaries of hours" in told) == (zone != "Asia/Kolkata"), span
        assert f" of {zone} over" in told or (zone == "UTC" and span == "1d")
        assert_same(fresh, text, asked, zone)


def test_a_point_just_before_midnight_is_of_the_day_before(embedded: Store) -> None:
    midnight = 1_794_027_600 * SECOND  # 2026-11-07 in New York
    fresh = Store(embedded.engine, embedded.layout, Clock(midnight + DAY))
    of = series("cpu", Kind.GAUGE, host="a")
    fresh.append(batch([(of, midnight + late, 0, 1.0) for late in (-2, -1, 0, 1)]))
    request = Request(
        "| mstats count(cpu) AS n WHERE index=* span=1d", NOW, Span(0, None), timezone="America/New_York"
    )
    before, after = (midnight - DAY) // SECOND, midnight // SECOND
    assert run_search(request, fresh.query).rows == [{"_time": before, "n": 2}, {"_time": after, "n": 2}]


def test_who_has_nothing_to_do_asks_nothing_until_there_is_something(
    embedded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(START + 10 * MINUTE)
    fresh = Store(embedded.engine, embedded.layout, clock)
    asked: list[str] = []

    def without() -> tuple[str, ...]:
        asked.append("without")
        return WITHOUT

    summariser = Summariser(fresh, without)
    query = Store.query

    def counted(self: Store, *given: Any) -> Any:
        asked.append("query")
        return query(self, *given)

    monkeypatch.setattr(Store, "query", counted)
    assert summariser.pass_once() == 0
    assert "without" not in asked
    asked.clear()
    assert summariser.pass_once() == 0
    assert not asked
    of = series("cpu", Kind.GAUGE, host="a", **{"process.pid": "1"})
    fresh.append(batch([(of, START + MINUTE, 0, 1.0)]))
    clock.time += HOUR
    assert summariser.pass_once() == 1  # an hour has ended
    assert asked.count("without") == 1
    (groups,) = query(fresh, parse_one("SELECT attributes FROM groups", dialect="clickhouse")).to_pylist()
    assert dict(groups["attributes"]) == {"host": "a"}
    assert summariser.pass_once() == 0
    fresh.append(batch([(of, START + 2 * MINUTE, 0, 1.0)]))
    assert summariser.pass_once() == 1  # a point came late
    assert summariser.pass_once() == 0
    asked.clear()
    assert summariser.pass_once() == 0
    assert not asked
    with fresh.writing.to(batch([(of, START + 3 * MINUTE, 0, 1.0)])):
        fresh.append(batch([(of, START + 3 * MINUTE, 0, 1.0)]))
        assert summariser.pass_once() == 0  # the hour is being written to
    assert summariser.pass_once() == 1
