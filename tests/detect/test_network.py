"""The published detections of inbound traffic of a process and of traffic on a network edge, on every engine.

They are the detection of outbound traffic with other attributes, which `test_outbound_process` goes
through in detail. The first tests write down by hand what they find in one awkward case each; the last
one compares them with the oracle over data that is made of all of them at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from awkward import NAMES, a_network, one_of_three, three
from hypothesis import assume, given
from hypothesis import strategies as st
from network_oracle import EDGE, INBOUND, verdict
from spl_oracle import assert_same_rows

from engines.fleet import emptied
from helpers import DAY, HOUR, NOW, SECOND, Point, more, series
from kubestray.model.metric import Kind, Series
from kubestray.pipeline.detecting import Run
from kubestray.store.store import Store

RunPublished = Callable[..., list[Run]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two detections: its name, and the attributes that it goes by."""

    detection: str
    by: tuple[str, str, str]

    def talker(
        self,
        metric: str = "tcp.bytes",
        names: Sequence[str] = ("web", "db"),
        kind: Kind = Kind.GAUGE,
        cluster: str = "c1",
    ) -> Series:
        return series(metric, kind, **dict(zip(self.by, (cluster, *names), strict=True)))

    def who(self, rows: list[Row]) -> list[tuple[str, str, str, int]]:
        fields = ("host", *self.by[1:], "count")
        return sorted(tuple(row[name] for name in fields) for row in rows)  # type: ignore[misc]


SIDES = (
    Side("Kubernetes Anomalous Inbound Network Activity from Process", INBOUND),
    Side("Kubernetes Anomalous Traffic on Network Edge", EDGE),
)


both_sides = pytest.mark.parametrize("side", SIDES, ids=["inbound", "edge"], indirect=True)


@pytest.fixture(params=[more(SIDES[0], id="inbound"), pytest.param(SIDES[1], id="edge")])
def side(request: pytest.FixtureRequest) -> Side:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def found(run_published: RunPublished, side: Side) -> Callable[[list[Point]], list[Row]]:
    """``found(points)`` returns the rows of the detection."""

    def run(points: list[Point]) -> list[Row]:
        return run_published(points, side.detection)[0].outcome.rows

    return run


Found = Callable[[list[Point]], list[Row]]


def usual(of: Series, *values: float) -> list[Point]:
    """One reading a day, yesterday's first."""
    return [(of, NOW - (day + 1) * DAY, 0, value) for day, value in enumerate(values)]


def hits(of: Series, count: int, value: float = 1000.0) -> list[Point]:
    """That many steps of ten seconds with this reading, the newest a minute ago."""
    return [(of, NOW - 60 * SECOND - step * 10 * SECOND, 0, value) for step in range(count)]


def said(rows: list[Row]) -> list[str]:
    texts = [row["anomalies"] for row in rows]
    return [text for one in texts for text in (one if isinstance(one, list) else [one])]


def test_six_hits_are_found_and_said(found: Found, side: Side) -> None:
    assert found(usual(side.talker(), 10, 12, 14) + hits(side.talker(), 6, 18.5)) == [
        {
            "host": "c1",
            side.by[1]: "web",
            side.by[2]: "db",
            "count": 6,
            "anomalies": "tcp.bytes higher than average by 3.25 Standard Deviations. "
            "tcp.bytes=18.5 avg_tcp.bytes=12 'stdev_tcp.bytes'=2",
        }
    ]


def test_five_hits_are_not_found(found: Found, side: Side) -> None:
    assert found(usual(side.talker(), 10, 12, 14) + hits(side.talker(), 5)) == []


@pytest.mark.more
def test_three_metrics_need_two_steps(found: Found, side: Side) -> None:
    points: list[Point] = []
    for metric in ("tcp.bytes", "tcp.packets", "udp.bytes"):
        points += usual(side.talker(metric), 1, 2, 3) + hits(side.talker(metric), 2)
    assert side.who(found(points)) == [("c1", "web", "db", 6)]


def test_exactly_three_deviations_are_not_above(found: Found, side: Side) -> None:
    assert found(usual(side.talker(), 10, 12, 14) + hits(side.talker(), 60, 18.0)) == []


def test_udp_is_found_only_above_four_times_the_mean(found: Found, side: Side) -> None:
    udp = side.talker("udp.packets")
    assert found(usual(udp, 10, 10) + hits(udp, 5, 40.5) + [(udp, NOW - HOUR, 0, 40.0)]) == []
    assert said(found([(udp, NOW - 1800 * SECOND, 0, 40.5)])) == [
        "udp.packets higher than average by 3.05 Standard Deviations. "
        "udp.packets=40.5 avg_udp.packets=10 'stdev_udp.packets'=10"
    ]


@pytest.mark.more
def test_udp_whose_mean_is_zero_has_no_deviations(found: Found, side: Side) -> None:
    udp = side.talker("udp.packets")
    assert "by Null Standard" in said(found(usual(udp, 0, 0) + hits(udp, 6, 0.25)))[0]


def test_clusters_share_their_baseline(found: Found, side: Side) -> None:
    one, other = side.talker(cluster="c1"), side.talker(cluster="c2")
    rows = found(usual(one, 1, 1) + usual(other, 1001, 1001) + hits(one, 6, 5000) + hits(other, 7, 5000))
    assert side.who(rows) == [("c1", "web", "db", 6), ("c2", "web", "db", 7)]
    assert all("avg_tcp.bytes=501 " in text for text in said(rows))


