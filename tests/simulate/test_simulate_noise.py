from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubestray.simulate import noise
from kubestray.simulate.stream import Stream, Streams

KEYS = noise.keys([noise.key("series", number) for number in range(40)])


def test_numbers_are_those_of_their_index_whatever_else_is_drawn() -> None:
    index = np.arange(1_000, 2_000)
    whole = noise.bits(KEYS, index)
    assert np.array_equal(noise.bits(KEYS[3:7], index[500:600]), whole[3:7, 500:600])


def test_normal_and_uniform_have_their_moments_and_do_not_depend_on_each_other() -> None:
    drawn = noise.bits(KEYS, np.arange(20_000))
    normal, uniform = noise.normal_of(drawn).ravel(), noise.uniform_of(drawn).ravel()
    assert abs(normal.mean()) < 0.005
    assert normal.std() == pytest.approx(1.0, abs=0.005)
    assert uniform.mean() == pytest.approx(0.5, abs=0.002)
    assert uniform.min() >= 0.0
    assert uniform.max() < 1.0
    assert abs(np.corrcoef(normal, uniform)[0, 1]) < 0.005


def test_series_do_not_depend_on_each_other() -> None:
    normal = noise.normal_of(noise.bits(KEYS, np.arange(5_000)))
    correlation = np.corrcoef(normal) - np.eye(len(KEYS))
    assert np.abs(correlation).max() < 0.08


def test_smooth_noise_has_variance_one_everywhere_and_remembers_for_its_period() -> None:
    many = noise.keys([noise.key("many", number) for number in range(4_000)])
    seconds = np.arange(0, 1_200, 60)
    smooth = noise.smooth(many, seconds, 600)
    assert smooth.std(axis=0) == pytest.approx(np.ones(len(seconds)), abs=0.06)
    near = np.corrcoef(smooth[:, 0], smooth[:, 1])[0, 1]
    assert near > 0.9
    assert abs(np.corrcoef(smooth[:, 0], smooth[:, 12])[0, 1]) < 0.5


def test_smooth_noise_at_times_of_each_series_equals_that_at_shared_times() -> None:
    shared = np.arange(86_000, 90_000, 10)
    each = np.broadcast_to(shared, (len(KEYS), len(shared)))
    assert np.array_equal(noise.smooth(KEYS, shared, 300), noise.smooth(KEYS, each, 300))


@given(st.integers(0, 5_000), st.integers(1, 2_000), st.sampled_from([10, 30, 60]))
def test_level_of_a_slice_is_the_slice_of_the_level(first: int, count: int, step: int) -> None:
    streams = Streams([Stream(noise.key(n), 1_000.0, "shopper", 1.0, 0.8, 0.3) for n in range(3)])
    begin = 1_760_000_000 // 60 * 60
    whole = np.arange(begin, begin + 80_000, 10)
    chosen = (whole >= begin + 10 * first) & (whole < begin + 10 * (first + count)) & (whole % step == 0)
    if chosen.any():
        assert np.array_equal(streams.level(whole[chosen]), streams.level(whole)[:, chosen])


def test_levels_are_bursty_and_autocorrelated() -> None:
    quiet = Streams([Stream(noise.key(n), 1.0, spread=0.5, burst=0.02) for n in range(50)])
    level = quiet.level(np.arange(0, 3 * 86_400, 10))
    excess = (level > level.mean(axis=1, keepdims=True) + 3 * level.std(axis=1, keepdims=True)).mean()
    assert excess > 0.005, "independent Gaussian noise would exceed three sigma a quarter as often"
    log = np.log(level)
    centred = log - log.mean(axis=1, keepdims=True)
    minute = (centred[:, :-6] * centred[:, 6:]).mean() / (centred**2).mean()
    assert minute > 0.4, "a level should resemble that of a minute ago"


def test_rhythms_follow_the_hours_and_the_weekend() -> None:
    office = Streams([Stream(1, 100.0, "office", 1.0, 0.0, 0.0)])
    monday = 1_760_313_600  # 13 October 2025, 00:00 UTC
    hours = office.level(monday + 3600 * np.arange(24 * 7))[0]
    assert hours[10] > 10 * hours[2]
    assert hours[24 * 5 + 10] < 0.3 * hours[24 * 2 + 10]
    steps = np.diff(np.log(office.level(monday + 60 * np.arange(24 * 60))[0]))
    assert np.abs(steps).max() < 0.02, "no jump where one hour becomes the next"
