"""The residuals equal the formulas worked out point by point."""

from __future__ import annotations

import numpy as np
import pytest

from baseline.fleets import rhythm
from baseline.residual_oracle import Oracle
from kubestray.baseline.arrays import ALL
from kubestray.baseline.residuals import Residuals


@pytest.mark.parametrize("step", [60.0, 300.0, 900.0])
def test_all_rows_at_once_equal_each_row_by_itself(step):
    steps = int(4 * 86400 / step)
    times, values = rhythm(steps, 3, step=step)
    values[steps // 2, 0] *= 40
    values[:, 2] = 7.0
    views = Residuals(np.full(3, step))
    oracles = [Oracle(step) for _ in range(3)]
    for t, row in zip(times, values, strict=True):
        got = views.advance(ALL, np.full(3, t), row)
        want = np.array([o.point(t, v) for o, v in zip(oracles, row, strict=True)]).T
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


def test_rows_that_are_missing_are_left_alone():
    times, values = rhythm(900, 4)
    views = Residuals(np.full(4, 300.0))
    oracles = [Oracle(300.0) for _ in range(4)]
    chance = np.random.default_rng(1)
    for t, row in zip(times, values, strict=True):
        rows = np.flatnonzero(chance.random(4) < 0.6)
        got = views.advance(rows, np.full(len(rows), t), row[rows])
        want = np.array([oracles[r].point(t, row[r]) for r in rows]).reshape(-1, 5).T
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


def test_byte_counts_near_a_billion_keep_their_variance():
    chance = np.random.default_rng(0)
    views = Residuals(np.array([60.0]))
    for n in range(3000):
        views.advance(ALL, np.array([60.0 * n]), 1e9 + chance.normal(0, 1, 1))
    assert views.variance[0, 0] == pytest.approx(1.0, rel=0.1)
