"""The published detection of anomalous outbound traffic of a process, on every engine.

The first tests write down by hand what it finds in one awkward case each; the last one compares it with
the oracle, which recounts it with numpy, over data that is made of all of them at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest
from awkward import a_network, one_of_three, three
from hypothesis import assume, given
from hypothesis import strategies as st
from network_oracle import OUTBOUND as BY
from network_oracle import verdict
from published import run_search, send
from spl_oracle import assert_same_rows

from engines.fleet import emptied
from helpers import DAY, HOUR, NOW, SECOND, Point, more, series
from kubestray.detect.runner import Times
from kubestray.model.content import Content
from kubestray.model.metric import Kind, Series
from kubestray.pipeline.detecting import Run
from kubestray.store.store import Store

Detect = Callable[..., Run]
OUTBOUND = "Kubernetes Anomalous Outbound Network Activity from Process"


def process(
    metric: str = "tcp.bytes",
    kind: Kind = Kind.GAUGE,
    *,
    cluster: str = "c1",
    workload: str = "web",
    name: str = "curl",
    **more: str,
) -> Series:
    named = {"k8s.cluster.name": cluster, "source.workload.name": workload, "source.process.name": name}
    return series(metric, kind, **named, **more)


def usual(of: Series, *values: float) -> list[Point]:
    """One reading a day, yesterday's first."""
    return [(of, NOW - (day + 1) * DAY, 0, value) for day, value in enumerate(values)]


def hits(of: Series, count: int, value: float = 1000.0) -> list[Point]:
    """That many steps of ten seconds with this reading, the newest a minute ago."""
    return [(of, NOW - 60 * SECOND - step * 10 * SECOND, 0, value) for step in range(count)]


def who(run: Run) -> list[tuple[str, str, str, int]]:
    names = ("host", "source.workload.name", "source.process.name", "count")
    return [tuple(row[name] for name in names) for row in run.outcome.rows]  # type: ignore[misc]


def texts(run: Run) -> list[str]:
    found = [row["anomalies"] for row in run.outcome.rows]
    return [text for one in found for text in (one if isinstance(one, list) else [one])]


def test_six_hits_are_found_and_said(detect: Detect) -> None:
    run = detect(usual(process(), 10, 12, 14) + hits(process(), 6, 18.5))
    assert run.outcome.rows == [
        {
            "host": "c1",
            "source.workload.name": "web",
            "source.process.name": "curl",
            "count": 6,
            "anomalies": "tcp.bytes higher than average by 3.25 Standard Deviations. "
            "tcp.bytes=18.5 avg_tcp.bytes=12 'stdev_tcp.bytes'=2",
        }
    ]


@pytest.mark.more
def test_five_hits_are_not_found(detect: Detect) -> None:
    assert who(detect(usual(process(), 10, 12, 14) + hits(process(), 5))) == []


@pytest.mark.more
def test_hits_of_several_metrics_add_up(detect: Detect) -> None:
    bytes_, packets = process("tcp.bytes"), process("tcp.packets")
    points = usual(bytes_, 1, 2, 3) + usual(packets, 1, 2, 3) + hits(bytes_, 3) + hits(packets, 3)
    assert who(detect(points)) == [("c1", "web", "curl", 6)]


def test_exactly_three_deviations_are_not_above(detect: Detect) -> None:
    assert who(detect(usual(process(), 10, 12, 14) + hits(process(), 6, 18.0))) == []


def test_points_of_one_step_are_averaged(detect: Detect) -> None:
    one, other = process(pod="1"), process(pod="2")
    run = detect(usual(one, 10, 12, 14) + hits(one, 6, 30.0) + hits(other, 6, 8.0))
    assert texts(run) == [
        "tcp.bytes higher than average by 3.5 Standard Deviations. "
        "tcp.bytes=19 avg_tcp.bytes=12 'stdev_tcp.bytes'=2"
    ]


def test_without_variance_the_deviations_are_null(detect: Detect) -> None:
    run = detect(usual(process(), 5, 5, 5) + hits(process(), 6, 6.0))
    assert texts(run) == [
        "tcp.bytes higher than average by Null Standard Deviations. "
        "tcp.bytes=6 avg_tcp.bytes=5 'stdev_tcp.bytes'=0"
    ]


