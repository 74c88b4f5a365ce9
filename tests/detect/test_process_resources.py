"""The published detection of unusual resources of processes and its baseline, by hand, on every engine.

`test_process_ratios` compares them with the oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from awkward import NAMES
from processes import (
    BEFORE,
    CPU,
    DISK,
    END,
    FIRST,
    HOUR_END,
    HOUR_FIRST,
    MEMORY,
    RECENT,
    RESOURCE_BASELINE,
    RESOURCES,
    THREADS,
    Row,
    hits,
    process,
    said,
    steps,
    usual,
    who,
)

from helpers import NOW, SECOND, Point, more, series
from kubestray.model.metric import Kind
from kubestray.pipeline.detecting import Run

RunPublished = Callable[..., list[Run]]
Found = Callable[..., list[Row]]

NGINX = ("h1", "c1", "n1", "nginx")


@pytest.fixture
def found(run_published: RunPublished) -> Found:
    """``found(points)`` runs the baseline, then the detection."""

    def run(points: list[Point], **more: Any) -> list[Row]:
        _, detection = run_published(points, RESOURCE_BASELINE, RESOURCES, **more)
        return detection.outcome.rows

    return run


@pytest.fixture
def kept(run_published: RunPublished) -> Found:
    """``kept(points)`` runs the baseline and returns what it kept, in the order of the keys."""

    def run(points: list[Point]) -> list[Row]:
        (baseline,) = run_published(points, RESOURCE_BASELINE)
        return sorted(baseline.outcome.rows, key=lambda row: row["key"])

    return run


# --- the baseline ---------------------------------------------------------------------------------------


def test_a_baseline_of_a_process(kept: Found) -> None:
    points = usual(process(pid="1"), 10, 12) + usual(process(pid="2"), 14) + usual(process(DISK), 0.5)
    assert kept(points) == [
        {
            "host.name": "h1",
            "k8s.cluster.name": "c1",
            "k8s.node.name": "n1",
            "process.executable.name": "nginx",
            "key": "c1:h1:nginx",
            "avg_process.cpu.utilization": 12,
            "stdev_process.cpu.utilization": 2,
            "avg_process.disk.operations": 0.5,
            "stdev_process.disk.operations": 0,
        }
    ]


@pytest.mark.more
def test_what_a_process_lacks_is_zero_if_another_has_it(kept: Found) -> None:
    sh, web = kept(usual(process(), 10) + usual(process(DISK, "a"), 3, 5))
    assert sh["avg_process.cpu.utilization"] == sh["stdev_process.cpu.utilization"] == 0
    assert web["avg_process.disk.operations"] == web["stdev_process.disk.operations"] == 0
    assert (sh["avg_process.disk.operations"], web["avg_process.cpu.utilization"]) == (4, 10)


def test_every_metric_has_a_deviation_and_those_of_processes_a_mean(kept: Found) -> None:
    points = usual(process("container.cpu", "a"), 1, 3, 5) + usual(process("process."), 7)
    (a, nginx) = kept(points)
    assert a["key"] == "c1:h1:a"
    assert (a["stdev_container.cpu"], nginx["stdev_container.cpu"]) == (2, 0)
    assert (a["avg_process."], nginx["avg_process."]) == (0, 7)
    assert "avg_container.cpu" not in a


def test_points_that_lack_an_attribute_are_in_no_baseline(kept: Found) -> None:
    for lost in ("host.name", "k8s.cluster.name", "process.executable.name"):
        rest = {name: value for name, value in process().attributes if name != lost}
        assert kept(usual(series(CPU, **rest), 1, 2)) == []


def test_points_that_name_their_host_alone_are_in_the_baseline_of_that_node(kept: Found) -> None:
    rest = {name: value for name, value in process().attributes if name != "k8s.node.name"}
    (row,) = kept(usual(series(CPU, **rest), 1, 3))
    assert (row["k8s.node.name"], row["avg_process.cpu.utilization"]) == ("h1", 2)


def test_the_edges_of_the_month(kept: Found) -> None:
    times = {FIRST - 1: 1, FIRST: 10, END - 1: 20, END: 400, NOW: 400}
    (row,) = kept([(process(), time, 0, float(value)) for time, value in times.items()])
    assert row["avg_process.cpu.utilization"] == 15


def test_a_counter_is_kept_with_its_increases(kept: Found) -> None:
    counter = process(DISK, kind=Kind.CUMULATIVE)
    (row,) = kept(usual(counter, 100, 104, 110, 8) + steps(process(DISK, pid="8"), BEFORE, 6))
    # 4, 6 and, after a fall, 8 of the counter; 6 of the reading.
    assert row["avg_process.disk.operations"] == 6
    assert row["stdev_process.disk.operations"] == pytest.approx((8 / 3) ** 0.5, rel=1e-12)


# --- the detection --------------------------------------------------------------------------------------


def test_six_hits_are_found_and_said(found: Found) -> None:
    assert found(usual(process(), 10, 12, 14) + hits(process(), 6, 20.5)) == [
        {
            "host": "h1",
            "k8s.cluster.name": "c1",
            "k8s.node.name": "n1",
            "process.executable.name": "nginx",
            "count": 6,
            "anomalies": "process.cpu.utilization higher than average by 4.25 Standard Deviations. "
            "process.cpu.utilization=20.5 avg_process.cpu.utilization=12 'stdev_process.cpu.utilization'=2",
        }
    ]


@pytest.mark.more
def test_five_hits_are_not_found(found: Found) -> None:
    assert found(usual(process(), 10, 12, 14) + hits(process(), 5)) == []


def test_exactly_four_deviations_are_not_above(found: Found) -> None:
    assert found(usual(process(), 10, 12, 14) + hits(process(), 6, 20.0)) == []


def test_several_metrics_in_one_step_are_one_hit(found: Found) -> None:
    points = usual(process(), 1, 1) + usual(process(THREADS), 2, 2) + usual(process(DISK), 3, 3)
    points += hits(process(), 6, 5) + hits(process(THREADS), 6, 5) + hits(process(DISK), 6, 5)
    rows = found(points)
    assert who(rows) == [(*NGINX, 6)]
    (text,) = said(rows)
    names = [part.split(" higher")[0] for part in text.split(", ")]
    assert names == [CPU, DISK, THREADS]


@pytest.mark.more
def test_ids_are_averaged(found: Found) -> None:
    points = usual(process(), 1, 1) + hits(process(pid="1"), 6, 9.0) + hits(process(pid="2"), 6, 2.0)
    assert "process.cpu.utilization=5.5 " in said(found(points))[0]


@pytest.mark.more
def test_a_process_without_a_baseline_is_found_if_another_has_one(found: Found) -> None:
    """Its usual and its deviation are filled with 0, so whatever it does is too much."""
    points = usual(process(), 5, 7) + hits(process(), 1, 5.0) + hits(process(name="new"), 6, 0.25)
    rows = found(points)
    assert who(rows) == [("h1", "c1", "n1", "new", 6)]
    assert said(rows) == [
        "process.cpu.utilization higher than average by Null Standard Deviations. "
        "process.cpu.utilization=0.25 avg_process.cpu.utilization=0 'stdev_process.cpu.utilization'=0"
    ]


@pytest.mark.more
def test_a_process_without_a_baseline_that_does_nothing_is_not_found(found: Found) -> None:
    points = usual(process(), 5, 7) + hits(process(), 1, 5.0) + hits(process(name="new"), 9, 0.0)
    assert found(points) == []


def test_no_process_with_a_baseline_at_all_is_silence(found: Found) -> None:
    assert found(usual(process(), 5, 7) + hits(process(name="new"), 60)) == []


def test_without_a_run_of_the_baseline_nothing_is_found(run_published: RunPublished) -> None:
    (run,) = run_published(usual(process(), 5, 7) + hits(process(), 60), RESOURCES)
    assert run.outcome.rows == []


def test_a_metric_that_is_not_there_now_counts_as_zero(found: Found) -> None:
    """Zero is above a usual value below it."""
    points = usual(process("process.x"), -3, -3) + usual(process(), 1, 1) + hits(process(), 6, 1)
    points += steps(process("process.x", "other"), RECENT, -3.0)
    rows = found(points)
    assert who(rows) == [(*NGINX, 6)]
    assert said(rows) == [
        "process.x higher than average by Null Standard Deviations. "
        "process.x=0 avg_process.x=-3 'stdev_process.x'=0"
    ]


@pytest.mark.more
def test_a_metric_that_nothing_has_now_is_null(found: Found) -> None:
    points = usual(process("process.x"), -3, -3) + usual(process(), 1, 1) + hits(process(), 6, 1)
    assert found(points) == []


@pytest.mark.more
def test_a_metric_without_a_baseline_is_passed_over(found: Found) -> None:
    points = usual(process(), 1, 1) + hits(process(), 1, 1) + hits(process(THREADS), 60)
    assert found(points) == []


@pytest.mark.more
def test_other_metrics_are_passed_over(found: Found) -> None:
    other = process("container.cpu")
    assert found(usual(other, 1, 1) + usual(process(), 1, 1) + hits(other, 60) + hits(process(), 5)) == []


@pytest.mark.more
def test_a_process_that_was_known_by_other_metrics_only_is_above_zero(found: Found) -> None:
    points = usual(process("system.load"), 1, 1) + usual(process(name="b"), 9) + hits(process(), 6, 0.5)
    assert who(found(points)) == [(*NGINX, 6)]


@pytest.mark.more
def test_the_names_of_the_baseline_replace_those_of_the_process(found: Found) -> None:
    points = usual(process(node="old"), 1, 1) + hits(process(node="new"), 6)
    assert who(found(points)) == [("h1", "c1", "old", "nginx", 6)]


@pytest.mark.more
def test_keys_that_collide_take_the_names_of_the_baseline(found: Found) -> None:
    old, new = process(name="b:c", host="a"), process(name="c", host="a:b")
    assert who(found(usual(old, 1, 1) + hits(new, 3) + hits(old, 6))) == [("a", "c1", "n1", "b:c", 9)]


@pytest.mark.more
def test_clusters_have_their_own_baselines(found: Found) -> None:
    one, other = process(cluster="c1"), process(cluster="c2")
    points = usual(one, 1, 1) + usual(other, 1001, 1001) + hits(one, 6, 500) + hits(other, 6, 500)
    assert who(found(points)) == [(*NGINX, 6)]


def test_most_hits_come_first(found: Found) -> None:
    points: list[Point] = []
    for name, count in (("a", 7), ("b", 12), ("c", 6), ("d", 100), ("e", 9)):
        points += usual(process(name=name), 1, 1) + hits(process(name=name), count)
    assert [(row["process.executable.name"], row["count"]) for row in found(points)] == [
        ("d", 100),
        ("b", 12),
        ("e", 9),
        ("a", 7),
        ("c", 6),
    ]


def test_the_edges_of_the_hour(found: Found) -> None:
    points = usual(process(), 1, 1) + steps(process(), RECENT, *[50.0] * 4)
    edges = {HOUR_FIRST - 1: 100.0, HOUR_FIRST: 200.0, HOUR_END - 1: 300.0, HOUR_END: 400.0, NOW - 1: 500.0}
    points += [(process(), time, 0, value) for time, value in edges.items()]
    rows = found(points)
    assert who(rows) == [(*NGINX, 6)]
    shown = sorted(text.split("process.cpu.utilization=")[1].split()[0] for text in said(rows))
    assert shown == ["200", "300", "50"]


@pytest.mark.more
def test_points_that_lack_an_attribute_do_not_count(found: Found) -> None:
    points = usual(process(), 1, 1) + hits(process(), 5)
    for lost in ("host.name", "k8s.cluster.name", "process.executable.name"):
        rest = {name: value for name, value in process().attributes if name != lost}
        points += hits(series(CPU, **rest), 60)
    assert found(points) == []


@pytest.mark.more
def test_counters_count_with_their_increases(found: Found) -> None:
    counter = process("process.cpu.time", kind=Kind.CUMULATIVE)
    history = usual(counter, *(10.0 * step for step in range(20)))
    rows = found(history + steps(counter, RECENT, 1e6, 1e6 + 500, 1e6 + 1000, 500, 1000, 1500, 2000))
    assert who(rows) == [(*NGINX, 6)]
    assert all(" process.cpu.time=500 " in text for text in said(rows))


def test_a_counter_that_was_silent_for_more_than_an_hour_starts_anew(found: Found) -> None:
    counter = process("process.cpu.time", kind=Kind.CUMULATIVE)
    points = usual(counter, 0, 1, 2, 3) + hits(process("process.cpu.time", pid="8"), 5)
    points += [(counter, RECENT - 3600 * SECOND - 1, 0, 5.0), (counter, RECENT, 0, 1e9)]
    assert found(points) == []


@pytest.mark.more
def test_a_counter_that_was_silent_for_just_an_hour_goes_on(found: Found) -> None:
    counter, other = process("process.cpu.time", kind=Kind.CUMULATIVE), process("process.cpu.time", pid="8")
    points = usual(counter, 0, 1, 2, 3) + steps(other, RECENT + 10 * SECOND, *[9] * 5)
    points += [(counter, RECENT - 3600 * SECOND, 0, 5.0), (counter, RECENT, 0, 1e9)]
    rows = found(points)
    assert who(rows) == [(*NGINX, 6)]
    assert " process.cpu.time=999999995 " in str(said(rows))


@pytest.mark.parametrize("value", [0.1, more(1e12 + 0.1), more(1e-5)])
def test_the_same_as_ever_is_not_found(found: Found, value: float) -> None:
    points = [(process(MEMORY), BEFORE + step * 1000 * SECOND, 0, value) for step in range(97)]
    assert found(points + hits(process(MEMORY), 6, value)) == []


@pytest.mark.more
def test_names_come_back_as_they_are(found: Found) -> None:
    odd = [*NAMES, "*", "null", "\x00", "-- x", "%s", " ", "Null", "0", "<<MATCHSTR>>"]
    points: list[Point] = []
    for name in odd:
        of = process(name=name, host=f"h{name}", cluster=f"c{name}", node=f"n{name}")
        points += usual(of, 1, 2, 3) + hits(of, 6)
    expected = sorted((f"h{name}", f"c{name}", f"n{name}", name, 6) for name in odd)
    assert who(found(points)) == expected


def test_names_of_metrics_are_only_names(found: Found) -> None:
    odd = ["process.it's", 'process."x"', "process.a\\b", "process.<<FIELD>>", "process.$x$", "process.`x`"]
    odd += ["process.ü🐍", "process.a|b]", "process.a, b", "process.100%", "process."]
    points: list[Point] = []
    for name in odd:
        points += usual(process(name), 1, 2, 3) + hits(process(name), 6)
    (text,) = said(found(points))
    expected = "{0} higher than average by 998 Standard Deviations. {0}=1000 avg_{0}=2 'stdev_{0}'=1"
    assert text == ", ".join(expected.format(name) for name in sorted(odd, key=str.encode))
