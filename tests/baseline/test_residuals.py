"""The residuals equal the formulas worked out point by point."""

from __future__ import annotations

import numpy as np
import pytest

from baseline.fleets import rhythm
from baseline.residual_oracle import Oracle
from helpers import more
from kubestray.baseline.arrays import ALL
from kubestray.baseline.residuals import DISTANCES, SUSTAINED, Residuals


@pytest.mark.parametrize("step", [more(60.0), 300.0, 900.0])
def test_all_rows_at_once_equal_each_row_by_itself(step):
    steps = int((12 if step == 900.0 else 4) * 86400 / step)  # over weekends, too
    times, values = rhythm(steps, 3, step=step)
    values[steps // 2, 0] *= 40
    values[:, 2] = 7.0
    views = Residuals(np.full(3, step))
    oracles = [Oracle(step) for _ in range(3)]
    for t, row in zip(times, values, strict=True):
        got = views.advance(ALL, np.full(3, t), row).z
        want = np.array([o.point(t, v) for o, v in zip(oracles, row, strict=True)]).T
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


def test_rows_that_are_missing_are_left_alone():
    times, values = rhythm(900, 4)
    views = Residuals(np.full(4, 300.0))
    oracles = [Oracle(300.0) for _ in range(4)]
    chance = np.random.default_rng(1)
    for t, row in zip(times, values, strict=True):
        rows = np.flatnonzero(chance.random(4) < 0.6)
        got = views.advance(rows, np.full(len(rows), t), row[rows]).z
        want = np.array([oracles[r].point(t, row[r]) for r in rows]).reshape(-1, DISTANCES).T
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


def test_byte_counts_near_a_billion_keep_their_variance():
    chance = np.random.default_rng(0)
    views = Residuals(np.array([60.0]))
    for n in range(3000):
        views.advance(ALL, np.array([60.0 * n]), 1e9 + chance.normal(0, 1, 1))
    assert views.variance[0, 0] == pytest.approx(1.0, rel=0.1)


def _pulses(share_of_hours: float, hours: int, seed: int = 0):
    """A metric in minutes that rests at 0, but for a minute in some hours, with sizes around 5."""
    chance = np.random.default_rng(seed)
    values = np.zeros(hours * 60)
    hit = np.flatnonzero(chance.random(hours) < share_of_hours)
    values[hit * 60 + 30] = np.exp(chance.normal(np.log(5.0), 0.5, len(hit)))
    return values


def test_a_metric_that_rests_between_pulses_equals_the_formulas():
    values = _pulses(0.12, 72)
    views, oracle = Residuals(np.array([60.0])), Oracle(60.0)
    for n, value in enumerate(values):
        got = views.advance(ALL, np.array([60.0 * n]), np.array([value])).z[:, 0]
        np.testing.assert_allclose(got, oracle.point(60.0 * n, value), rtol=1e-7, atol=1e-9)


def _distance_of(values, attack: float) -> float:
    views = Residuals(np.array([60.0]))
    for n, value in enumerate([*values, attack]):
        got = views.advance(ALL, np.array([60.0 * n]), np.array([value])).z
    return float(np.abs(got[0, 0]))


def test_a_usual_pulse_is_no_record_and_one_of_a_thousand_times_is():
    values = _pulses(0.4, 24)
    assert _distance_of(values, 5.0) < 10
    assert _distance_of(values, 5000.0) > 1000


def test_where_moves_are_seldom_a_move_is_what_is_rare():
    values = np.zeros(24 * 60)
    values[300] = 5.0
    assert _distance_of(values, 5.0) > 100


def test_one_attack_on_a_constant_teaches_no_usual_move():
    values = np.full(24 * 60, 100.0)
    views = Residuals(np.array([60.0]))
    for n, value in enumerate(values):
        views.advance(ALL, np.array([60.0 * n]), np.array([value]))
    before = views.floor(ALL)[0]
    for n in range(60):
        views.advance(ALL, np.array([60.0 * (len(values) + n)]), np.array([5000.0 + n]))
    assert views.floor(ALL)[0] < 1.05 * before


def test_what_lasts_stays_far_from_usual_where_single_points_are_lost_in_noise():
    chance = np.random.default_rng(3)
    values = chance.normal(0.0, 1.0, 24 * 360)
    values[-60:] += 1.5
    views = Residuals(np.array([10.0]))
    found = [views.advance(ALL, np.array([10.0 * n]), np.array([v])).z[:, 0] for n, v in enumerate(values)]
    last = np.abs(np.array(found))[-20:]
    minutes, _ = last[:, SUSTAINED].T
    assert minutes.min() > 2 * np.median(last[:, 0])


def test_weekends_are_known_by_weekends():
    times = 86400.0 * 4 + 900.0 * np.arange(96 * 21)  # from a Monday on
    weekend = (np.arange(len(times)) // 96) % 7 >= 5
    values = np.where(weekend, 10.0, 100.0) + np.random.default_rng(0).normal(0, 1, len(times))
    views = Residuals(np.array([900.0]))
    found = [
        views.advance(ALL, np.array([t]), np.array([v])).z[4, 0] for t, v in zip(times, values, strict=True)
    ]
    first, last = np.abs(found[96 * 5 : 96 * 7]), np.abs(found[96 * 19 :])
    assert last.max() < 0.3 * first.max()
    assert views.season(ALL, views.bin_at(ALL, times[-1:]))[0][0] == pytest.approx(10.0, abs=1.0)


def test_what_is_missed_is_told_in_the_unit_of_the_metric_and_how_high_it_was_expected():
    steps = 5 * 288
    times = 86400.0 * 4 + 300.0 * np.arange(steps)
    values = 100 + 30 * np.sin(2 * np.pi * times / 86400) + np.random.default_rng(0).normal(0, 3, steps)
    views = Residuals(np.array([300.0]))
    height = []
    for t, value in zip(times, values, strict=True):
        expected = views.location[:, 0].copy()
        missed = views.advance(ALL, np.array([t]), np.array([value]))
        height.append(missed.height[0])
        if t > times[0]:
            np.testing.assert_allclose(
                missed.z[:4, 0] * missed.width[:4, 0], (value - expected) * (t - times[0] >= 1500.0)
            )
    # A wave is the root of two of its deviations high, and a bin of a day is known once it was seen twice.
    assert np.isnan(height[: 2 * 288]).all()
    assert max(height[-288:]) == pytest.approx(2**0.5, abs=0.25)
    assert min(height[-288:]) == pytest.approx(-(2**0.5), abs=0.25)
    assert missed.width[4, 0] == pytest.approx(3.0, rel=0.3)
