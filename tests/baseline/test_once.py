"""What was seen once counts for less: faults that stay are told from points that are off and back."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseline.fleets import feed, fleet_of, rhythm
from kubestray.baseline import snapshot
from kubestray.baseline.arrays import ALL
from kubestray.baseline.explain import explain, recompute
from kubestray.baseline.once import ONCE, Once, off_together
from kubestray.baseline.profile import Form, Profile
from kubestray.baseline.profile import load as load_profile
from kubestray.baseline.resize import resized
from kubestray.baseline.snapshot import WITHOUT_ONCE, dump, load, merge
from kubestray.baseline.stray import Stray

STEP = 60.0
ONE = np.ones(1)


def taken(once: Once, time: float, score: float, metrics: float = 1.0) -> float:
    return float(once.advance(ALL, np.array([time]), np.array([score]), np.array([metrics]))[0])


def test_of_a_score_that_the_step_before_did_not_reach_some_is_taken():
    once = Once(np.array([STEP]))
    assert taken(once, 0, 5.0) == ONCE  # nothing came before
    assert taken(once, 60, 4.0) == 0.0  # the step before was higher
    assert taken(once, 120, 4.5) == pytest.approx(0.5)  # 4 was reached twice
    assert taken(once, 180, 9.0) == ONCE
    assert taken(once, 240, 9.0) == 0.0


def test_a_step_long_ago_is_not_the_one_before():
    once = Once(np.array([STEP]))
    assert taken(once, 0, 5.0) == ONCE
    assert taken(once, 120, 5.0) == 0.0  # one step is missing
    assert taken(once, 300, 5.0) == ONCE  # two are


def test_less_is_taken_where_many_metrics_are_off_and_where_a_step_is_long():
    assert taken(Once(np.array([STEP])), 0, 5.0, metrics=4.0) == pytest.approx(ONCE / 2)
    assert taken(Once(np.array([600.0])), 0, 5.0) == ONCE
    assert taken(Once(np.array([3600.0])), 0, 5.0) == pytest.approx(ONCE / 6)


@given(st.lists(st.lists(st.floats(-1, 40), min_size=1, max_size=6), min_size=1, max_size=5))
def test_an_entity_is_off_in_one_to_all_of_its_metrics(entities):
    whose = np.repeat(np.arange(len(entities)), [len(one) for one in entities])
    found = off_together(whose, np.concatenate(entities), len(entities))
    for own, number in zip(entities, found.tolist(), strict=True):
        rare = [max(one, 0.0) for one in own]
        squares = sum(one * one for one in rare)
        assert 1.0 <= number <= len(own) * (1 + 1e-9)
        if squares > 1e-200:
            assert number == pytest.approx(max(1.0, sum(rare) ** 2 / squares))
    alike = off_together(np.zeros(4, dtype=np.int64), np.full(4, 3.0), 1)
    assert alike.tolist() == [4.0]
    assert off_together(np.zeros(4, dtype=np.int64), np.array([0.0, 7.0, 0.0, 0.0]), 1).tolist() == [1.0]


def above_all_quiet_hours(seed: int, once: bool) -> int:
    """How many of twenty faults of ten minutes score above all but two of the hours without one. In every
    eighth of these a metric is as far off for one step."""
    entities, early, end = 20, 24 * 60, 48 * 60
    dice = np.random.default_rng(seed)
    values = 50 + 5 * dice.normal(size=(end, entities))
    values += (dice.random((end, entities)) < 1 / 480) * dice.uniform(50, 100, (end, entities))
    begins = dice.integers(early, end - 60, entities)
    for entity, begin in enumerate(begins):
        values[begin : begin + 10, entity] += dice.uniform(50, 100)
    fleet = fleet_of(entities, step=STEP)
    if not once:
        fleet.once = None
    times = 1_700_000_000.0 // 3600 * 3600 + STEP * np.arange(end)
    told = [fleet.advance(ALL, np.full(entities, t), row) for t, row in zip(times, values, strict=True)]
    score = np.array([one.moment for one in told])
    highest = np.empty(entities)
    for entity, begin in enumerate(begins):
        highest[entity] = score[begin : begin + 10, entity].max()
        score[begin - 2 : begin + 40, entity] = -np.inf
    hours = np.sort(score[early:].reshape(-1, 60, entities).max(axis=1), axis=None)
    return int((highest > hours[-3]).sum())


def test_faults_are_found_among_points_that_are_off_and_back():
    assert above_all_quiet_hours(5, once=False) <= 8
    assert above_all_quiet_hours(5, once=True) >= 16


def profile_and_spike(once: bool = True):
    times, values = rhythm(800, 1, step=STEP)
    profile = Profile(Form(("pod",), ("a",), STEP, 0.2))
    if not once:
        snapshot.as_of(profile.fleet, WITHOUT_ONCE)
    list(profile.advance(times, [("p",)], np.zeros(len(times), dtype=np.int64), values))
    if not once:
        snapshot.as_of(profile.fleet, WITHOUT_ONCE)
    return profile, [times[-1] + STEP, times[-1] + 2 * STEP], np.array([[500.0], [500.0]])


def test_an_explanation_says_what_was_taken_and_adds_up():
    profile, times, values = profile_and_spike()
    first = explain(load_profile(profile.dump()), times[:1], values[:1], threshold=0.0)
    assert first.once == pytest.approx(ONCE)
    expected = (first.level - first.usual_level) / np.sqrt(first.tail_index) - first.once
    assert first.score == pytest.approx(expected)
    assert recompute(json.loads(json.dumps(first.as_json()))) == first
    second = explain(load_profile(profile.dump()), times, values, threshold=0.0)
    assert second.once < ONCE / 2
    assert recompute(json.loads(json.dumps(second.as_json()))) == second


def test_what_was_told_before_is_worked_out_as_it_was():
    profile, times, values = profile_and_spike(once=False)
    state = profile.dump()
    assert int(np.load(io.BytesIO(state))["version"]) == WITHOUT_ONCE
    told = explain(profile, times[:1], values[:1], threshold=0.0)
    assert (told.version, told.once) == (WITHOUT_ONCE, 0.0)
    document = json.loads(json.dumps(told.as_json()))
    assert not {"once", "over"} & set(document)
    assert "lasting" in document
    assert recompute(document) == told
    goes_on = load_profile(state)
    assert snapshot.version_of(goes_on.fleet) == snapshot.VERSION
    assert explain(goes_on, times[:1], values[:1], threshold=0.0).once == pytest.approx(ONCE)


def known(steps: int, start: int = 0) -> Stray:
    times, values = rhythm(400, 2, step=STEP)
    fleet = fleet_of(2, step=STEP)
    feed(fleet, times[start:steps], values[start:steps])
    return fleet


def test_a_state_goes_on_with_the_score_before():
    times, values = rhythm(400, 2, step=STEP)
    fleet = known(399)
    again = load(dump(fleet))
    more = fleet_of(1, step=STEP)
    larger = resized(fleet, np.array([1]), more)
    moment = times[399:], values[399:] * 4
    expected = fleet.advance(ALL, np.full(2, moment[0][0]), moment[1][0])
    told = again.advance(ALL, np.full(2, moment[0][0]), moment[1][0])
    np.testing.assert_array_equal(told.once, expected.once)
    assert 0.0 < expected.once.min() < ONCE * 1.001
    assert larger.once is not None
    assert again.once is not None
    assert larger.once.time.tolist() == [times[398], -np.inf]


def test_of_two_states_the_later_one_knows_the_score_before():
    one, other = known(200), known(300, 200)
    merged = merge(one, other)
    assert merged.once is not None
    assert other.once is not None
    np.testing.assert_array_equal(merged.once.score, other.once.score)
    np.testing.assert_array_equal(merged.once.time, other.once.time)