@pytest.mark.more
def test_a_single_reading_has_no_variance(detect: Detect) -> None:
    run = detect(usual(process(), 5) + hits(process(), 6, 6.0))
    assert "by Null Standard Deviations" in texts(run)[0]


def test_the_same_as_ever_is_not_found(detect: Detect) -> None:
    assert who(detect(usual(process(), 0.25, 0.25, 0.25) + hits(process(), 6, 0.25))) == []


@pytest.mark.parametrize("value", [0.1, more(1e12 + 0.1), more(1e-12)])
def test_the_same_as_ever_is_not_found_for_values_that_no_double_is(detect: Detect, value: float) -> None:
    points = [(process(), NOW - 2 * DAY - step * 1000 * SECOND, 0, value) for step in range(97)]
    assert who(detect(points + hits(process(), 6, value))) == []


def test_without_a_baseline_nothing_is_found(detect: Detect) -> None:
    other = process(workload="db")
    assert who(detect(usual(other, 1, 2, 3) + hits(process(), 60))) == []


@pytest.mark.more
def test_a_metric_only_in_the_past_and_one_only_now_are_passed_over(detect: Detect) -> None:
    past, recent, both = process("tcp.packets"), process("tcp.new_sockets"), process()
    points = usual(past, 1, 2, 3) + hits(recent, 60) + usual(both, 1, 2, 3) + hits(both, 6)
    assert who(detect(points)) == [("c1", "web", "curl", 6)]


def test_udp_is_found_only_above_four_times_the_mean(detect: Detect) -> None:
    udp = process("udp.bytes")
    at_the_limit = [(udp, NOW - 1800 * SECOND - step * 10 * SECOND, 0, 40.0) for step in range(6)]
    assert who(detect(usual(udp, 10, 10, 10) + at_the_limit)) == []
    assert texts(detect(hits(udp, 6, 40.5))) == [
        "udp.bytes higher than average by 3.05 Standard Deviations. "
        "udp.bytes=40.5 avg_udp.bytes=10 'stdev_udp.bytes'=10"
    ]


@pytest.mark.more
def test_points_that_lack_an_attribute_do_not_count(detect: Detect) -> None:
    attributes = dict(process().attributes)
    points = usual(process(), 1, 2, 3)
    for lacking in attributes:
        rest = {name: value for name, value in attributes.items() if name != lacking}
        points += hits(series("tcp.bytes", **rest), 60)
    assert who(detect(points)) == []


def test_the_baseline_needs_no_cluster(detect: Detect) -> None:
    old = series("tcp.bytes", **{"source.workload.name": "web", "source.process.name": "curl"})
    assert who(detect(usual(old, 1, 2, 3) + hits(process(), 6))) == [("c1", "web", "curl", 6)]


@pytest.mark.more
def test_clusters_share_their_baseline(detect: Detect) -> None:
    one, other = process(cluster="c1"), process(cluster="c2")
    points = usual(one, 1, 1, 1) + usual(other, 1001, 1001, 1001) + hits(one, 6, 5000) + hits(other, 6, 5000)
    run = detect(points)
    assert who(run) == [("c1", "web", "curl", 6), ("c2", "web", "curl", 6)]
    assert all("avg_tcp.bytes=501 " in text for text in texts(run))


@pytest.mark.more
def test_keys_that_collide_take_the_first_baseline_and_its_names(detect: Detect) -> None:
    one, other = process(workload="a:b", name="c"), process(workload="a", name="b:c")
    points = usual(one, 100, 100) + usual(other, 1, 1) + hits(one, 6, 50) + hits(other, 6, 60)
    run = detect(points)
    assert who(run) == [("c1", "a", "b:c", 12)]
    assert all("avg_tcp.bytes=1 " in text for text in texts(run))


def test_the_edges_of_the_hour(detect: Detect) -> None:
    times = {NOW - HOUR - 1: 1.5, NOW - HOUR: 100.0, NOW - 1: 200.0, NOW: 300.0}
    edges = [(process(), time, 0, value) for time, value in times.items()]
    run = detect(usual(process(), 0, 0) + edges + hits(process(), 4, 400.0))
    assert who(run) == [("c1", "web", "curl", 6)]
    assert {text.split("tcp.bytes=")[1].split()[0] for text in texts(run)} == {"100", "200", "400"}
    assert all("avg_tcp.bytes=0.5 " in text for text in texts(run))


