"""Both peers, where their programs are installed, say of the same points what numpy says."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bench import peers, slices

SECOND = 10**9
POINTS = 30_000  # more than three days at 10 s: several windows of remote write, two blocks
SERIES = (
    ("tcp.bytes", {"source.workload.name": "web", "namespace": "prod"}),
    ("tcp.packets", {"source.workload.name": "web", "namespace": "prod"}),
    ("udp.bytes", {"source.workload.name": 'a "quoted" name, ü'}),
    ("process.cpu", {"source.workload.name": "web"}),
)
MEASURES = {"victoria-metrics": peers.victoria_metrics, "prometheus": peers.prometheus}


def points():
    times = ((1_792_000_000 + 10 * np.arange(POINTS)) * SECOND + 123_456_789).astype(np.uint64)
    for number, (name, labels) in enumerate(SERIES):
        yield name, labels, times, np.random.default_rng(number).lognormal(8, 0.7, POINTS)


@pytest.mark.parametrize("program", MEASURES)
def test_peer_answers_what_numpy_does(program, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    result = MEASURES[program](points, tmp_path, budget=60)
    assert isinstance(result, peers.Peer), result
    assert result.points == POINTS * len(SERIES)
    assert 1 < result.bytes_per_sample < 16
    expected = {
        slices.labels_of(name, labels): pytest.approx((values.mean(), values.std()), rel=1e-9)
        for name, labels, _, values in points()
        if not name.startswith("process")
    }
    assert result.answers == expected


@pytest.mark.parametrize("program", MEASURES)
def test_peer_that_is_not_installed_is_absent(program, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = MEASURES[program](points, tmp_path)
    assert isinstance(result, peers.Absent)
    assert "not installed" in result.reason


@pytest.mark.parametrize("program", MEASURES)
def test_peer_whose_budget_is_over_is_absent_and_says_when(program, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    result = MEASURES[program](points, tmp_path, budget=0.0)
    assert isinstance(result, peers.Absent)
    assert result.reason == "0 s were over while making the points"