@pytest.mark.more
def test_the_order_of_names_counts(found: Found, side: Side) -> None:
    points = usual(side.talker(names=("web", "db")), 1, 1) + hits(side.talker(names=("db", "web")), 60)
    assert found(points) == []


def test_keys_that_collide_take_the_first_baseline_and_its_names(found: Found, side: Side) -> None:
    one, other = side.talker(names=("a:b", "c")), side.talker(names=("a", "b:c"))
    rows = found(usual(one, 100, 100) + usual(other, 1, 1) + hits(one, 6, 50) + hits(other, 6, 60))
    assert side.who(rows) == [("c1", "a", "b:c", 12)]
    assert all("avg_tcp.bytes=1 " in text for text in said(rows))


def test_points_that_lack_an_attribute_do_not_count(found: Found, side: Side) -> None:
    points = usual(side.talker(), 1, 2, 3)
    for lost in side.by:
        rest = {name: value for name, value in side.talker().attributes if name != lost}
        points += hits(series("tcp.bytes", **rest), 60)
    assert found(points) == []


@pytest.mark.more
def test_the_baseline_needs_no_cluster(found: Found, side: Side) -> None:
    rest = {name: value for name, value in side.talker().attributes if name != "k8s.cluster.name"}
    points = usual(series("tcp.bytes", **rest), 1, 2, 3) + hits(side.talker(), 6)
    assert side.who(found(points)) == [("c1", "web", "db", 6)]


def test_without_a_history_or_a_present_nothing_is_found(found: Found, side: Side) -> None:
    assert found([]) == []
    assert found(hits(side.talker(), 60)) == []
    assert found(usual(side.talker(names=("x", "y")), 1, 2)) == []


def test_the_edges_of_the_hour_and_the_month(found: Found, side: Side) -> None:
    edges = {
        NOW - 30 * DAY - 1: 999.0,
        NOW - 30 * DAY: 2.0,
        NOW - HOUR - 1: 1.0,
        NOW - HOUR: 100.0,
        NOW - 1: 200.0,
        NOW: 300.0,
    }
    points = usual(side.talker(), 0) + [(side.talker(), time, 0, value) for time, value in edges.items()]
    rows = found(points + hits(side.talker(), 4, 400.0))
    assert side.who(rows) == [("c1", "web", "db", 6)]
    assert {text.split("tcp.bytes=")[1].split()[0] for text in said(rows)} == {"100", "200", "400"}
    assert all("avg_tcp.bytes=1 'stdev_tcp.bytes'=1" in text for text in said(rows))


def test_counters_count_with_their_increases(found: Found, side: Side) -> None:
    counter = side.talker(kind=Kind.CUMULATIVE)
    points = [(counter, NOW - 2 * DAY + step * 600 * SECOND, 1, 10.0 * step) for step in range(9)]
    values = [1e6, 1e6 + 500, 1e6 + 1000, 500, 1000, 1500, 2000]
    points += [
        (counter, NOW - 600 * SECOND + step * 10 * SECOND, 1, value) for step, value in enumerate(values)
    ]
    rows = found(points)
    assert side.who(rows) == [("c1", "web", "db", 6)]
    assert said(rows) == [
        "tcp.bytes higher than average by Null Standard Deviations. "
        "tcp.bytes=500 avg_tcp.bytes=10 'stdev_tcp.bytes'=0"
    ]


def test_names_come_back_as_they_are(found: Found, side: Side) -> None:
    odd = [*NAMES, "*", "null", "\x00", "-- x", "%s", " ", "<<MATCHSTR>>", "1.0", "1"]
    points: list[Point] = []
    for name in odd:
        of = side.talker(names=(name, name), cluster=name)
        points += usual(of, 1, 2, 3) + hits(of, 6)
    assert side.who(found(points)) == sorted((name, name, name, 6) for name in odd)


def test_each_row_is_a_risk_of_its_cluster(run_published: RunPublished, side: Side) -> None:
    points = usual(side.talker(), 1, 1) + hits(side.talker(), 6) + hits(side.talker(cluster="$host$"), 6)
    (run,) = run_published(points, side.detection)
    assert sorted(event.risk_object for event in run.events) == ["$host$", "c1"]


# --- all at once ----------------------------------------------------------------------------------------


@both_sides
@given(seed=st.integers(min_value=0, max_value=2**31))
@one_of_three
def test_it_agrees_with_the_oracle(store: Store, run_published: RunPublished, side: Side, seed: int) -> None:
    now, points = three(partial(a_network, by=side.by), seed, side.by[1])
    expected = verdict(points, now, side.by)
    assume(not expected.close)
    (run,) = run_published(points, side.detection, now=now, on=emptied(store))
    assert_same_rows(run.outcome.rows, expected.rows)


@both_sides
def test_the_oracle_has_something_to_say(side: Side) -> None:
    found = [
        verdict(points, now, side.by).rows
        for now, points in (a_network(random.Random(seed), side.by) for seed in range(20))
    ]
    assert sum(1 for rows in found if rows) >= 12
    assert "Null Standard" in str(found)
    assert "udp." in str(found)
