"""Percentiles from sketches are as near as is told, whatever comes late or twice; points answer exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from engines.fleet import emptied
from helpers import DAY, HOUR, MINUTE, NOW, SECOND, Point, batch, examples, observations, series
from kubestray.model.metric import Kind, Series
from kubestray.search import sources
from kubestray.search.kept import Kept
from kubestray.search.relation import Annotation
from kubestray.search.run import Request, Result, compile_search, run_search
from kubestray.store.expiry import expire, expire_summaries
from kubestray.store.places import ERROR, element, place, value_of
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser
from kubestray.store.trees import array, call, column, lambda_, named, number, one_of, select, text

START = NOW // DAY * DAY - 3 * DAY
WITHOUT = ("process.pid",)
TOLD = "from sketches where summaries answer"


class Clock:
    """A clock that tests move."""

    def __init__(self, time: int) -> None:
        self.time = time

    def __call__(self) -> int:
        return self.time


@pytest.fixture
def few() -> Iterator[None]:
    """Sketches answer for few points too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "FEW", 0)
        yield


def told(store: Store, text: str, span: Span) -> str:
    return compile_search(Request(text, NOW, span), store.query).explain(store.query)


def run(store: Store, text: str, span: Span, **more: Any) -> Result:
    return run_search(Request(text, NOW, span, **more), store.query)


def drawn(dice: random.Random, scale: float) -> float:
    """A number of any sign and size; every other one is one of few."""
    return scale * dice.choice(
        [0.0, 1.0, -1.0, 100.0, 1e12, dice.gauss(0, 1), dice.lognormvariate(0, 3), -dice.random()]
    )


def sent(dice: random.Random, made: list[Series], count: int) -> list[Point]:
    """Points over two days, many around the borders of hours and days; counters rise."""
    scale = dice.choice([1.0, 1e-9, 1e-300, 1e12])
    points = []
    for _ in range(count):
        of = dice.choice(made)
        hour = START + dice.randint(0, 47) * HOUR
        time = dice.choice([hour, hour - 1, hour + dice.randint(0, 3599) * SECOND])
        value = drawn(dice, scale)
        # A point of another start may be held as another one (`store.values`).
        points.append((of, time, 0, value))
    return points


def near(exact: float, low: float, high: float, part: float) -> Any:
    """What is as near to a percentile as each of its two numbers is told to be."""
    return pytest.approx(exact, rel=1e-9, abs=ERROR * ((1 - part) * abs(low) + part * abs(high)) * (1 + 1e-9))


def assert_near(rows: list[dict[str, Any]], points: list[Point], span: Span) -> None:
    """Compare rows by host with percentiles that are counted here, point by point."""
    values: dict[str, list[float]] = {}
    for of, time, value in observations(points):
        if of.metric == "cpu" and span.earliest <= time and (span.latest is None or time < span.latest):
            values.setdefault(dict(of.attributes)["host"], []).append(value)
    assert [row["host"] for row in rows] == sorted(values)
    for row in rows:
        own = np.array(values[row["host"]])
        for name, percent in (("p95", 95), ("p0", 0), ("p99.9", 99.9)):
            low, high = (np.percentile(own, percent, method=way) for way in ("lower", "higher"))
            part = (len(own) - 1) * percent / 100 % 1
            assert row[name] == near(np.percentile(own, percent), low, high, part), name
        middle = np.percentile(own, 50, method="higher")
        assert row["m"] == near(middle, middle, middle, 0)
        assert row["n"] == len(own)


ASKED = (
    "| mstats perc95(cpu) AS p95 count(cpu) AS n median(cpu) AS m upperperc0(cpu) AS p0 p99.9(cpu) AS p99.9 "
    "max(io) AS io WHERE index=* {} BY host"
)


@settings(
    max_examples=examples(1),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32))
