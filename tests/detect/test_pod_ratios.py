"""The published detection of unusual ratios of pod traffic and its baseline, on every engine.

The first tests write down by hand what it finds in one awkward case each; the last one compares this
detection, that of unusual traffic and both baselines with the oracle over data that is made of all of
them at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from awkward import one_of_three, some_pods, three
from hypothesis import assume, given
from hypothesis import strategies as st
from pod_oracle import io, io_baseline, ratio, ratio_baseline
from pods import (
    BEFORE,
    HOUR_END,
    HOUR_FIRST,
    IO,
    IO_BASELINE,
    RATIO,
    RATIO_BASELINE,
    RECENT,
    Row,
    both,
    hits,
    pod,
    said,
    usual,
)
from product import run
from spl_oracle import assert_same_rows
from test_detect_command import otlp_line

from engines.fleet import emptied
from helpers import NOW, SECOND, Point, more, shared
from kubestray.pipeline.detecting import Run
from kubestray.store.store import Store

RunPublished = Callable[..., list[Run]]
Found = Callable[..., list[Row]]


@pytest.fixture
def found(run_published: RunPublished) -> Found:
    """``found(points)`` runs the baseline, then the detection."""

    def run_both(points: list[Point], **more: Any) -> list[Row]:
        _, detection = run_published(points, RATIO_BASELINE, RATIO, **more)
        return detection.outcome.rows

    return run_both


def test_ratios_have_a_baseline(run_published: RunPublished) -> None:
    points = both("web-0", BEFORE, (10, 5), (30, 5), (0, 5), (7, 0)) + usual(pod("db-0"), 1, 2)
    (run,) = run_published(points, RATIO_BASELINE)
    db, web = sorted(run.outcome.rows, key=lambda row: row["key"])
    assert db == {"key": "c1:db-0", "count": 2, "last_seen": (BEFORE + 10 * SECOND) // SECOND}
    # Inbound to outbound: 2, 6, 0 and null; outbound to inbound: 1/2, 1/6, null and 0.
    assert web.pop("stdev_inbound:outbound") == pytest.approx((28 / 3) ** 0.5, rel=1e-12)
    assert web.pop("avg_outbound:inbound") == pytest.approx(2 / 9, rel=1e-12)
    assert web.pop("stdev_outbound:inbound") == pytest.approx((7 / 108) ** 0.5, rel=1e-12)
    last = (BEFORE + 30 * SECOND) // SECOND
    assert web == {
        "key": "c1:web-0",
        "avg_inbound:outbound": pytest.approx(8 / 3),
        "count": 4,
        "last_seen": last,
    }


def test_a_baseline_of_ratios_is_of_the_means_of_a_services_pods(run_published: RunPublished) -> None:
    points = both("web-7d9f8b6c5-abcde", BEFORE, (10, 1)) + both("web-7d9f8b6c5-fghij", BEFORE, (20, 4))
    (run,) = run_published(points, RATIO_BASELINE)
    assert run.outcome.rows[0]["avg_inbound:outbound"] == 6


def test_a_ratio_six_times_high_is_found(found: Found) -> None:
    points = both("web-0", BEFORE, (10, 10), (20, 10), (30, 10)) + both("web-0", RECENT, *[(63, 10)] * 6)
    (row,) = found(points)
    assert row == {
        "k8s.cluster.name": "c1",
        "host": "n1",
        "k8s.pod.name": "web-0",
        "k8s.service": "web-0",
        "count": 6,
        "anomalies": "inbound:outbound ratio higher than average by 4.3 Standard Deviations. "
        "inbound:outbound=6.3 avg_inbound:outbound=2 'stdev_inbound:outbound'=1",
    }


@pytest.mark.more
def test_a_ratio_five_times_high_is_not_found(found: Found) -> None:
    points = both("web-0", BEFORE, (10, 10), (20, 10), (30, 10)) + both("web-0", RECENT, *[(63, 10)] * 5)
    assert found(points) == []


@pytest.mark.more
def test_a_ratio_needs_both_ways_and_no_zero(found: Found) -> None:
    points = both("web-0", BEFORE, (1, 1), (1, 1))
    points += both("web-0", RECENT, *[(500, 0)] * 6) + hits(pod("web-0", "transmit", node="n2"), 20)
    assert found(points) == []


@pytest.mark.more
def test_a_zero_above_the_line_is_a_ratio(found: Found) -> None:
    """Nothing came in, so the way out has no ratio, and the way in has 0, which is below."""
    points = both("web-0", BEFORE, (1, 1), (3, 1)) + both("web-0", RECENT, *[(0, 900)] * 9)
    assert found(points) == []


@pytest.mark.parametrize("pair", [more((1, 3)), (0.1, 0.7), more((1e9 + 1, 7))])
def test_the_same_ratio_as_ever_is_not_found(found: Found, pair: tuple[float, float]) -> None:
    points = both("web-0", BEFORE, *[pair] * 37) + both("web-0", RECENT, *[pair] * 8)
    assert found(points) == []


def test_without_variance_of_ratios_the_deviations_are_null(found: Found) -> None:
    points = both("web-0", BEFORE, (1, 4), (1, 4)) + both("web-0", RECENT, *[(1, 2)] * 6)
    assert said(found(points)) == [
        "inbound:outbound ratio higher than average by Null Standard Deviations. "
        "inbound:outbound=0.5 avg_inbound:outbound=0.25 'stdev_inbound:outbound'=0"
    ]


@pytest.mark.more
def test_a_service_whose_baseline_has_no_ratio_is_not_found(found: Found) -> None:
    points = usual(pod("web-0"), 1, 2) + both("web-0", RECENT, *[(900, 1)] * 9)
    points += both("db-0", BEFORE, (1, 1))
    assert found(points) == []


def test_no_traffic_at_all(run_published: RunPublished) -> None:
    runs = run_published([], IO_BASELINE, IO, RATIO_BASELINE, RATIO)
    assert [run.outcome.rows for run in runs] == [[]] * 4


# --- as users run it ------------------------------------------------------------------------------------


def test_files_in_findings_out(tmp_path: Path) -> None:
    points = both("web-0", BEFORE, (10, 10), (20, 10), (30, 10)) + both("web-0", RECENT, *[(63, 10)] * 6)
    file, store = tmp_path / "points.jsonl", tmp_path / "store"
    file.write_text("".join(otlp_line(point) + "\n" for point in points))
    assert run("ingest", "--store", store, file).code == 0
    searches = [
        shared("escu", "baselines", "baseline_of_kubernetes_container_network_io_ratio.yml"),
        shared("escu", "detections", "kubernetes_anomalous_inbound_to_outbound_network_io_ratio.yml"),
    ]
    command = ("detect", "--store", store, "--now", str(NOW // SECOND), "--format", "json")
    ran = run(*command, "--content", shared("escu"), *searches)
    assert ran.code == 0, ran.err
    (told,) = ran.json
    assert told["detection"] == RATIO
    assert told["window"] == [HOUR_FIRST / SECOND, HOUR_END / SECOND]
    assert_same_rows(told["rows"], ratio(points, NOW, ratio_baseline(points, NOW)).rows)
    assert [event["risk_object"] for event in told["risk_events"]] == ["n1"]


# --- all at once ----------------------------------------------------------------------------------------


@given(seed=st.integers(min_value=0, max_value=2**31))
@one_of_three
def test_they_agree_with_the_oracle(store: Store, run_published: RunPublished, seed: int) -> None:
    now, points = three(some_pods, seed, "k8s.pod.name")
    usual_io, usual_ratio = io_baseline(points, now), ratio_baseline(points, now)
    high, odd = io(points, now, usual_io), ratio(points, now, usual_ratio)
    assume(not high.close and not odd.close)
    runs = run_published(points, IO_BASELINE, IO, RATIO_BASELINE, RATIO, now=now, on=emptied(store))
    for ran, rows in zip(runs, (usual_io, high.rows, usual_ratio, odd.rows), strict=True):
        assert_same_rows(ran.outcome.rows, rows)


def test_the_oracle_has_something_to_say() -> None:
    found = [some_pods(random.Random(seed)) for seed in range(40)]
    high = [row for now, points in found for row in io(points, now, io_baseline(points, now)).rows]
    odd = [row for now, points in found for row in ratio(points, now, ratio_baseline(points, now)).rows]
    assert len(high) >= 20
    assert len(odd) >= 8
    assert "by Null " in str(high)
    assert len({row["k8s.service"] for row in high}) >= 5
