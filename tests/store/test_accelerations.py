"""Statistics that are kept by the hour say what the points say, whatever comes late or twice."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from sqlglot import parse_one

from engines.fleet import Fleet
from helpers import DAY, HOUR, MINUTE, NOW, SECOND, Point, batch, content_of, series
from kubestray.config import load_config
from kubestray.model.errors import LimitExceeded
from kubestray.model.metric import Kind, Series
from kubestray.pipeline.accelerating import Accelerator
from kubestray.pipeline.setting_up import searching
from kubestray.search.acceleration import Acceleration
from kubestray.search.kept import Kept
from kubestray.search.plan import Accelerated, nodes
from kubestray.search.results import rows_of
from kubestray.search.run import acceleratable, compile_search, run_search
from kubestray.store.expiry import expire
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

START = NOW // DAY * DAY - 2 * DAY

MEANS = (
    "| mstats avg(io) AS io WHERE index=* BY cluster pod direction span=10s "
    '| eval key = cluster.":".replace(pod, "-\\w+$", "") '
    '| stats avg(eval(if(direction="out", io, null()))) AS a stdev(io) AS d min(io) AS l max(io) AS m '
    "sum(io) AS s range(io) AS r count latest(_time) AS t BY key"
)
RATIOS = (
    "| mstats avg(io) AS io WHERE index=* BY cluster pod direction span=10s "
    '| stats avg(eval(if(direction="in", io, null()))) AS i avg(eval(if(direction="out", io, null()))) AS o '
    "BY cluster _time | eval i:o = i/o, o:i = o/i "
    "| stats avg(*:*) AS avg_*:* varp(*:*) AS varp_*:* count BY cluster"
)
FILLED = (
    "| mstats avg(io) AS io max(cpu) AS cpu WHERE index=* BY cluster pod span=1m | eval x = io / cpu "
    "| fillnull | stats avg(x) AS a stdev(x) AS d count(x) AS n max(cpu) AS m BY cluster"
)


class Clock:
    """A clock that tests move."""

    def __init__(self, time: int) -> None:
        self.time = time

    def __call__(self) -> int:
        return self.time


def keeping(store: Store, *texts: str) -> Accelerator:
    return Accelerator(store, CONFIG, content_of(*texts))


def kept(store: Store, accelerator: Accelerator) -> int:
    Summariser(store, ("pod.uid",)).catch_up()
    return accelerator.catch_up()


CONFIG = load_config({}, {}, None)
request = searching(CONFIG)


def answers(store: Store, text: str, span: Span, *, summaries: bool = True) -> list[dict[str, Any]]:
    return run_search(request(text, NOW, span, summaries=summaries), store.query).rows


def told(store: Store, text: str, span: Span) -> str:
    return compile_search(request(text, NOW, span), store.query).explain(store.query)


def assert_same(store: Store, text: str, span: Span) -> None:
    """Statistics that are kept answer, and say what the points say."""
    compiled = compile_search(request(text, NOW, span), store.query)
    assert any(isinstance(node, Accelerated) for node in nodes(compiled.relation.node))
    ours = rows_of(store.query(compiled.statement), compiled.relation)
    theirs = answers(store, text, span, summaries=False)
    assert len(ours) == len(theirs), (text, span)
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys(), (text, span)
        for name, value in other.items():
            if isinstance(value, str):
                assert one[name] == value
                continue
            assert math.isclose(one[name], value, rel_tol=1e-9, abs_tol=1e-300), (
                text,
                span,
                name,
                one,
                other,
            )


def fleet_series(dice: random.Random) -> list[Series]:
    made = []
    for pod in ("web-1", "web-2", "db-1"):
        for direction in ("in", "out"):
            kind = dice.choice([Kind.GAUGE, Kind.DELTA, Kind.CUMULATIVE])
            made.append(series("io", kind, cluster="c", pod=pod, direction=direction, **{"pod.uid": pod}))
        made.append(series("cpu", Kind.GAUGE, cluster="c", pod=pod))
    return [*made, series("io", Kind.GAUGE, cluster="d", pod="web-1", direction="in")]


def sent(dice: random.Random, made: list[Series], count: int) -> list[Point]:
    """Points of a day and a bit, several of them in one bin, many around the borders of hours."""
    scale = dice.choice([1.0, 1e-9, 1e12])
    points = []
    for _ in range(count):
        hour = START + dice.choice([0, 1, 5, 22, 23, 24]) * HOUR
        time = dice.choice([hour, hour - 1, hour + dice.randint(0, 40) * SECOND, hour + 59 * MINUTE])
        value = scale * dice.choice([0.0, dice.random(), 1.0 + dice.randint(0, 5) * 1e-3])
        points.append((dice.choice(made), time, dice.choice([0, START]), value))
    return points


WHOLE = Span(START, START + 26 * HOUR)


def test_kept_statistics_answer_as_the_points_do(embedded: Store) -> None:
    dice = random.Random(4)
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 27 * HOUR))
    made = fleet_series(dice)
    points = sent(dice, made, 150)
    fresh.append(batch([*points, *points[:20]]))
    kept(fresh, keeping(fresh, RATIOS))
    # Late points, repeated ones, and a counter that went back.
    fresh.append(batch([*sent(dice, made, 20), *points[20:40]]))
    assert_same(fresh, RATIOS, WHOLE)


def test_what_all_rows_decide_is_kept_too(embedded: Store) -> None:
    """``fillnull`` fills a field only if some row has a value of it: of the late points one has."""
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 5 * HOUR))
    io, made = series("io", cluster="c", pod="a"), series("cpu", cluster="c", pod="a")
    fresh.append(batch([(io, START + n * HOUR, 0, float(n)) for n in range(4)]))
    other = series("cpu", cluster="c", pod="b")
    fresh.append(batch([(other, START + HOUR, 0, 1.0)]))
    kept(fresh, keeping(fresh, FILLED))
    span = Span(START - DAY, START + 4 * HOUR)
    assert_same(fresh, FILLED, span)
    fresh.append(batch([(made, START + 2 * HOUR, 0, 4.0)]))
    assert_same(fresh, FILLED, span)


@pytest.mark.parametrize("engine", ["http", "distributed"])
def test_kept_statistics_answer_on_the_other_engines(fleet: Fleet, engine: str) -> None:
    dice = random.Random(5)
    with fleet.store(engine) as store:
        store.clock = Clock(START + 27 * HOUR)
        points = sent(dice, fleet_series(dice), 100)
        store.append(batch([*points, *points[:20]]))
        kept(store, keeping(store, MEANS))
        assert_same(store, MEANS, Span(START + 7 * SECOND, START + 26 * HOUR + 15 * SECOND))


def test_which_part_comes_from_where(embedded: Store) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 27 * HOUR))
    of = series("io", Kind.GAUGE, cluster="c", pod="web-1", direction="in")
    fresh.append(batch([(of, START + n * 10 * MINUTE, 0, float(n % 7)) for n in range(6 * 27)]))
    text = "| mstats avg(io) AS io WHERE index=* BY pod span=10s | stats avg(io) AS a count BY pod"
    accelerator = keeping(fresh, text)
    Summariser(fresh, ()).catch_up()
    waits = accelerator.backlog()
    assert sum(len(due.hours) for due in waits) == 26
    assert accelerator.catch_up() == 26 + 1
    assert accelerator.backlog() == []
    span = Span(START - DAY + 30 * MINUTE, START + 26 * HOUR + 25 * MINUTE)
    explained = told(fresh, text, span)
    assert "kept statistics of days" in explained
    assert "kept statistics of hours" in explained
    rows = ("2 rows of kept statistics", "4 rows of kept statistics", "0 samples", "3 samples")
    assert "rows read of metrics\n  " + "\n  ".join(rows) + "\n" in explained
    # It is the statistics that are kept, not a text; and a search is told apart by its texts.
    other = "| mstats   avg(io) AS x WHERE index=* BY pod span=10s | stats count AS n avg(x) BY pod | head 1"
    assert "kept statistics" not in told(fresh, other, span)
    same = "|mstats avg(io) AS x where index=*   BY pod span=10s|stats avg(x) AS a count BY pod|eval b=a*2"
    assert "kept statistics" in told(fresh, same, span)
    assert "kept statistics" not in told(fresh, text.replace("index=*", 'index=* pod="c1"'), span)


def test_a_late_point_counts_at_once_and_a_group_may_go(embedded: Store) -> None:
    clock = Clock(START + 5 * HOUR)
    fresh = Store(embedded.engine, embedded.layout, clock)
    web, db = (series("io", Kind.GAUGE, pod=pod) for pod in ("web", "db"))
    fresh.append(batch([(web, START + n * HOUR, 0, 4.0) for n in range(3)] + [(db, START, 0, 4.0)]))
    text = "| mstats avg(io) AS io WHERE index=* BY pod span=10s | where io > 3 | stats count BY pod"
    accelerator, span = keeping(fresh, text), Span(START - DAY, START + 4 * HOUR)
    kept(fresh, accelerator)
    assert answers(fresh, text, span) == [{"pod": "db", "count": 1}, {"pod": "web", "count": 3}]
    fresh.append(batch([(db, START + 1, 0, 0.0)]))  # the mean of its bin is 2 now
    assert answers(fresh, text, span) == [{"pod": "web", "count": 3}]
    clock.time -= 2 * HOUR  # somebody sets it back
    fresh.append(batch([(web, START + 1, 0, 0.0)]))
    assert answers(fresh, text, span) == [{"pod": "web", "count": 2}]
    clock.time += 20 * HOUR
    assert kept(fresh, accelerator) > 0
    assert answers(fresh, text, span) == [{"pod": "web", "count": 2}]
    assert "kept statistics of hours" in told(fresh, text, span)


def test_kept_statistics_answer_for_what_has_expired(embedded: Store) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(NOW))
    points = [(series("io", pod=pod), START + n * HOUR, 0, float(n)) for n in range(40) for pod in "ab"]
    fresh.append(batch(points))
    text = (
        "| mstats avg(io) AS i WHERE index=* BY pod span=10s | stats avg(i) AS a stdev(i) AS d count BY pod"
    )
    accelerator, span = keeping(fresh, text), Span(START, NOW)
    before = answers(fresh, text, span)
    kept(fresh, accelerator)
    assert expire(fresh, START + DAY) == [START // DAY]
    found = run_search(request(text, NOW, span), fresh.query)
    assert found.annotations == []
    assert [row["count"] for row in found.rows] == [40, 40]
    assert found.rows == before
    # Without them the result says what it lacks.
    (note,) = run_search(request(text, NOW, span, summaries=False), fresh.query).annotations
    assert "have expired" in str(note)
    # A range that begins inside of a day that has expired lacks the hour that it cuts.
    cut = Span(START + 90 * MINUTE, NOW)
    found = run_search(request(text, NOW, cut), fresh.query)
    assert [row["count"] for row in found.rows] == [38, 38]


@pytest.mark.parametrize(
    "rest",
    [
        "BY pod span=10s | stats perc95(io) BY pod",  # needs all values
        "BY pod span=10s | stats avg(io) BY _time",  # as many groups as bins
        "BY pod span=10s | head 10 | stats avg(io) BY pod",  # some of all rows
        "BY pod span=10s | streamstats sum(io) AS io | stats avg(io) BY pod",  # rows of other hours
        "BY pod span=7m | stats avg(io) BY pod",  # bins across the borders of hours
        "BY pod span=1d | stats avg(io) BY pod",
        "BY pod | stats avg(io) BY pod",  # no bins
        "BY pod span=10s | eval x = random() | stats avg(x) BY pod",
        "BY pod span=10s | fillnull | eval x = io + 1 | stats avg(x) BY pod",  # asks all rows first
        "BY pod span=10s | fillnull | where pod != io | stats avg(io) BY pod",
    ],
)
def test_what_cannot_be_kept_by_the_hour(embedded: Store, rest: str) -> None:
    embedded.append(batch([(series("io", pod="a"), START, 0, 1.0)]))
    asked = request(f"| mstats avg(io) AS io WHERE index=* {rest}", NOW, Span(START, NOW))
    assert acceleratable(asked, embedded.query) == []


def test_a_plan_does_not_outlive_what_is_kept(embedded: Store) -> None:
    """A schedule holds on to plans: one that was made before an hour was kept would go on reading points."""
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 27 * HOUR))
    fresh.append(batch([(series("io", pod="a"), START + n * HOUR, 0, 1.0) for n in range(26)]))
    text = "| mstats avg(io) AS io WHERE index=* BY pod span=10s | stats avg(io) AS a count BY pod"
    asked = request(text, NOW, WHOLE, kept=Kept(fresh.changes))
    assert run_search(asked, fresh.query).rows == [{"pod": "a", "a": 1, "count": 26}]
    kept(fresh, keeping(fresh, text))
    explained = compile_search(asked, fresh.query).explain(fresh.query)
    assert "kept statistics of days" in explained
    assert run_search(asked, fresh.query).rows == [{"pod": "a", "a": 1, "count": 26}]


def test_statistics_that_depend_on_the_time_are_not_kept(embedded: Store) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 5 * HOUR))
    fresh.append(batch([(series("io", pod="a"), START, 0, 1.0)]))
    text = "| mstats avg(io) WHERE index=* BY pod span=10s | where _time > now() - 86400 | stats count BY pod"
    assert kept(fresh, keeping(fresh, text)) == 0
    noted = parse_one("SELECT count() AS n FROM accelerations", dialect="clickhouse")
    assert fresh.query(noted).to_pylist() == [{"n": 0}]


def test_statistics_that_fail_keep_nothing_else_waiting(
    embedded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 5 * HOUR))
    fresh.append(batch([(series("io", pod="a"), START + n * HOUR, 0, 1.0) for n in range(3)]))
    texts = [
        f"| mstats {f}(io) AS x WHERE index=* BY pod span=10s | stats avg(x) BY pod" for f in ("avg", "max")
    ]
    accelerator = keeping(fresh, *texts)
    (first, _) = accelerator.accelerations()
    keep = Accelerator._keep

    def fails(self: Accelerator, one: Acceleration, *given: Any) -> None:
        if one.search == first.search:
            raise LimitExceeded("memory")
        keep(self, one, *given)

    monkeypatch.setattr(Accelerator, "_keep", fails)
    assert kept(fresh, accelerator) == 4
    assert accelerator.pass_once() == 0
    span = Span(START - DAY, START + 4 * HOUR)
    assert ["kept statistics" in told(fresh, text, span) for text in texts] == [False, True]


def test_the_settings_name_what_is_kept(embedded: Store) -> None:
    fresh = Store(embedded.engine, embedded.layout, Clock(START + 5 * HOUR))
    fresh.append(batch([(series("io", cluster="c", pod="a-1", direction="in"), START, 0, 1.0)]))
    content = content_of(MEANS, RATIOS)
    for names, count in (("auto", 2), ("b1,other", 1), ("", 0)):
        config = load_config({"accelerated_searches": names}, {}, None)
        assert len(Accelerator(fresh, config, content).accelerations()) == count


def test_what_was_idle_on_an_empty_store_keeps_statistics_once_there_are_hours(embedded: Store) -> None:
    clock = Clock(START + 10 * MINUTE)
    fresh = Store(embedded.engine, embedded.layout, clock)
    accelerator = keeping(fresh, RATIOS)
    summariser = Summariser(fresh, ("pod.uid",))
    assert [summariser.pass_once(), accelerator.pass_once(), accelerator.pass_once()] == [0, 0, 0]
    dice = random.Random(7)
    fresh.append(batch(sent(dice, fleet_series(dice), 100)))
    clock.time = START + 27 * HOUR
    assert accelerator.pass_once() == 0  # no hour is summarised yet
    assert kept(fresh, accelerator) > 0
    assert_same(fresh, RATIOS, WHOLE)