def test_percentiles_are_as_near_as_is_told(store: Store, few: None, seed: int) -> None:
    dice = random.Random(seed)
    clock = Clock(START)
    fresh = Store(emptied(store).engine, store.layout, clock)
    summariser = Summariser(fresh, WITHOUT, ("c*",))
    kinds = (Kind.GAUGE, Kind.DELTA, Kind.CUMULATIVE)
    made = [
        series("cpu", dice.choice(kinds), host=host, **{"process.pid": str(pid)})
        for host in "ab"
        for pid in range(dice.randint(1, 3))
    ]
    made += [series("io", Kind.GAUGE, host="a")]
    points: list[Point] = [(made[0], START + n, 0, drawn(dice, 1.0)) for n in (1, 2)]
    fresh.append(batch(points))
    for hours in (26, dice.choice([1, 24, 36])):
        clock.time += hours * HOUR
        new = sent(dice, made, dice.randint(5, 100))
        fresh.append(batch(new + points[: dice.randint(0, 5)]))
        points += new
        for _ in range(dice.randint(1, 3)):
            summariser.pass_once()
        edges = sorted(START + dice.choice([HOUR, 7 * MINUTE + 1]) * dice.randint(-2, 60) for _ in range(2))
        check(fresh, points, Span(edges[0], edges[1] + 1), dice)
    summariser.catch_up()
    assert TOLD in str(check(fresh, points, Span(START, START + 2 * DAY), dice))


def check(store: Store, points: list[Point], span: Span, dice: random.Random) -> list[Annotation]:
    found = run(store, ASKED.format(dice.choice(["", "metric_name=cpu"])), span)
    assert_near([row for row in found.rows if "n" in row], points, span)
    return found.annotations


@pytest.mark.more("http", "distributed")
def test_it_is_sketches_that_answer(store: Store, few: None) -> None:
    fresh = Store(store.engine, store.layout, Clock(START + 60 * HOUR))
    of = series("cpu", Kind.GAUGE, host="a", **{"process.pid": "1"})
    fresh.append(batch([(of, START + n * 10 * MINUTE, 0, float(n % 7) + 1000) for n in range(6 * 60)]))
    summariser = Summariser(fresh, WITHOUT, ("cpu",))
    assert summariser.catch_up() == 59
    assert summariser.catch_up() == 0
    span = Span(START + HOUR + 1, START + 60 * HOUR)
    alone = "| mstats median(cpu) WHERE index=* BY host"
    found = told(fresh, alone, span)
    origins = found.partition(" from ")[2].partition("\n")[0]
    assert [part.partition(" [")[0] for part in origins.split("), ")] == [
        *("summaries of hours", "summaries of days", "summaries of hours", "samples", "samples")
    ]
    rows = ("22 rows of sketches", "1 rows of sketches", "11 rows of sketches", "5 samples", "6 samples")
    assert "rows read of metrics\n  " + "\n  ".join(rows) + "\n" in found
    told_so = (
        "median(cpu): from sketches where summaries answer, so each of the numbers that a percentile is made "
        "of is within 0.8 % of the exact one"
    )
    assert f"percentiles that are not exact\n  {told_so}\n" in found
    assert [str(one) for one in run(fresh, alone, span).annotations] == [told_so]
    both = told(fresh, "| mstats p90(cpu) min(cpu) WHERE index=*", span)
    assert "11 rows of summaries" in both
    assert "11 rows of sketches" in both
    for exactly in ("exactperc50(cpu)", "median(cpu) exactperc50(cpu)", "median(cpu) latest(cpu)"):
        text = f"| mstats {exactly} AS x WHERE index=*"
        assert "from samples\n" in told(fresh, text, span)
        assert run(fresh, text, span).annotations == []
    for text in ("| mstats median(cpu) WHERE index=* span=10m", alone.replace("host", "process.pid")):
        assert "from samples\n" in told(fresh, text, span)


