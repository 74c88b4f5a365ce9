"""The published detection of unusual ratios of processes' resources and its baseline, on every engine.

The first tests write down by hand what it finds in one awkward case each; the last one compares this
detection, that of unusual resources, both baselines and both detections of shells with the oracle over
data that is made of all of them at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from awkward import one_of_three, some_processes, three
from hypothesis import assume, given
from hypothesis import strategies as st
from process_oracle import ratio_baseline, ratios, resource_baseline, resources, shells
from processes import (
    BEFORE,
    CPU,
    DISK,
    MEMORY,
    RATIO_BASELINE,
    RATIOS,
    RECENT,
    RESOURCE_BASELINE,
    RESOURCES,
    SHELL,
    SHELL_CPU,
    THREADS,
    Row,
    hits,
    process,
    said,
    steps,
    usual,
    who,
)
from spl_oracle import assert_same_rows

from engines.fleet import emptied
from helpers import SECOND, Point, more
from kubestray.model.metric import Kind
from kubestray.pipeline.detecting import Run
from kubestray.store.store import Store

RunPublished = Callable[..., list[Run]]
Found = Callable[..., list[Row]]

NGINX = ("h1", "c1", "n1", "nginx")


def four(start: int, *values: tuple[float, float, float, float], **more: Any) -> list[Point]:
    """Processor, memory, disk and threads every ten seconds."""
    columns = zip(*values, strict=True)
    return [
        point
        for metric, column in zip((CPU, MEMORY, DISK, THREADS), columns, strict=True)
        for point in steps(process(metric, **more), start, *column)
    ]


@pytest.fixture
def found(run_published: RunPublished) -> Found:
    """``found(points)`` runs the baseline, then the detection."""

    def run(points: list[Point], **more: Any) -> list[Row]:
        _, detection = run_published(points, RATIO_BASELINE, RATIOS, **more)
        return detection.outcome.rows

    return run


def test_a_baseline_of_ratios(run_published: RunPublished) -> None:
    (run,) = run_published(four(BEFORE, (8, 2, 4, 1), (8, 4, 2, 4)), RATIO_BASELINE)
    (row,) = run.outcome.rows
    assert row.pop("stdev_cpu:mem") == pytest.approx(2**0.5)
    assert row.pop("stdev_cpu:disk") == pytest.approx(2**0.5)
    assert row.pop("stdev_cpu:threads") == pytest.approx(18**0.5)
    assert row.pop("stdev_disk:threads") == pytest.approx(6.125**0.5)
    assert row == {
        "key": "c1:h1:nginx",
        "avg_cpu:mem": 3,
        "avg_cpu:disk": 3,
        "avg_cpu:threads": 5,
        "avg_disk:threads": 2.25,
        # The published baseline divides memory by itself.
        "avg_mem:disk": 1,
        "stdev_mem:disk": 0,
        "count": 2,
        "last_seen": (BEFORE + 10 * SECOND) // SECOND,
    }


def test_a_ratio_that_is_null_counts_as_zero_if_any_is_known(run_published: RunPublished) -> None:
    points = four(BEFORE, (8, 4, 0, 2)) + usual(process(CPU), 8, 6) + usual(process(name="b"), 1)
    (run,) = run_published(points, RATIO_BASELINE)
    b, nginx = sorted(run.outcome.rows, key=lambda row: row["key"])
    assert (nginx["count"], nginx["avg_cpu:mem"], nginx["avg_cpu:threads"]) == (2, 1, 2)
    assert (b["count"], b["avg_cpu:mem"], b["stdev_cpu:mem"]) == (1, 0, 0)
    # By zero there is no ratio at all, anywhere.
    assert "avg_cpu:disk" not in nginx
    assert "stdev_cpu:disk" not in b
    assert nginx["avg_disk:threads"] == 0


def test_ids_are_averaged_before_they_are_divided(run_published: RunPublished) -> None:
    points = four(BEFORE, (1, 1, 1, 1), pid="1") + four(BEFORE, (5, 2, 1, 1), pid="2")
    (run,) = run_published(points, RATIO_BASELINE)
    assert run.outcome.rows[0]["avg_cpu:mem"] == 2


def test_a_ratio_six_times_high_is_found_and_said(found: Found) -> None:
    points = four(BEFORE, (1, 1, 1, 1), (2, 1, 1, 1), (3, 1, 1, 1)) + four(RECENT, *[(6.5, 1, 2, 2)] * 6)
    assert found(points) == [
        {
            "host": "h1",
            "k8s.cluster.name": "c1",
            "k8s.node.name": "n1",
            "process.executable.name": "nginx",
            "count": 6,
            "anomalies": "cpu:mem ratio higher than average by 4.5 Standard Deviations. "
            "cpu:mem=6.5 avg_cpu:mem=2 'stdev_cpu:mem'=1",
        }
    ]


@pytest.mark.more
def test_a_ratio_five_times_high_is_not_found(found: Found) -> None:
    points = four(BEFORE, (1, 1, 1, 1), (2, 1, 1, 1), (3, 1, 1, 1)) + four(RECENT, *[(6.5, 1, 2, 2)] * 5)
    assert found(points) == []


def test_exactly_four_deviations_are_not_above(found: Found) -> None:
    points = four(BEFORE, (1, 1, 1, 1), (2, 1, 1, 1), (3, 1, 1, 1)) + four(RECENT, *[(6, 1, 2, 2)] * 9)
    assert found(points) == []


def test_memory_to_disk_is_held_against_one(found: Found) -> None:
    points = four(BEFORE, (1, 4, 2, 1), (1, 4, 2, 1)) + four(RECENT, *[(1, 4, 2, 1)] * 6)
    assert said(found(points)) == [
        "mem:disk ratio higher than average by Null Standard Deviations. "
        "mem:disk=2 avg_mem:disk=1 'stdev_mem:disk'=0"
    ]


def test_all_ratios_in_the_order_of_the_baseline(found: Found) -> None:
    """Disk to threads too: by default a lookup keeps fields that its definition does not list."""
    points = four(BEFORE, (1, 1, 1, 1), (1, 1, 1, 1)) + four(RECENT, *[(64, 16, 4, 0.5)] * 6)
    (text,) = said(found(points))
    names = [part.split(" ratio")[0] for part in text.split(", ")]
    assert names == ["cpu:mem", "cpu:disk", "mem:disk", "cpu:threads", "disk:threads"]


@pytest.mark.more
def test_division_by_zero_is_zero(found: Found) -> None:
    points = four(BEFORE, (1, 1, 1, 1), (1, 1, 1, 1)) + four(RECENT, *[(900, 0, 0, 0)] * 9)
    assert found(points) == []


@pytest.mark.more
def test_a_ratio_of_zero_is_above_one_below_it(found: Found) -> None:
    points = four(BEFORE, (-1, 1, 1, 1), (-1, 1, 1, 1)) + four(RECENT, (-1, 1, 1, 1), *[(-1, 0, 1, 1)] * 6)
    assert set(said(found(points))) == {
        "cpu:mem ratio higher than average by Null Standard Deviations. "
        "cpu:mem=0 avg_cpu:mem=-1 'stdev_cpu:mem'=0"
    }


@pytest.mark.more
def test_a_process_without_a_baseline_is_found_if_another_has_one(found: Found) -> None:
    points = four(BEFORE, (1, 1, 1, 1)) + four(RECENT, (1, 1, 1, 1))
    points += four(RECENT, *[(1, 2, 4, 8)] * 6, name="new")
    rows = found(points)
    assert who(rows) == [("h1", "c1", "n1", "new", 6)]
    assert said(rows)[0].startswith(
        "cpu:mem ratio higher than average by Null Standard Deviations. cpu:mem=0.5 "
    )


@pytest.mark.more
def test_no_process_with_a_baseline_at_all_is_silence(found: Found) -> None:
    assert found(four(BEFORE, (1, 1, 1, 1)) + four(RECENT, *[(9, 1, 1, 1)] * 9, name="new")) == []


def test_without_a_run_of_the_baseline_nothing_is_found(run_published: RunPublished) -> None:
    (run,) = run_published(four(BEFORE, (1, 1, 1, 1)) + four(RECENT, *[(9, 1, 1, 1)] * 9), RATIOS)
    assert run.outcome.rows == []


@pytest.mark.more
def test_without_metrics_there_are_no_ratios(run_published: RunPublished) -> None:
    points = usual(process(CPU), 1, 2) + hits(process(CPU), 60)
    baseline, detection = run_published(points, RATIO_BASELINE, RATIOS)
    assert baseline.outcome.rows == [
        {"key": "c1:h1:nginx", "count": 2, "last_seen": (BEFORE + 10 * SECOND) // SECOND}
    ]
    assert detection.outcome.rows == []


def test_without_points_nothing_is_kept_and_nothing_found(run_published: RunPublished) -> None:
    names = (RESOURCE_BASELINE, RESOURCES, RATIO_BASELINE, RATIOS, SHELL, SHELL_CPU)
    assert [run.outcome.rows for run in run_published([], *names)] == [[]] * 6


@pytest.mark.more
def test_counters_count_with_their_increases(found: Found) -> None:
    counter = process(DISK, kind=Kind.CUMULATIVE)
    points = four(BEFORE, (2, 1, 2, 1), (2, 1, 2, 1)) + usual(process(THREADS), 1, 1)
    points += steps(process(THREADS), RECENT, *[1] * 8)
    # Increases of 5, and of 4 after a restart.
    points += steps(counter, RECENT, 1e6, *(1e6 + 5 * step for step in range(1, 6)), 4, 9)
    rows = found(points)
    assert who(rows) == [(*NGINX, 7)]
    assert {text.split("disk:threads=")[1].split()[0] for text in said(rows)} == {"4", "5"}


@pytest.mark.parametrize("value", [more((1, 3, 7, 11)), (0.1, 0.7, 0.9, 3), more((1e9 + 1, 7, 1e10, 13))])
def test_the_same_ratios_as_ever_are_not_found(
    found: Found, value: tuple[float, float, float, float]
) -> None:
    assert found(four(BEFORE, *[value] * 37) + four(RECENT, *[value] * 8)) == []


# --- all at once ----------------------------------------------------------------------------------------


@given(seed=st.integers(min_value=0, max_value=2**31))
@one_of_three
def test_they_agree_with_the_oracle(store: Store, run_published: RunPublished, seed: int) -> None:
    now, points = three(some_processes, seed, "host.name")
    usual_resources, usual_ratios = resource_baseline(points, now), ratio_baseline(points, now)
    high, odd = resources(points, now, usual_resources), ratios(points, now, usual_ratios)
    assume(not high.close and not odd.close)
    names = (RESOURCE_BASELINE, RESOURCES, RATIO_BASELINE, RATIOS, SHELL, SHELL_CPU)
    runs = run_published(points, *names, now=now, on=emptied(store))
    running, busy = shells(points, now, cpu_only=False), shells(points, now, cpu_only=True)
    expected = (usual_resources, high.rows, usual_ratios, odd.rows, running, busy)
    for run, rows in zip(runs, expected, strict=True):
        assert_same_rows(run.outcome.rows, rows)
    counts = [row["count"] for row in runs[1].outcome.rows]
    assert all(one >= other for one, other in pairwise(counts))


def test_the_oracle_has_something_to_say() -> None:
    found = [some_processes(random.Random(seed)) for seed in range(30)]
    high = [
        row for now, points in found for row in resources(points, now, resource_baseline(points, now)).rows
    ]
    odd = [row for now, points in found for row in ratios(points, now, ratio_baseline(points, now)).rows]
    running = [row for now, points in found for row in shells(points, now, cpu_only=False)]
    assert len(high) >= 20
    assert len(odd) >= 10
    assert len(running) >= 10
    assert "by Null " in str(high)
    assert "by 1" in str(high)
