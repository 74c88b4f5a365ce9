"""The budget of a fleet."""

from __future__ import annotations

import numpy as np
import pytest

from kubestray.baseline.arrays import ALL
from kubestray.baseline.decision import BINS, LOWEST, OWN_FREE, OWN_TIMES, WIDTH, FleetBudget, threshold


def _run(budget: FleetBudget, scores) -> float:
    """Feed hourly scores (hours, entities) and return alarms per entity-day of the second half."""
    alarms = [
        budget.advance(ALL, np.full(scores.shape[1], 3600.0 * hour), row) for hour, row in enumerate(scores)
    ]
    half = np.array(alarms)[len(scores) // 2 :]
    return float(half.mean() * 24)


@pytest.mark.parametrize("per_day", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("fall", [0.35, 0.5])
def test_a_fleet_without_incidents_gets_about_what_it_asked_for(per_day, fall):
    # One block in ten is above 0, so some 45 % of hours are.
    start = fall * np.log(0.45)
    scores = np.random.default_rng(0).exponential(fall, (24 * 40, 50)) + start
    rate = _run(FleetBudget(50, per_day), scores)
    assert 0.3 <= rate / per_day <= 4.0


def test_incidents_far_above_the_threshold_use_up_no_budget():
    chance = np.random.default_rng(0)
    calm = chance.exponential(0.5, (24 * 40, 50)) - 1.0
    busy = np.where(chance.random(calm.shape) < 0.03, chance.uniform(1.0, 12.0, calm.shape), calm)
    quiet, loud = FleetBudget(50, 0.2), FleetBudget(50, 0.2)
    _run(quiet, calm)
    _run(loud, busy)
    assert loud.threshold[0] == pytest.approx(quiet.threshold[0], abs=0.3)


def test_an_hour_is_judged_by_the_hours_before_it():
    budget = FleetBudget(1, 0.2)
    before = budget.threshold[0]
    budget.advance(ALL, np.array([0.0]), np.array([9.0]))
    budget.advance(ALL, np.array([1800.0]), np.array([9.0]))
    assert budget.threshold[0] == before
    budget.advance(ALL, np.array([3600.0]), np.array([0.0]))
    assert budget.histogram.sum() == 1


def _threshold_after(days: int, scores) -> float:
    budget = FleetBudget(20, 0.2)
    _run(budget, scores(np.random.default_rng(2), (24 * days, 20)))
    return float(budget.threshold[0])


def test_a_fleet_of_even_hours_is_judged_by_a_lower_threshold_within_a_day():
    even = _threshold_after(1, lambda chance, shape: chance.normal(0.0, 0.1, shape))
    uneven = _threshold_after(1, lambda chance, shape: chance.normal(0.0, 1.2, shape))
    assert even < FleetBudget(20, 0.2).threshold[0] < uneven


def test_incidents_do_not_tell_what_calm_hours_are_like():
    def busy(chance, shape):
        calm = chance.normal(0.0, 0.3, shape)
        return np.where(chance.random(shape) < 0.15, chance.uniform(2.0, 12.0, shape), calm)

    calm = _threshold_after(10, lambda chance, shape: chance.normal(0.0, 0.3, shape))
    assert _threshold_after(10, busy) == pytest.approx(calm, abs=0.4)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fleet_of_some_hours_tells_incidents_that_fill_most_of_them(seed):
    """Ten pods, five quiet hours, and then failures that are put into them all the time."""
    chance, budget = np.random.default_rng(seed), FleetBudget(10, 0.2)
    calm = chance.normal(-0.6, 0.25, (12, 10))
    failing = (chance.random(calm.shape) < 0.6) & (np.arange(12)[:, None] >= 5)
    scores = np.where(failing, chance.uniform(0.6, 1.8, calm.shape), calm)
    alarms = np.array(
        [budget.advance(ALL, np.full(10, 3600.0 * hour), row) for hour, row in enumerate(scores)]
    )
    assert alarms[~failing].mean() < 0.03
    assert alarms[failing].mean() > 0.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hours_that_get_rarer_without_a_gap_are_no_incidents(seed):
    """Three days of 40 pods whose hours have a long tail: no share of them stands apart."""
    scores = np.random.default_rng(seed).gumbel(-0.6, 0.4, (72, 40))
    assert _run(FleetBudget(40, 0.2), scores) < 0.2 * 3


def test_from_idle_hours_nothing_stands_apart():
    """Nothing at all happens in half of the hours of two days; in the others what usually does."""
    told = []
    for seed in (1, 2, 3):
        chance = np.random.default_rng(seed)
        idle, busy = chance.normal(-1.85, 0.07, (48, 40)), chance.normal(0.0, 0.9, (48, 40))
        scores = np.where(chance.random((48, 40)) < 0.5, idle, busy)
        told.append(_run(FleetBudget(40, 0.2), scores))
        # Beside hours of metrics that are alive, what is as far above them may be incidents.
        assert _run(FleetBudget(40, 0.2), scores + 1.2) > 0.2 * 3
    assert np.mean(told) < 0.2 * 1.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fleet_that_is_known_takes_no_second_kind_of_hours_for_incidents(seed):
    """Half of all hours of a month are busy: that is usual."""
    chance = np.random.default_rng(seed)
    scores = np.where(chance.random((24 * 30, 20)) < 0.5, 1.2, -0.8) + chance.normal(0.0, 0.2, (24 * 30, 20))
    assert _run(FleetBudget(20, 0.2), scores) < 0.2 * 1.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_incidents_that_barely_show_do_not_raise_the_threshold_of_a_small_fleet(seed):
    def found(share: float) -> float:
        chance, budget = np.random.default_rng(seed), FleetBudget(4, 0.2)
        scores = chance.normal(0.0, 0.5, (24 * 30, 4))
        _run(
            budget,
            np.where(chance.random(scores.shape) < share, chance.uniform(1.0, 2.5, scores.shape), scores),
        )
        return float(budget.threshold[0])

    # Without incidents one hour in 120 exceeds 2.39 deviations.
    assert found(0.0) == pytest.approx(2.39 * 0.5, abs=0.2)
    assert found(0.04) == pytest.approx(found(0.0), abs=0.45)


def test_what_cannot_be_an_alarm_tells_nothing_of_alarms():
    budget = FleetBudget(2, 0.2)
    for hour in range(48):
        loud = np.array([9.0, 0.0])
        found = budget.advance(ALL, np.full(2, 3600.0 * hour), loud, np.array([False, True]))
        assert not found[0]
    assert budget.histogram[int((9.0 - LOWEST) / WIDTH)] == 0


def test_a_young_fleet_forgets_its_first_hours():
    budget = FleetBudget(20, 0.2)
    for hour in range(5):
        budget.advance(ALL, np.full(20, 3600.0 * hour), np.full(20, 5.0))
    for hour in range(5, 72):
        budget.advance(ALL, np.full(20, 3600.0 * hour), np.full(20, 0.0))
    place = int((5.0 - LOWEST) / WIDTH)
    assert budget.histogram[place - 1 : place + 1].sum() < 0.4 * 5 * 20


def test_a_young_fleet_is_judged_by_a_higher_threshold_than_an_old_one_of_the_same_hours():
    budget, _ = _with_a_habit(0.0)
    usual = np.roll(budget.histogram, -round(0.5 / WIDTH))
    found = [threshold(usual, 0.2, age) for age in (0.0, 48.0, 240.0, 2400.0)]
    assert found == sorted(found, reverse=True)
    assert 0.05 < found[0] - found[-1] < 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_new_fleet_whose_hours_are_mostly_incidents_is_judged_by_its_other_hours(seed):
    """Eight pods, five quiet hours, then failures of all sizes in four of five: nothing stands apart."""
    chance, budget = np.random.default_rng(seed), FleetBudget(8, 0.2)
    calm = chance.normal(-0.5, 0.3, (20, 8))
    failing = (chance.random(calm.shape) < 0.8) & (np.arange(20)[:, None] >= 5)
    scores = np.where(failing, calm + chance.exponential(1.5, calm.shape), calm)
    alarms = np.array(
        [budget.advance(ALL, np.full(8, 3600.0 * hour), row) for hour, row in enumerate(scores)]
    )
    assert alarms[~failing].mean() < 0.03
    assert alarms[failing & (scores > 1.8)].mean() > 0.7
    # A fleet that has had such hours for weeks is one of such hours.
    assert threshold(budget.histogram, 0.2, 20.0) < threshold(budget.histogram, 0.2, 500.0) - 1.0


def test_a_state_that_does_not_tell_how_old_its_fleet_is_goes_on_as_an_old_one():
    budget, _ = _with_a_habit(0.0)
    told = budget.dump()
    del told["age"]
    other = FleetBudget(20, 0.2)
    other.load(told)
    known = other.histogram.sum()
    other.advance(ALL, np.full(20, 3600.0 * (other.clock[0] + 1)), np.full(20, 0.0))
    assert other.histogram.sum() > 0.98 * known


def test_a_rarer_rate_never_has_a_lower_threshold():
    histogram = np.zeros(BINS)
    histogram[int((1.0 - LOWEST) / WIDTH)] = 500
    found = [threshold(histogram, rate) for rate in (2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 1 / 30, 1 / 365)]
    assert found == sorted(found)


def _with_a_habit(share: float) -> tuple[FleetBudget, np.ndarray]:
    """A calm fleet of 20 over 30 days, whose first entity is far above all others in a share of its hours."""
    chance = np.random.default_rng(1)
    scores = chance.exponential(0.4, (24 * 30, 20)) - 0.5
    scores[chance.random(len(scores)) < share, 0] = 5.0
    budget = FleetBudget(20, 0.2)
    alarms = [budget.advance(ALL, np.full(20, 3600.0 * hour), row) for hour, row in enumerate(scores)]
    return budget, np.array(alarms)


def test_what_an_entity_does_far_too_often_is_its_own_normal():
    budget, alarms = _with_a_habit(0.3)
    assert budget.bound(ALL)[0] > 5.0
    assert (budget.bound(ALL)[1:] == budget.threshold[0]).all()
    assert alarms[len(alarms) // 2 :, 0].mean() < OWN_TIMES * 0.2 / 24
    assert budget.advance(ALL, np.full(20, 3600.0 * len(alarms)), np.full(20, 6.0)).all()


def test_a_few_incidents_give_an_entity_no_bound_of_its_own():
    budget, alarms = _with_a_habit(0.0)
    hour = 3600.0 * len(alarms)
    for n in range(int(OWN_FREE) + 1):
        assert budget.advance(ALL, np.full(20, hour + 3600.0 * n), np.full(20, 5.0)).all()


def test_bounds_follow_a_merge():
    budget, _ = _with_a_habit(0.3)
    other = FleetBudget(20, 0.2)
    other.merge(budget)
    np.testing.assert_allclose(other.bound(ALL), budget.bound(ALL))
