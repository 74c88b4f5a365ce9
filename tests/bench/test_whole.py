"""What is loaded into a peer once is what the store has, and is known again until something of it changes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from bench.estate import METRICS, NOW, Shape, edge_series, edges
from bench.peers import Absent, victoria_metrics_program
from bench.served import Deadline, Stopped
from bench.slices import labels_of

from bench import thirty_days, whole
from kubestray.store.point_tables import DAY_NS

SHAPE = Shape(keys=2, days=2, step=600)


def by_series() -> dict[int, np.ndarray]:
    """The values of each series that the store is given, day after day."""
    parts: dict[int, list[np.ndarray]] = {}
    for day in range(SHAPE.start, NOW, DAY_NS):
        for batch in edges(SHAPE, day, day + DAY_NS):
            for one in batch.series:
                parts.setdefault(one, []).append(batch.value[batch.series_id == one])
    return {one: np.concatenate(each) for one, each in parts.items()}


def test_a_slice_has_the_points_that_the_store_has():
    stored = by_series()
    given = list(thirty_days.slice_of(SHAPE, SHAPE.keys)())
    assert len(given) == len(stored) == 8
    for made, (metric, _, times, values) in zip(edge_series(SHAPE), given, strict=True):
        assert metric == made.metric
        assert len(times) == len(values) == 288
        np.testing.assert_array_equal(values, stored[made.id])


def test_a_peer_is_loaded_once_and_answers_what_numpy_does(tmp_path):
    if victoria_metrics_program() is None:
        pytest.skip("victoria-metrics is not installed")
    data = thirty_days.edges_of(SHAPE)
    assert isinstance(whole.whole(tmp_path, SHAPE), Absent)
    loaded = whole.load_whole(tmp_path, SHAPE, data)
    assert loaded == whole.whole(tmp_path, SHAPE)
    assert loaded.points == data.points == sum(map(len, by_series().values()))
    none = dataclasses.replace(data, series=lambda: pytest.fail("it was loaded again"))
    assert whole.load_whole(tmp_path, SHAPE, none) == loaded
    assert isinstance(whole.whole(tmp_path, dataclasses.replace(SHAPE, step=300)), Absent)

    answers = whole.ask_whole(tmp_path, data, Deadline(60)).answers
    assert answers == {
        labels_of(metric, labels): pytest.approx((values.mean(), values.std()), rel=1e-9)
        for metric, labels, _, values in data.series()
    }


def test_without_its_program_a_peer_is_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for found in (
        whole.load_whole(tmp_path, SHAPE, thirty_days.edges_of(SHAPE)),
        whole.whole(tmp_path, SHAPE),
    ):
        assert isinstance(found, Absent)
        assert "not installed" in found.reason


def test_answers_that_are_not_of_the_same_series_are_no_answers():
    key = {"source.workload.name": "w", "source.process.name": "p"}
    theirs = {labels_of("tcp.bytes", key): (2.0, 1.0)}
    with pytest.raises(Stopped, match="1 series, we have 4"):
        thirty_days.difference(theirs, [key | {"avg_tcp.bytes": 2.0, "stdev_tcp.bytes": 1.0}])


def test_the_largest_difference_of_an_answer_is_told():
    key = {"source.workload.name": "w", "source.process.name": "p"}
    row = key | {f"{name}_{metric}": 2.0 for name in ("avg", "stdev") for metric in METRICS}
    theirs = {labels_of(metric, key): (2.0, 2.0) for metric in METRICS}
    assert thirty_days.difference(theirs, [row]) == 0
    theirs[labels_of("udp.packets", key)] = (2.0, 2.5)
    assert thirty_days.difference(theirs, [row]) == 0.25