def test_bins_of_whole_hours(store: Store, few: None) -> None:
    fresh = Store(store.engine, store.layout, Clock(START + 60 * HOUR))
    of = series("cpu", Kind.GAUGE, host="a")
    fresh.append(batch([(of, START + n * MINUTE, 0, float(n // 60)) for n in range(60 * 60)]))
    Summariser(fresh, (), ("cpu",)).catch_up()
    text = "| mstats perc95(cpu) AS p WHERE index=* span={}"
    found = run(fresh, text.format("1h"), Span(START, START + 60 * HOUR))
    # Whole numbers up to 128 are what they are.
    assert [row["p"] for row in found.rows] == list(range(60))
    assert len(found.annotations) == 1
    days = run(fresh, text.format("1d"), Span(START, START + 60 * HOUR))
    hours = [np.repeat(np.arange(24), 60) + 24 * day for day in range(3)]
    assert [row["p"] for row in days.rows] == [np.percentile(h[h < 60], 95) for h in hours]


def test_few_points_are_read(embedded: Store) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 60 * HOUR))
    fresh.append(
        batch([(series("cpu", host=h), START + n * MINUTE, 0, 1000.5) for n in range(300) for h in "ab"])
    )
    Summariser(fresh, (), ("cpu",)).catch_up()
    text, span = "| mstats median(cpu) AS m WHERE index=* host=a", Span(START, START + 59 * HOUR)
    assert run(fresh, text, span) == Result(["m"], [{"m": 1000.5}], [], ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "FEW", 299)  # of one host: what the clause leaves out is not counted
        assert run(fresh, text, span).rows == [{"m": 1000}]
        patch.setattr(sources, "FEW", 300)
        assert run(fresh, text, span).rows == [{"m": 1000.5}]


def test_a_late_point_counts_at_once(embedded: Store, few: None) -> None:
    clock = Clock(START + 26 * HOUR)
    fresh = Store(embedded.engine, embedded.layout, clock)
    of = series("cpu", Kind.GAUGE, host="a")
    fresh.append(batch([(of, START + n * HOUR, 0, 1.0) for n in range(25)]))
    summariser = Summariser(fresh, (), ("cpu",))
    summariser.catch_up()
    text, span = "| mstats p100(cpu) AS p WHERE index=*", Span(START, START + DAY)
    assert "from summaries of days" in told(fresh, text, span)
    fresh.append(batch([(of, START + 3 * HOUR + 1, 0, 5.0)]))
    assert "summaries of days" not in told(fresh, text, span)
    assert run(fresh, text, span).rows == [{"p": 5}]
    assert summariser.catch_up() == 1
    assert "from summaries of days" in told(fresh, text, span)
    assert run(fresh, text, span).rows == [{"p": 5}]


def test_a_metric_that_is_named_later_or_no_longer(embedded: Store, few: None) -> None:
    clock = Clock(START + 2 * DAY + HOUR)
    fresh = Store(embedded.engine, embedded.layout, clock)
    made = [series(metric, host="a") for metric in ("cpu", "cpu.io", "ram")]
    fresh.append(batch([(of, START + n * HOUR, 0, float(n)) for n in range(30) for of in made]))
    Summariser(fresh, ()).catch_up()
    assert not fresh.query(parse_one("SELECT hour FROM sketched")).num_rows
    text, span = "| mstats median(cpu) AS m WHERE index=*", Span(START, START + 2 * DAY)
    assert "from samples\n" in told(fresh, text, span)
    summariser = Summariser(fresh, (), lambda: ("cpu*",))
    assert summariser.pass_once() == 24  # the newest day first
    assert summariser.pass_once() == 24
    assert summariser.catch_up() == 0
    assert "from summaries of days [1789689600.000, 1789862400.000)\n" in told(fresh, text, span)
    assert run(fresh, text, span).rows == [{"m": 15}]
    sketches = fresh.query(parse_one("SELECT DISTINCT metric FROM sketches ORDER BY metric"))
    assert sketches.column("metric").to_pylist() == ["cpu", "cpu.io"]
    # What is summarised again without sketches is answered by points.
    fresh.append(batch([(made[0], START + MINUTE, 0, 7.0)]))
    Summariser(fresh, ()).catch_up()
    assert "summaries of hours" in told(fresh, text, span)
    assert f"samples [{START / 1e9:.3f}, {START / 1e9 + 3600:.3f})" in told(fresh, text, span)
    assert run(fresh, text, span).rows == [{"m": 14}]


def test_sketches_answer_for_what_has_expired(embedded: Store) -> None:
    fresh = Store(embedded.engine, embedded.layout, lambda: NOW)
    points = [(series("cpu", host="a"), START + n * MINUTE, 0, float(n % 100)) for n in range(60 * 60)]
    fresh.append(batch(points))
    Summariser(fresh, (), ("cpu",)).catch_up()
    assert len(expire(fresh, START + 2 * DAY)) == 2
    text, span = "| mstats {}(cpu) AS m WHERE index=*", Span(START, NOW)
    found = run(fresh, text.format("median"), span)
    assert (found.rows, TOLD in str(found.annotations)) == ([{"m": 50}], True)
    exact = run(fresh, text.format("exactperc50"), span)
    assert "have expired" in str(exact.annotations)
    assert TOLD not in str(exact.annotations)
    # What comes for a day that has expired counts too.
    fresh.append(batch([(series("cpu", host="a"), START + n, 0, 101.0) for n in range(1, 4000)]))
    Summariser(fresh, (), ("cpu",)).catch_up()
    assert run(fresh, text.format("median"), span).rows == [{"m": 101}]
    expire_summaries(fresh, START + 60 * DAY)
    assert not fresh.query(parse_one("SELECT 1 FROM sketches UNION ALL SELECT 1 FROM sketched")).num_rows


def test_what_a_pass_left_halfway_is_removed(embedded: Store, few: None) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 2 * HOUR))
    fresh.append(batch([(series("cpu", host=h, pid=h), START + n, 0, 1.0) for n in range(50) for h in "ab"]))
    record = fresh.record

    def dies(table: str, rows: pa.Table) -> None:
        if table == "summarised":
            raise KeyboardInterrupt
        record(table, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh, "record", dies)
        with pytest.raises(KeyboardInterrupt):
            Summariser(fresh, (), ("cpu",)).catch_up()
    Summariser(fresh, ("pid",), ("cpu",)).catch_up()
    (row,) = run(
        fresh, "| mstats median(cpu) AS m count(cpu) AS n WHERE index=*", Span(START, START + HOUR)
    ).rows
    assert row == {"m": 1, "n": 100}
    counts = fresh.query(parse_one("SELECT sum(arraySum(counts)) AS n FROM sketches", dialect="clickhouse"))
    assert counts.column("n").to_pylist() == [100]


def test_a_plan_that_is_kept_turns_to_sketches(embedded: Store, few: None) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 2 * DAY + HOUR))
    fresh.append(batch([(series("cpu", host="a"), START + n * MINUTE, 0, 1000.5) for n in range(2 * 1440)]))
    Summariser(fresh, ()).catch_up()
    kept = Kept(fresh.changes)
    request = Request("| mstats median(cpu) AS m WHERE index=*", NOW, Span(START, START + DAY + 1), kept=kept)
    exactly = run_search(request, fresh.query)
    assert (exactly.rows, exactly.annotations) == ([{"m": 1000.5}], [])
    assert compile_search(request, fresh.query).again
    Summariser(fresh, (), ("cpu",)).catch_up()
    nearly = run_search(request, fresh.query)
    assert (nearly.rows, len(nearly.annotations)) == ([{"m": 1000}], 1)
    again = compile_search(request, fresh.query)
    assert again.again
    assert again.annotations == nearly.annotations


