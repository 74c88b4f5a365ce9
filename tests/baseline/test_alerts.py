"""The budget of alarms of a group."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kubestray.baseline import profile
from kubestray.baseline.alerts import AlertBudget, Alerts
from kubestray.baseline.arrays import ALL
from kubestray.baseline.decision import FleetBudget
from kubestray.baseline.judging import HELD, Judge, Question
from kubestray.baseline.profile import Form, Profile

KEYS = [(f"c{n % 2}", f"w{n:03d}") for n in range(200)]


def _feed(budget: AlertBudget, days: int, doubt, chance, share: float = 0.02) -> float:
    """Alarms of random entities every hour, no two of an entity in a row; told in a day, of each group."""
    told = 0
    for hour in range(0, 24 * days, 2):
        alert = chance.random(len(KEYS)) < share
        told += budget.tell(3600.0 * hour, KEYS, [key[:1] for key in KEYS], alert, doubt(chance)).sum()
    return told / days / 2


def test_doubtful_alarms_are_told_as_many_as_the_budget_allows():
    budget = AlertBudget(Alerts(5.0, ("cluster",)))
    told = _feed(budget, 20, lambda chance: chance.uniform(0.8, 1.0, len(KEYS)), np.random.default_rng(0))
    assert 4.0 < told < 7.0  # 24 alarms a day, each as good as false


def test_alarms_beyond_doubt_are_told_however_many_there_are():
    budget = AlertBudget(Alerts(5.0, ("cluster",)))
    told = _feed(budget, 5, lambda _: np.full(len(KEYS), 1e-4), np.random.default_rng(0))
    assert told > 20


def test_the_expected_number_of_false_ones_told_keeps_within_the_budget():
    chance, budget, spent = np.random.default_rng(1), AlertBudget(Alerts(2.0)), 0.0
    for hour in range(0, 24 * 30, 2):
        doubt, alert = chance.random(len(KEYS)) ** 4, chance.random(len(KEYS)) < 0.05
        spent += doubt[budget.tell(3600.0 * hour, KEYS, [()] * len(KEYS), alert, doubt)].sum()
    assert 30 * 2.0 * 0.9 < spent <= 30 * 2.0 + budget.asked.room


def test_a_group_does_not_spend_what_another_has():
    budget = AlertBudget(Alerts(1.0, ("cluster",)))
    groups = [key[:1] for key in KEYS]
    doubt = np.full(len(KEYS), 0.8)
    assert budget.tell(0.0, KEYS, groups, np.array([k[0] == "c0" for k in KEYS]), doubt).sum() == 1
    assert budget.tell(0.0, KEYS, groups, np.array([k[0] == "c1" for k in KEYS]), doubt).sum() == 1


def test_an_alarm_that_goes_on_is_told_of_once_and_again_after_an_hour():
    budget, one = AlertBudget(Alerts(1.0)), np.ones(1, dtype=bool)
    told = [
        bool(budget.tell(600.0 * n, KEYS[:1], [()], one, np.array([0.8]))[0]) and budget.left[()][0]
        for n in range(4)
    ]
    assert told == [pytest.approx(1.2)] * 4  # three of them cost nothing
    assert not budget.tell(2 * 3600.0, KEYS[:1], [()], one, np.array([0.8]))[0]


def test_a_small_budget_tells_one_alarm_that_is_as_good_as_false_and_then_waits():
    budget, one, doubt = AlertBudget(Alerts(0.625)), np.ones(1, dtype=bool), np.ones(1)
    days = [
        day for day in np.arange(0, 30, 0.1) if budget.tell(day * 86400, KEYS[:1], [()], one, doubt).any()
    ]
    assert days[0] == 0
    assert np.diff(days).min() == pytest.approx(1.6, abs=0.11)  # a day has 0.625 of one
    assert len(days) <= 30 * 0.625 + 2


def test_the_order_of_entities_does_not_matter():
    alert, doubt = np.ones(len(KEYS), dtype=bool), np.random.default_rng(2).random(len(KEYS))
    one = AlertBudget(Alerts(3.0)).tell(0.0, KEYS, [()] * len(KEYS), alert, doubt)
    two = AlertBudget(Alerts(3.0)).tell(0.0, KEYS[::-1], [()] * len(KEYS), alert, doubt[::-1])
    assert one.tolist() == two[::-1].tolist()
    assert doubt[one].max() < doubt[~one].min()


def test_an_alarm_is_less_in_doubt_the_higher_it_is():
    budget, chance = FleetBudget(50, 0.2), np.random.default_rng(0)
    for hour in range(24 * 10):
        budget.advance(ALL, np.full(50, 3600.0 * hour), chance.exponential(0.4, 50) - 0.5)
    doubt = budget.doubt(budget.threshold[0] + np.array([0.0, 0.5, 1.0, 2.0, 4.0]))
    assert (np.diff(doubt) < 0).all()
    assert doubt[0] > 0.3
    assert doubt[-1] < 0.01


def _hours(entities: int, steps: int, seed: int = 0):
    """Bins of ten minutes of entities, with something of every size in some of them."""
    chance = np.random.default_rng(seed)
    values = 100 + chance.normal(0, 4, (steps, entities))
    odd = chance.random(values.shape) < 0.004
    values[odd] += chance.uniform(10, 400, odd.sum())
    times = np.repeat(600.0 * np.arange(steps), entities)
    return times, np.tile(np.arange(entities), steps), values.reshape(-1, 1)


_OF_CLUSTERS = Alerts(2.0, ("cluster",))


def _judged(cuts, report_from: float = 0.0, alerts: Alerts | None = _OF_CLUSTERS):
    form = Form(("cluster", "workload"), ("bytes",), 600.0, 1.0, "both", alerts)
    made, found = Profile(form), []
    times, key_of, values = _hours(len(KEYS[:20]), 300)
    for start, end in zip([0, *cuts], [*cuts, 300], strict=True):
        made = profile.load(made.dump())
        part = (times >= 600.0 * start) & (times < 600.0 * end)
        judge = Judge(made, Question())
        for one in judge.take(times[part], KEYS[:20], key_of[part], values[part], report_from):
            found += [(one.time, one.keys[n], one.alert[n], one.reason[n]) for n in range(len(one.keys))]
    return found


def test_what_is_held_back_does_not_depend_on_calls_or_on_what_is_reported():
    whole = _judged([])
    held = [row for row in whole if row[3] == HELD]
    assert held
    assert any(row[2] for row in whole)
    assert not any(row[2] for row in held)
    assert _judged([100, 101, 220]) == whole
    assert _judged([150], 600.0 * 200) == [row for row in whole if row[0] >= 600.0 * 200]
    free = _judged([], alerts=None)
    assert [row[:2] for row in free if row[2]] == [row[:2] for row in whole if row[2] or row[3] == HELD]


def test_an_explanation_is_of_an_alarm_as_such():
    form = Form(("cluster", "workload"), ("bytes",), 600.0, 1.0, "both", Alerts(2.0))
    made = Profile(form)
    made.admit(KEYS[0])
    assert made.only(KEYS[0]).form == dataclasses.replace(form, alerts=None)
