"""The smallest attack: what is larger is found, what is smaller is missed, by putting it into the data."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kubestray.baseline.detectable import smallest_detected
from kubestray.baseline.judging import Judge, Question
from kubestray.baseline.profile import Form, Profile, load

DAY = 86400.0
START = 1_700_000_000.0 // DAY * DAY
STEPS = 288 * 4


@pytest.fixture(scope="module")
def known():
    """The profile of an entity up to its last hour, and that hour."""
    chance = np.random.default_rng(3)
    times = START + 300.0 * np.arange(STEPS)
    values = (100 + 20 * np.sin(2 * np.pi * times / DAY) + chance.normal(0, 3, STEPS))[:, None]
    profile = Profile(Form(("pod",), ("bytes",), 300.0, 1 / 30))
    codes = np.zeros(STEPS, dtype=np.int64)
    list(profile.advance(times[:-12], [("a",)], codes[:-12], values[:-12]))
    return profile.dump(), times[-12:], values[-12:]


@pytest.mark.parametrize("bins", [2, 12])
def test_an_attack_of_that_size_is_found_and_a_smaller_one_is_not(known, bins):
    state, times, values = known
    found = smallest_detected(load(state), times[:bins].tolist(), values[:bins], 0)
    assert found.seconds == bins * 300
    assert found.total == pytest.approx(found.each * bins)
    assert 3 < found.each < 500
    for factor, expected in ((1.001, True), (0.999, False)):
        judge = Judge(load(state), Question(annotate=True))
        attacked = values[:bins] + found.each * factor
        told = judge.take(times[:bins], [("a",)], np.zeros(bins, dtype=np.int64), attacked, 0.0)
        assert any(one.alert.any() for one in told) is expected


def test_what_only_counts_downwards_finds_no_addition(known):
    state, times, values = known
    profile = load(state)
    profile.fleet.direction = "down"
    found = smallest_detected(profile, times[:2].tolist(), values[:2], 0, Question("down"))
    assert found.each == math.inf
    with pytest.raises(ValueError, match="bin"):
        smallest_detected(profile, [], values[:0], 0)