def test_a_store_that_knew_no_sketches_goes_on(embedded: Store, few: None) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 2 * HOUR))
    for name in ("sketches", "sketched"):
        fresh.engine.execute(f"DROP VIEW {name}")
        fresh.engine.execute(f"DROP TABLE {name}_local")
    fresh.create()
    fresh.append(batch([(series("cpu", host="a"), START, 0, 2.0)]))
    Summariser(fresh, (), ("cpu",)).catch_up()
    assert TOLD in told(fresh, "| mstats median(cpu) AS m WHERE index=*", Span(START, START + HOUR))


def test_places_are_as_near_as_is_told(store: Store) -> None:
    """Each is within the bound of its values, and they are in the order of these."""
    dice = random.Random(1)
    edges = [
        0.0,
        -0.0,
        5e-324,
        2.3e-308,
        1e-300,
        1 / 3,
        1.0,
        127.0,
        128.0,
        129.0,
        1e12,
        2.0**53 - 1,
        1.797e308,
    ]
    values = [*edges, *(10 ** dice.uniform(-300, 300) for _ in range(300)), *map(float, range(129))]
    values = sorted({*values, *(-value for value in values)})
    one = value_of(element(place(column("x")), number(1)))
    given = array(map(number, values))
    tree = select(
        named(call("arrayMap", lambda_("x", one), given), "near"),
        named(call("arrayMap", lambda_("x", place(column("x"))), given.copy()), "places"),
    )
    (row,) = store.query(tree).to_pylist()
    for value, found in zip(values, row["near"], strict=True):
        assert abs(found - value) <= max(ERROR * abs(value), 2e-310)
        if value == int(value) and abs(value) <= 128:
            assert found == value
    assert row["places"] == sorted(row["places"])


def test_sketches_are_of_the_metrics_that_are_named(embedded: Store) -> None:
    made = [series(metric, host="a") for metric in ("tcp.rtt", "tcp_rtt", "udp.rtt.x", "udp")]
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 2 * HOUR))
    fresh.append(batch([(of, START, 0, 2.0) for of in made]))
    Summariser(fresh, (), ("tcp.*", "*.x")).catch_up()
    names = fresh.query(
        select(column("metric")).from_("sketches").where(one_of(column("hours"), [text("1")]))
    )
    assert sorted(names.column("metric").to_pylist()) == ["tcp.rtt", "udp.rtt.x"]
