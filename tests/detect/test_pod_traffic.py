"""The published detection of unusual pod traffic and its baseline, by hand, on every engine.

`test_pod_ratios` compares them with the oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from awkward import train
from pods import (
    BEFORE,
    END,
    FIRST,
    HOUR_END,
    HOUR_FIRST,
    IO,
    IO_BASELINE,
    RATIO,
    RECENT,
    Row,
    both,
    hits,
    pod,
    said,
    steps,
    usual,
    who,
)

from helpers import DAY, HOUR, MINUTE, NOW, SECOND, Point, more, series
from kubestray.model.metric import Kind
from kubestray.pipeline.detecting import Run

RunPublished = Callable[..., list[Run]]
Found = Callable[..., list[Row]]


@pytest.fixture
def found(run_published: RunPublished) -> Found:
    """``found(points)`` runs the baseline, then the detection."""

    def run(points: list[Point], **more: Any) -> list[Row]:
        _, detection = run_published(points, IO_BASELINE, IO, **more)
        return detection.outcome.rows

    return run


# --- the baseline of traffic ----------------------------------------------------------------------------


def test_a_baseline_of_a_service_is_that_of_all_its_pods(run_published: RunPublished) -> None:
    points = usual(pod("web-7d9f8b6c5-abcde"), 10, 12) + usual(pod("web-7d9f8b6c5-fghij"), 14)
    points += usual(pod("web-7d9f8b6c5-fghij", "receive"), 0.5)
    (run,) = run_published(points, IO_BASELINE)
    assert run.outcome.rows == [
        {
            "key": "c1:web",
            "avg_outbound_network_io": 12,
            "stdev_outbound_network_io": 2,
            "avg_inbound_network_io": 0.5,
            "stdev_inbound_network_io": 0,
            "count": 4,
            "last_seen": (BEFORE + 10 * SECOND) // SECOND,
        }
    ]


@pytest.mark.more
def test_a_way_that_is_not_there_has_no_baseline(run_published: RunPublished) -> None:
    (run,) = run_published(usual(pod(way="receive"), 1, 3) + usual(pod(way="Transmit"), 7), IO_BASELINE)
    (row,) = run.outcome.rows
    assert row["avg_inbound_network_io"] == 2
    assert row["count"] == 3
    assert not [name for name in row if "outbound" in name]


def test_the_edges_of_the_month(run_published: RunPublished) -> None:
    times = {FIRST - 1: 1, FIRST: 10, END - 1: 20, END: 400, NOW: 400}
    points = [(pod(), time, 0, float(value)) for time, value in times.items()]
    (run,) = run_published(points, IO_BASELINE)
    (row,) = run.outcome.rows
    assert row["avg_outbound_network_io"] == 15
    assert row["count"] == 2
    assert row["last_seen"] == END // SECOND - 10


def test_a_counter_at_the_start_of_the_month_uses_the_point_before_it(run_published: RunPublished) -> None:
    counter = pod(kind=Kind.CUMULATIVE)
    points = steps(counter, FIRST - 10 * SECOND, 1000, 1007, 1009, 4)
    (run,) = run_published(points, IO_BASELINE)
    (row,) = run.outcome.rows
    assert row["count"] == 3
    assert row["avg_outbound_network_io"] == pytest.approx((7 + 2 + 4) / 3, rel=1e-12)


SERVICES = {
    "web-7d9f8b6c5-abcde": "web",
    "web-7d9f8b6c5-abcd": "web-7d9f8b6c5-abcd",
    "web-7d9f8b6-abcde": "web-7d9f8b6",
    "web-7d9f8b6c5ff-abcde": "web-7d9f8b6c5ff",
    "web-7d9f8b6G-abcde": "web-7d9f8b6G",
    "web-cache": "web",
    "web-a_9Zz": "web",
    "web-abcde-fghij": "web-abcde",
    "web-ab": "web-ab",
    "web-0": "web-0",
    "web": "web",
    "-abcde": "",
    "kube-pröxy": "kube-pröxy",
    "$x$-\\s%-abcde": "$x$-\\s%",
    "a:b-12345678-abcde": "a:b",
}


def test_the_service_of_a_pod(run_published: RunPublished) -> None:
    points = [point for name in SERVICES for point in usual(pod(name), 1, 2, 3) + hits(pod(name), 6)]
    baseline, detection = run_published(points, IO_BASELINE, IO)
    keys = [row["key"] for row in baseline.outcome.rows]
    assert sorted(keys) == sorted({f"c1:{service}" for service in SERVICES.values()})
    named = {row["k8s.pod.name"]: row["k8s.service"] for row in detection.outcome.rows}
    assert named == SERVICES


# --- traffic --------------------------------------------------------------------------------------------


def test_six_hits_are_found_and_said(found: Found) -> None:
    assert found(usual(pod(), 10, 12, 14) + hits(pod(), 6, 20.5)) == [
        {
            "k8s.cluster.name": "c1",
            "host": "n1",
            "k8s.pod.name": "web-7d9f8b6c5-abcde",
            "k8s.service": "web",
            "count": 6,
            "anomalies": "outbound_network_io higher than average by 4.25 Standard Deviations. "
            "outbound_network_io=20.5 avg_outbound_network_io=12 'stdev_outbound_network_io'=2",
        }
    ]


@pytest.mark.more
def test_five_hits_are_not_found(found: Found) -> None:
    assert found(usual(pod(), 10, 12, 14) + hits(pod(), 5)) == []


def test_exactly_four_deviations_are_not_above(found: Found) -> None:
    assert found(usual(pod(), 10, 12, 14) + hits(pod(), 6, 20.0)) == []


@pytest.mark.more
def test_both_ways_in_one_step_are_one_hit(found: Found) -> None:
    name = "web-7d9f8b6c5-abcde"
    points = both(name, BEFORE, (1, 10), (2, 12), (3, 14)) + both(name, RECENT, *[(7, 21)] * 5)
    assert found(points) == []
    rows = found(both(name, RECENT + 50 * SECOND, (6.5, 20)))
    assert who(rows) == [("c1", "n1", name, "web", 6)]
    assert said(rows) == [
        "inbound_network_io higher than average by 4.5 Standard Deviations. "
        "inbound_network_io=6.5 avg_inbound_network_io=2 'stdev_inbound_network_io'=1",
        "outbound_network_io higher than average by 4.5 Standard Deviations. "
        "outbound_network_io=21 avg_outbound_network_io=12 'stdev_outbound_network_io'=2, "
        "inbound_network_io higher than average by 5 Standard Deviations. "
        "inbound_network_io=7 avg_inbound_network_io=2 'stdev_inbound_network_io'=1",
    ]


@pytest.mark.more
def test_interfaces_are_averaged(found: Found) -> None:
    points = usual(pod(), 10, 12, 14) + hits(pod(interface="a"), 6, 40.0) + hits(pod(interface="b"), 6, 2.0)
    assert "outbound_network_io=21 " in said(found(points))[0]


def test_without_variance_the_deviations_are_null(found: Found) -> None:
    assert said(found(usual(pod(), 5, 5) + hits(pod(), 6, 5.25))) == [
        "outbound_network_io higher than average by Null Standard Deviations. "
        "outbound_network_io=5.25 avg_outbound_network_io=5 'stdev_outbound_network_io'=0"
    ]


@pytest.mark.parametrize("value", [0.1, more(1e12 + 0.1), more(1e-5)])
def test_the_same_as_ever_is_not_found(found: Found, value: float) -> None:
    points = [(pod(), BEFORE + step * 1000 * SECOND, 0, value) for step in range(97)]
    assert found(points + hits(pod(), 6, value)) == []


@pytest.mark.more
def test_a_single_step_has_no_variance(found: Found) -> None:
    assert "by Null Standard" in said(found(usual(pod(), 5) + hits(pod(), 6, 6.0)))[0]


@pytest.mark.more
def test_a_pod_is_judged_alone_by_the_baseline_of_its_service(found: Found) -> None:
    one, other = pod("web-7d9f8b6c5-abcde"), pod("web-7d9f8b6c5-fghij")
    points = usual(one, 0, 0) + usual(other, 9, 9) + hits(one, 6, 30) + hits(other, 5, 30)
    assert who(found(points)) == [("c1", "n1", "web-7d9f8b6c5-abcde", "web", 6)]


@pytest.mark.more
def test_a_pod_on_two_nodes_is_two(found: Found) -> None:
    points = usual(pod(), 1, 2, 3) + hits(pod(node="n1"), 3) + hits(pod(node="n2"), 6)
    assert who(found(points)) == [("c1", "n2", "web-7d9f8b6c5-abcde", "web", 6)]


@pytest.mark.more
def test_clusters_have_their_own_baselines(found: Found) -> None:
    one, other = pod(cluster="c1"), pod(cluster="c2")
    points = usual(one, 1, 1) + usual(other, 1001, 1001) + hits(one, 6, 500) + hits(other, 6, 500)
    assert who(found(points)) == [("c1", "n1", "web-7d9f8b6c5-abcde", "web", 6)]


@pytest.mark.more
def test_keys_that_collide_share_a_baseline(run_published: RunPublished) -> None:
    one, other = pod("b-abcde", cluster="c1:a"), pod("a:b-abcde", cluster="c1")
    points = usual(one, 1) + usual(other, 3) + hits(one, 6, 9) + hits(other, 6, 8)
    baseline, detection = run_published(points, IO_BASELINE, IO)
    assert [(row["key"], row["count"]) for row in baseline.outcome.rows] == [("c1:a:b", 2)]
    rows = detection.outcome.rows
    assert who(rows) == [("c1", "n1", "a:b-abcde", "a:b", 6), ("c1:a", "n1", "b-abcde", "b", 6)]
    assert all("avg_outbound_network_io=2 " in text for text in said(rows))


@pytest.mark.more
def test_a_service_without_a_baseline_is_not_found(found: Found) -> None:
    assert found(usual(pod("db-0"), 1, 2) + hits(pod(), 60)) == []


def test_without_a_run_of_the_baseline_nothing_is_found(run_published: RunPublished) -> None:
    points = both("web-0", BEFORE, (1, 1), (2, 1)) + both("web-0", RECENT, *[(900, 1)] * 9)
    traffic, ratio = run_published(points, IO, RATIO)
    assert traffic.outcome.rows == ratio.outcome.rows == []


@pytest.mark.parametrize(
    "lost", [more("k8s.cluster.name"), "k8s.pod.name", more("k8s.node.name"), "direction"]
)
def test_points_that_lack_an_attribute_do_not_count(run_published: RunPublished, lost: str) -> None:
    rest = {name: value for name, value in pod().attributes if name != lost}
    lacking = series("k8s.pod.network.io", **rest)
    points = usual(pod(), 1, 2, 3) + usual(lacking, 900) + hits(lacking, 60) + hits(pod(), 5)
    baseline, detection = run_published(points, IO_BASELINE, IO)
    assert [row["count"] for row in baseline.outcome.rows] == [3]
    assert detection.outcome.rows == []


def test_the_edges_of_the_hour(found: Found) -> None:
    points = usual(pod(), 1, 1) + steps(pod(), RECENT, *[50.0] * 4)
    edges = {HOUR_FIRST - 1: 100.0, HOUR_FIRST: 200.0, HOUR_END - 1: 300.0, HOUR_END: 400.0, NOW - 1: 500.0}
    points += [(pod(), time, 0, value) for time, value in edges.items()]
    rows = found(points)
    assert who(rows) == [("c1", "n1", "web-7d9f8b6c5-abcde", "web", 6)]
    assert sorted(text.split("outbound_network_io=")[1].split()[0] for text in said(rows)) == [
        "200",
        "300",
        "50",
    ]


@pytest.mark.more
def test_the_hour_begins_and_ends_with_a_minute(found: Found) -> None:
    """At 59.999999999 seconds past, ``@m`` goes back to the start of the minute."""
    points = usual(pod(), 1, 1) + steps(pod(), HOUR_FIRST, *[50.0] * 6)
    assert who(found(points, now=NOW + MINUTE - 1)) == [("c1", "n1", "web-7d9f8b6c5-abcde", "web", 6)]
    assert found([], now=NOW + MINUTE) == []


@pytest.mark.more
def test_hits_on_both_sides_of_an_hour_belong_together(found: Found) -> None:
    hour = NOW // HOUR * HOUR
    points = usual(pod(), 1, 1) + steps(pod(), hour - 30 * SECOND, *[50.0] * 6)
    assert who(found(points)) == [("c1", "n1", "web-7d9f8b6c5-abcde", "web", 6)]


@pytest.mark.more
def test_counters_count_with_their_increases(found: Found) -> None:
    counter = pod(kind=Kind.CUMULATIVE)
    history = steps(counter, BEFORE, *(10.0 * step for step in range(20)))
    # A restart after three steps: the first value after it is an increase too.
    recent = steps(counter, RECENT, 1e6, 1e6 + 500, 1e6 + 1000, 500, 1000, 1500, 2000)
    rows = found(history + recent)
    assert who(rows) == [("c1", "n1", "web-7d9f8b6c5-abcde", "web", 6)]
    assert all("outbound_network_io=500 " in text for text in said(rows))


@pytest.mark.more
def test_a_restart_that_the_start_time_tells(found: Found) -> None:
    counter = pod(kind=Kind.CUMULATIVE)
    starts = [5, 5, 9, 0, 9, 9, 0]
    values = [10.0, 20.0, 70.0, 80.0, 190.0, 200.0, 210.0]
    recent = [
        (counter, time, start, value)
        for time, start, value in zip(train(RECENT, 7), starts, values, strict=True)
    ]
    rows = found(usual(pod(), 1, 1) + recent)
    assert sorted(text.split("outbound_network_io=")[1].split()[0] for text in said(rows)) == [
        "10",
        "110",
        "70",
    ]


def test_numbers_are_written_short(found: Found) -> None:
    points = usual(pod(), 0.1, 0.1) + hits(pod(), 5, 12345678901.5) + steps(pod(), RECENT + 50 * SECOND, 0.3)
    assert [text.split("Deviations. ")[1] for text in said(found(points))] == [
        "outbound_network_io=0.3 avg_outbound_network_io=0.1 'stdev_outbound_network_io'=0",
        "outbound_network_io=12345678901.5 avg_outbound_network_io=0.1 'stdev_outbound_network_io'=0",
    ]


def test_a_window_of_the_caller_comes_before_the_schedule(found: Found) -> None:
    """One window for both: what is usual is then what is judged."""
    points = usual(pod(), 1, 2, 3) + hits(pod(), 6)
    assert found(points, earliest="-70m", latest="now") == []


def test_a_new_baseline_replaces_the_old_one(run_published: RunPublished) -> None:
    points = usual(pod("old-0"), 1, 2) + hits(pod("old-0"), 6) + usual(pod("new-0"), 1, 2)
    first = run_published(points, IO_BASELINE, IO)
    assert [len(run.outcome.rows) for run in first] == [2, 1]
    later = [(of, time + 30 * DAY, start, value) for of, time, start, value in usual(pod("new-0"), 1, 2)]
    then = run_published(later, IO_BASELINE, now=NOW + 32 * DAY)
    assert [row["key"] for row in then[0].outcome.rows] == ["c1:new-0"]
    (again,) = run_published([], IO)
    assert again.outcome.rows == []