@pytest.mark.more
def test_the_edges_of_the_month(detect: Detect) -> None:
    edges = [(process(), NOW - 30 * DAY, 0, 4.0), (process(), NOW - 30 * DAY - 1, 0, 999.0)]
    run = detect(usual(process(), 2) + edges + hits(process(), 6))
    assert "avg_tcp.bytes=3 " in texts(run)[0]


@pytest.mark.more
def test_counters_count_with_their_increases(detect: Detect) -> None:
    counter = process(kind=Kind.CUMULATIVE)
    start = NOW - 2 * DAY
    history = [(counter, start + step * 600 * SECOND, 1, 10.0 * step + step % 3) for step in range(200)]
    first = NOW - 60 * SECOND - 6 * 10 * SECOND
    steps = [(counter, first + step * 10 * SECOND, 1, 1e6 + 500.0 * step) for step in range(7)]
    run = detect(history + steps)
    assert who(run) == [("c1", "web", "curl", 6)]
    assert all("tcp.bytes=500 " in text for text in texts(run))


@pytest.mark.more
def test_a_counter_and_a_reading_of_one_name_count_together(detect: Detect) -> None:
    reading, counter = process(pod="1"), process(kind=Kind.CUMULATIVE, pod="2")
    first = NOW - 60 * SECOND - 60 * SECOND
    steps = [(counter, first + step * 10 * SECOND, 1, 7000.0 + 30.0 * step) for step in range(7)]
    run = detect(usual(reading, 10, 12, 14) + hits(reading, 6, 10.0) + steps)
    assert {text.split("tcp.bytes=")[1].split()[0] for text in texts(run)} == {"20"}


def test_names_of_metrics_are_only_names(detect: Detect) -> None:
    odd = ["tcp.it's", 'tcp."x"', "tcp.a\\b", "tcp.<<FIELD>>", "tcp.$x$", "tcp.`x`", "tcp.ü🐍", "tcp.a|b]"]
    points: list[Point] = []
    for name in odd:
        points += usual(process(name), 1, 2, 3) + hits(process(name), 1)
    run = detect(points)
    assert who(run) == [("c1", "web", "curl", len(odd))]
    expected = "{0} higher than average by 998 Standard Deviations. {0}=1000 avg_{0}=2 'stdev_{0}'=1"
    assert texts(run) == sorted((expected.format(name) for name in odd), key=str.encode)


@pytest.mark.more
def test_names_of_workloads_come_back_as_they_are(detect: Detect) -> None:
    odd = ["", " ", "it's", '"', "\\", "a\nb", "ü🐍", "*", "null", "0", "\x00", "-- x", "$host$", "10"]
    points: list[Point] = []
    for name in odd:
        points += usual(process(workload=name, name=name), 1, 2, 3) + hits(
            process(workload=name, name=name), 6
        )
    assert sorted(who(detect(points))) == sorted(("c1", name, name, 6) for name in odd)


def test_it_looks_at_its_own_hour_whatever_window_is_given(detect: Detect) -> None:
    run = detect(usual(process(), 1, 2, 3) + hits(process(), 6), earliest="-2d", latest="-1d")
    assert who(run) == [("c1", "web", "curl", 6)]


@given(seed=st.integers(min_value=0, max_value=2**31))
@one_of_three
def test_it_agrees_with_the_oracle(store: Store, either_content: Content, seed: int) -> None:
    now, points = three(partial(a_network, by=BY), seed, BY[1])
    expected = verdict(points, now)
    assume(not expected.close)
    fresh = emptied(store)
    send(fresh, points)
    run = run_search(fresh, OUTBOUND, Times(now), either_content)
    assert_same_rows(run.outcome.rows, expected.rows)


def test_the_oracle_has_something_to_say() -> None:
    found = [
        verdict(points, now).rows
        for now, points in (a_network(random.Random(seed), BY) for seed in range(20))
    ]
    assert sum(1 for rows in found if rows) >= 15
    everything = str(found)
    assert "Null Standard" in everything
    assert "udp." in everything
