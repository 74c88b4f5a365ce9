"""What a height says of restlessness: a line of least squares, learned point by point, and what it is for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from baseline.fleets import feed
from kubestray.baseline.arrays import ALL
from kubestray.baseline.bands import bands
from kubestray.baseline.heights import Heights
from kubestray.baseline.residuals import DISTANCES, Residuals
from kubestray.baseline.snapshot import dump, load, merge
from kubestray.baseline.stray import Stray

DAY = 86400.0
STEP = 300.0
MONDAY = 1_700_438_400.0


def _points(count: int, rows: int, seed: int = 0):
    """Heights (count, rows), some unknown, and distances (count, `DISTANCES`, rows) that grow with height."""
    chance = np.random.default_rng(seed)
    height = chance.uniform(-2.5, 2.5, (count, rows))
    z = chance.normal(0, 1, (count, DISTANCES, rows)) * np.exp(0.6 * height)[:, None, :]
    height[chance.random((count, rows)) < 0.2] = np.nan
    return height, z


def _line(height, z):
    """Mean height and slope of one row, by least squares over all of its points; the level line weighs 90."""
    known = np.isfinite(height)
    x = np.clip(height[known], -2, 2)
    y = np.clip(np.log(np.abs(z[known, 1:5])), -3, 2.5).mean(axis=1)
    return x.mean(), ((x - x.mean()) * y).sum() / (((x - x.mean()) ** 2).sum() + 90)


def _fed(height, z, step: float = 60.0) -> Heights:
    line = Heights(np.full(height.shape[1], step))
    for now, off in zip(height, z, strict=True):
        line.advance(ALL, now, off, np.ones(len(now)))
    return line


def test_the_line_is_that_of_least_squares_drawn_to_a_level_one():
    height, z = _points(400, 3)
    got = _fed(height, z).breadth(ALL, np.full(3, 1.5), np.array([1.0, 1.0, 0.25]))
    for row, moving in enumerate((1.0, 1.0, 0.25)):
        mean, slope = _line(height[:, row], z[:, :, row])
        assert 0.2 < slope < 0.8
        assert got[row] == pytest.approx(np.exp(moving * slope * (1.5 - mean)), rel=1e-9)


def test_a_point_is_measured_by_the_line_before_it_and_the_global_view_by_none():
    height, z = _points(300, 2)
    line = _fed(height, z)
    now, moving = np.array([1.2, np.nan]), np.ones(2)
    wide = line.breadth(ALL, now, moving)
    got = line.advance(ALL, now, z[0], moving)
    assert wide[0] > 1.2
    assert wide[1] == 1.0
    np.testing.assert_array_equal(got[0], z[0, 0])
    np.testing.assert_allclose(got[1:], z[0, 1:] / wide)


def test_rows_that_are_missing_are_left_alone():
    height, z = _points(200, 3)
    some = np.array([0, 2])
    line, other = Heights(np.full(3, 60.0)), _fed(height[:, some], z[:, :, some])
    for now, off in zip(height, z, strict=True):
        line.advance(some, now[some], off[:, some], np.ones(2))
    for name in Heights.fields:
        np.testing.assert_array_equal(getattr(line, name)[some], getattr(other, name))
        assert getattr(line, name)[1] == 0.0


def test_an_attack_that_goes_on_for_an_hour_hardly_bends_the_line():
    height, z = _points(2000, 1)
    line = _fed(height, z)
    before = line.breadth(ALL, np.array([2.0]), np.ones(1))[0]
    for _ in range(60):
        line.advance(ALL, np.array([2.0]), np.full((DISTANCES, 1), 1e9), np.ones(1))
    assert line.breadth(ALL, np.array([2.0]), np.ones(1))[0] == pytest.approx(before, rel=0.25)


def _relative_noise(days: int, seed: int = 0):
    """Two metrics in five minutes: noise of a twentieth of a daily wave that goes from 20 to 180, and noise
    of the same size that is the same at all hours.
    """
    chance = np.random.default_rng(seed)
    times = MONDAY + STEP * np.arange(int(days * DAY / STEP))
    wave = 100 + 80 * np.sin(2 * np.pi * times / DAY)
    noise = chance.normal(0, 1, (len(times), 2))
    return times, wave[:, None] + noise * np.stack([wave / 20, np.full(len(wave), 5.0)], axis=1)


@cache
def _off_by_day_and_night():
    """How far off the two metrics are by day as a multiple of by night, in the view of differences: by the
    view alone, and as it is at their heights.
    """
    times, values = _relative_noise(8)
    views, line = Residuals(np.full(2, STEP)), Heights(np.full(2, STEP))
    off = []
    for t, row in zip(times, values, strict=True):
        missed = views.advance(ALL, np.full(2, t), row)
        told = line.advance(ALL, missed.height, missed.z, views.moving(ALL))
        off.append(np.abs([missed.z[3], told[3]]))
    off, wave = np.array(off)[len(times) // 2 :], np.sin(2 * np.pi * times[len(times) // 2 :] / DAY)
    return off[wave > 0.8].mean(axis=0) / off[wave < -0.8].mean(axis=0)


def test_noise_that_grows_with_the_metric_is_less_far_off_by_day_than_it_was():
    before, after = _off_by_day_and_night()[:, 0]
    assert before > 6
    assert after < 3


def test_noise_that_does_not_is_as_it_was():
    before, after = _off_by_day_and_night()[:, 1]
    assert after == pytest.approx(before, rel=0.15)


def test_what_is_far_for_the_night_is_told_at_night():
    """More than half of a metric is gone for a quarter of an hour, at the bottom of its wave."""
    times, values = _relative_noise(8)
    night = len(times) - int(DAY / STEP) + int(0.75 * DAY / STEP)
    values[night : night + 3] -= 12.0
    fleet = Stray(np.arange(2), np.full(2, STEP))
    fleet.once = None  # how far off it is, not how long
    scores = feed(fleet, times[: night + 3], values[: night + 3])
    found, quiet = scores[night:].max(axis=0), scores[night // 2 : night].max(axis=0)
    assert found[0] > quiet[0]
    assert found[1] < quiet[1]


def test_limits_are_wider_where_a_metric_is_more_restless():
    times, values = _relative_noise(5)
    fleet = Stray(np.arange(2), np.full(2, STEP))
    feed(fleet, times, values)
    width = []
    for part in (0.25, 0.75):  # the top of the wave, and its bottom
        told = bands(fleet, np.arange(2), np.full(2, times[-1] + STEP + part * DAY))
        width.append(told.upper - told.lower)
    assert width[0][0] > 1.5 * width[1][0]


def test_two_halves_of_what_was_seen_are_one_line():
    height, z = _points(400, 2)
    whole, first, second = (_fed(height[a:b], z[a:b]) for a, b in ((0, 400), (0, 150), (150, 400)))
    fleets = [Stray(np.arange(2), np.full(2, 60.0)) for _ in range(2)]
    for fleet, line in zip(fleets, (first, second), strict=True):
        fleet.heights.load(line.dump())
    merged = merge(*fleets).heights
    for name in Heights.fields:
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), rtol=1e-9)
    assert np.array_equal(load(dump(fleets[0])).heights.together, first.together)
