"""What views weigh."""

from __future__ import annotations

import numpy as np
import pytest

from baseline.fleets import feed, rhythm
from kubestray.baseline.arrays import ALL
from kubestray.baseline.residuals import VIEWS
from kubestray.baseline.stray import Stray
from kubestray.baseline.trust import trust


def test_views_weigh_by_the_inverse_of_what_they_miss_by_and_alike_where_a_metric_rests():
    width = np.array([[8.0, 8.0, 8.0], [4.0, 4.0, 4.0], [1.0, 1.0, 1.0]]) * np.array([1.0, 1e-9, 1e9])
    weight = trust(width, np.array([1.0, 0.5, 0.0]))
    np.testing.assert_allclose(weight.sum(axis=0), 1.0)
    np.testing.assert_allclose(weight[2] / weight[0], [8.0, 8.0**0.5, 1.0])
    np.testing.assert_allclose(weight[2] / weight[1], [4.0, 2.0, 1.0])


def _heaviest(values) -> str:
    times = rhythm(len(values), 1)[0]
    fleet = Stray(np.zeros(1, dtype=np.int64), np.array([300.0]))
    feed(fleet, times[:-1], values[:-1, None])
    weight = fleet.advance(ALL, times[-1:], values[-1:]).trust[:, 0]
    assert weight.sum() == pytest.approx(1.0)
    return VIEWS[int(weight.argmax())]


def test_the_view_that_knows_a_metric_best_weighs_most():
    chance = np.random.default_rng(0)
    steps = 4 * 288
    assert _heaviest(1000 + chance.normal(0, 1, steps).cumsum()) == "difference"
    wave = 100 * np.sin(2 * np.pi * np.arange(steps) / 288)
    assert _heaviest(500 + wave + chance.normal(0, 9, steps)) == "seasonal"


def test_a_metric_that_rests_believes_all_views_alike():
    values = np.zeros(4 * 288)
    values[np.arange(10) * 100 + 50] = 5.0
    times = rhythm(len(values), 1)[0]
    fleet = Stray(np.zeros(1, dtype=np.int64), np.array([300.0]))
    for t, value in zip(times, values, strict=True):
        weight = fleet.advance(ALL, np.array([t]), np.array([value])).trust
    np.testing.assert_allclose(weight, 0.2, atol=0.02)
