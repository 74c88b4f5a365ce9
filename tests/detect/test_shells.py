"""The published detections of shells, by hand, on every engine.

`test_process_ratios` compares them with the oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from processes import (
    CPU,
    HOUR_END,
    HOUR_FIRST,
    MEMORY,
    RECENT,
    SHELL,
    SHELL_CPU,
    Row,
    hits,
    process,
    steps,
)

from helpers import HOUR, NOW, SECOND, Point, more, series
from kubestray.model.metric import Kind
from kubestray.pipeline.detecting import Run

RunPublished = Callable[..., list[Run]]
Both = Callable[..., tuple[list[Row], list[Row]]]


@pytest.fixture
def both(run_published: RunPublished) -> Both:
    """``both(points)`` returns the rows of the two detections, in the order of ids and names."""

    def run(points: list[Point], **more: Any) -> tuple[list[Row], list[Row]]:
        one, other = run_published(points, SHELL, SHELL_CPU, **more)
        return _sorted(one.outcome.rows), _sorted(other.outcome.rows)

    return run


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["process.pid"], row["process.executable.name"], row["host"]))


def shell(name: str = "sh", pid: str = "7", **values: float) -> Row:
    row: Row = {"host": "h1", "k8s.cluster.name": "c1", "k8s.node.name": "n1", "process.pid": pid}
    row["process.executable.name"] = name
    return row | {f"process.{metric}.utilization": value for metric, value in values.items()}


def test_a_shell_is_found_with_its_means(both: Both) -> None:
    """Means of means: a step with two points counts as much as one with one."""
    points = [*steps(process(CPU, "sh"), RECENT, 1, 2), (process(CPU, "sh"), RECENT + SECOND, 0, 4.0)]
    points += steps(process(MEMORY, "sh"), RECENT, 0.5, 1)
    expected = [shell(cpu=2.25, memory=0.75)]
    assert both(points) == (expected, expected)


def test_a_shell_that_only_takes_memory_uses_no_processor(both: Both) -> None:
    points = steps(process(CPU, "sh"), RECENT, 0, 0) + steps(process(MEMORY, "sh"), RECENT, 0, 4)
    assert both(points) == ([shell(cpu=0, memory=4)], [])


def test_only_the_steps_with_activity_count(both: Both) -> None:
    points = steps(process(CPU, "sh"), RECENT, 0, 2, 4, -1) + steps(process(MEMORY, "sh"), RECENT, 8, 0, 4, 0)
    assert both(points) == ([shell(cpu=2, memory=4)], [shell(cpu=3, memory=2)])


def test_a_shell_that_does_nothing_is_not_found(both: Both) -> None:
    points = hits(process(CPU, "sh"), 9, 0.0) + hits(process(MEMORY, "sh"), 9, -1.0)
    assert both(points) == ([], [])


def test_a_metric_that_is_not_there_is_not_shown(both: Both) -> None:
    cpu, memory = process(CPU, "sh", pid="1"), process(MEMORY, "sh", pid="2")
    points = hits(cpu, 1, 3.0) + hits(memory, 1, 4.0)
    assert both(points) == ([shell(pid="1", cpu=3), shell(pid="2", memory=4)], [shell(pid="1", cpu=3)])


def test_neither_metric_exists(both: Both) -> None:
    assert both(hits(process("process.threads", "sh"), 9)) == ([], [])


def test_only_four_shells_are_known_and_their_case_counts(both: Both) -> None:
    names = [
        "sh",
        "bash",
        "csh",
        "tcsh",
        "Bash",
        "SH",
        "dash",
        "ash",
        "zsh",
        "ksh",
        "busybox",
        "sh ",
        "",
        "*sh",
    ]
    points = [point for name in names for point in hits(process(CPU, name), 1, 1.0)]
    expected = [shell(name, cpu=1) for name in ("bash", "csh", "sh", "tcsh")]
    assert both(points) == (expected, expected)


def test_an_id_that_is_used_again_is_one_process_if_the_name_is_the_same(both: Both) -> None:
    points = steps(process(CPU, "sh"), HOUR_FIRST, 2) + steps(process(CPU, "sh"), HOUR_END - 10 * SECOND, 4)
    points += steps(process(CPU, "bash"), RECENT, 8) + steps(process(CPU, "nginx"), RECENT, 8)
    expected = [shell("bash", cpu=8), shell("sh", cpu=3)]
    assert both(points) == (expected, expected)


def test_ids_are_texts(both: Both) -> None:
    points = [point for pid in ("7", "07", "7.0", "") for point in hits(process(CPU, "sh", pid=pid), 1, 1.0)]
    expected = [shell(pid=pid, cpu=1) for pid in ("", "07", "7", "7.0")]
    assert both(points) == (expected, expected)


def test_hosts_and_nodes_are_apart(both: Both) -> None:
    points = hits(process(CPU, "sh"), 1, 1.0) + hits(process(CPU, "sh", host='h"$2$', node="ü\\n"), 1, 2.0)
    other = {**shell(cpu=2), "host": 'h"$2$', "k8s.node.name": "ü\\n"}
    assert both(points)[0] == _sorted([shell(cpu=1), other])


@pytest.mark.parametrize(
    "lost", [more("host.name"), "k8s.cluster.name", "process.pid", more("process.executable.name")]
)
def test_points_that_lack_an_attribute_do_not_count(both: Both, lost: str) -> None:
    rest = {name: value for name, value in process(CPU, "sh").attributes if name != lost}
    points = hits(series(CPU, **rest), 9) + hits(process(MEMORY, "sh"), 1, 2.0)
    assert both(points) == ([shell(memory=2)], [])


def test_the_edges_of_the_hour(both: Both) -> None:
    edges = {HOUR_FIRST - 1: 100.0, HOUR_FIRST: 2.0, HOUR_END - 1: 4.0, HOUR_END: 100.0, NOW - 1: 100.0}
    expected = [shell(cpu=3)]
    assert both([(process(CPU, "sh"), time, 0, value) for time, value in edges.items()]) == (
        expected,
        expected,
    )


def test_a_step_that_the_window_cuts_counts_with_what_is_inside(both: Both) -> None:
    """A window of the caller need not begin with a step."""
    points = [(process(CPU, "sh"), RECENT + second * SECOND, 0, float(second)) for second in (1, 3, 5, 7)]
    earliest, latest = str((RECENT + 3 * SECOND) / SECOND), str((RECENT + 7 * SECOND) / SECOND)
    expected = [shell(cpu=4)]
    assert both(points, earliest=earliest, latest=latest) == (expected, expected)


def test_counters_count_with_their_increases(both: Both) -> None:
    counter = process(CPU, "sh", Kind.CUMULATIVE)
    expected = [shell(cpu=5)]
    assert both(steps(counter, RECENT, 100, 104, 104, 6)) == (expected, expected)


def test_the_first_sight_of_a_counter_is_nothing(both: Both) -> None:
    counter = process(CPU, "sh", Kind.CUMULATIVE)
    assert both([(counter, RECENT - HOUR - 1, 0, 1.0), (counter, RECENT, 0, 100.0)]) == ([], [])


def test_each_row_is_a_risk_of_its_host(run_published: RunPublished) -> None:
    points = hits(process(CPU, "sh"), 1) + hits(process(CPU, "bash", host="h2"), 1)
    runs = run_published(points, SHELL, SHELL_CPU)
    assert [sorted(event.risk_object for event in run.events) for run in runs] == [["h1", "h2"]] * 2


def test_the_node_of_a_point_that_names_its_host_alone_is_the_host(both: Both) -> None:
    alone = {name: value for name, value in process(CPU, "sh").attributes if name != "k8s.node.name"}
    found = [{**shell(cpu=3), "k8s.node.name": "h1"}]
    assert both(hits(series(CPU, **alone), 1, 3.0)) == (found, found)
