"""The last minutes decide where a moment cannot: what lasts is found beside what is far off every day."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from baseline.fleets import feed, fleet_of, rhythm
from kubestray.baseline import snapshot
from kubestray.baseline.arrays import ALL
from kubestray.baseline.explain import explain, recompute
from kubestray.baseline.judging import Judge, Question
from kubestray.baseline.lasting import CHANCES, LATER, lasting, one_of_many
from kubestray.baseline.profile import Form, Profile
from kubestray.baseline.profile import load as load_profile
from kubestray.baseline.residuals import DISTANCES, LASTING, SUSTAINED
from kubestray.baseline.snapshot import (
    WITHOUT_MINUTES,
    WITHOUT_ONCE,
    WITHOUT_ONE_OF_MANY,
    dump,
    load,
    merge,
)
from kubestray.model.errors import KubestrayError

STEP, ENTITIES, METRICS = 30.0, 15, 4
EARLY, END = 8 * 120, 20 * 120
FAULT = 20
"""Steps of a fault: ten minutes."""


def neighbours(seed: int):
    """Times (steps), values (steps, entities, metrics): noise beside a metric of which three points in a
    hundred are far off, any distance; and when each entity has its fault, of 60 deviations in another metric.
    """
    dice = np.random.default_rng(seed)
    times = 1_700_000_000.0 + STEP * np.arange(END)
    values = 50 + 5 * dice.normal(size=(END, ENTITIES, METRICS))
    wild = 1 + (dice.random((END, ENTITIES)) < 0.03) * 0.7 * dice.pareto(2.5, (END, ENTITIES))
    values[:, :, 0] = 30 * np.exp(0.12 * dice.normal(size=(END, ENTITIES))) * wild
    begins = dice.integers(EARLY, END - 2 * FAULT, ENTITIES)
    for entity, begin in enumerate(begins):
        values[begin : begin + FAULT, entity, 1] += 300.0
    return times, values, begins


def advanced(fleet, times, values):
    return [
        fleet.advance(ALL, np.full(values[0].size, t), row.ravel())
        for t, row in zip(times, values, strict=True)
    ]


def found(seed: int, minutes: bool) -> int:
    """How many faults are above all quiet hours but one, if what was seen once counted as much."""
    times, values, begins = neighbours(seed)
    fleet = fleet_of(ENTITIES * METRICS, ENTITIES, STEP)
    fleet.once = fleet.hours = None
    if not minutes:
        fleet.minutes = None
    score = np.array([one.moment for one in advanced(fleet, times, values)])
    highest = np.empty(ENTITIES)
    for entity, begin in enumerate(begins):
        highest[entity] = score[begin : begin + FAULT, entity].max()
        score[begin - 2 : begin + FAULT + 30, entity] = -np.inf
    hours = np.sort(score[EARLY:].reshape(-1, 120, ENTITIES).max(axis=1), axis=None)
    return int((highest > hours[-2]).sum())


def test_faults_that_last_are_found_beside_the_single_points_of_a_wild_metric():
    assert found(3, minutes=False) <= ENTITIES // 2
    assert found(3, minutes=True) >= ENTITIES - 3


def test_what_is_over_does_not_last():
    """The mean of the last minutes is still far off when values are back, and decides nothing then."""
    times, values, begins = neighbours(4)
    told = advanced(fleet_of(ENTITIES * METRICS, ENTITIES, STEP), times, values)
    for entity, begin in enumerate(begins):
        row = entity * METRICS + 1
        back = range(begin + FAULT + 1, begin + FAULT + 9)
        still = [told[step].parts[SUSTAINED][0, row] for step in back]
        assert min(still) > 1.0
        assert np.median([lasting(told[step].parts)[0, row] for step in back]) < 1.0


@pytest.mark.parametrize("height", [1e3, 1e12])
def test_one_point_lasts_no_minutes_however_high_it_is(height):
    times, values = rhythm(2000, 1, step=30.0)
    fleet = fleet_of(1, step=30.0)
    feed(fleet, times, values)
    values = values[:40, 0].copy()
    values[0] = height
    told = [
        fleet.advance(ALL, np.array([times[-1] + 30.0 * (n + 1)]), np.array([value]))
        for n, value in enumerate(values)
    ]
    assert told[0].moment[0] > 3
    assert not told[0].lasts[0]
    assert all(one.moment[0] < 1 for one in told[1:] if one.lasts[0])


def test_the_rarity_of_minutes_is_at_most_what_a_steady_view_sees_now():
    dice = np.random.default_rng(0)
    parts = dice.exponential(1.0, (DISTANCES, 50))
    wanted = [
        (min(minutes, max(usual, hour, day)), min(hours, max(usual, hour, day)))
        for usual, hour, _, _, day, minutes, hours in parts.T
    ]
    assert [tuple(both) for both in lasting(parts).T.tolist()] == wanted


def told_of():
    """A profile of a single entity before its fault, and the bins up to the middle of the fault."""
    times, values, begins = neighbours(3)
    form = Form(("pod",), tuple("abcd"), STEP, 0.2)
    entity = int(np.argmin(begins))
    profile, begin = Profile(form), int(begins[entity])
    steps = np.arange(begin)
    list(profile.advance(times[steps], [("p",)], np.zeros(begin, dtype=np.int64), values[steps, entity]))
    later = slice(begin, begin + FAULT // 2)
    return profile, times[later], values[later, entity]


def test_an_explanation_says_that_the_last_minutes_decided_and_adds_up():
    profile, times, values = told_of()
    told = explain(load_profile(profile.dump()), times.tolist(), values, threshold=-1.0)
    assert told.lasting
    assert told.over == LASTING[0]
    assert told.alert
    minutes = np.array([metric.lasting for metric in told.metrics])
    together = np.cbrt((minutes**3).mean())
    assert told.level == pytest.approx(3 * np.log(together + 0.5))
    later = LATER[0] + CHANCES * np.log(len(minutes)) + told.once
    expected = (told.level - told.usual_level) / np.sqrt(told.tail_index) - later
    assert told.score == pytest.approx(expected)
    assert recompute(json.loads(json.dumps(told.as_json()))) == told


def test_a_search_tells_by_which_metric_the_last_minutes_decided():
    profile, times, values = told_of()
    judge = Judge(load_profile(profile.dump()), Question(min_ratio=4.0, annotate=True), threshold=-1.0)
    bins = judge.take(times, [("p",)], np.zeros(len(times), dtype=np.int64), values, -np.inf)
    *_, last = bins
    told = explain(load_profile(profile.dump()), times.tolist(), values, threshold=-1.0)
    assert told.lasting
    assert last.alert[0]
    assert last.rarity[0].tolist() == [metric.lasting for metric in told.metrics]
    assert last.rarity[0].argmax() == 1


def test_what_was_told_before_minutes_counted_is_worked_out_as_it_was():
    profile, times, values = told_of()
    snapshot.as_of(profile.fleet, WITHOUT_MINUTES)
    state = profile.dump()
    assert int(np.load(io.BytesIO(state))["version"]) == WITHOUT_MINUTES
    told = explain(profile, times.tolist(), values, threshold=-1.0)
    assert (told.version, told.lasting) == (WITHOUT_MINUTES, False)
    document = json.loads(json.dumps(told.as_json()))
    assert not {"lasting", "over", "once"} & set(document)
    assert "lasting" not in document["metrics"][0]
    assert recompute(document) == told
    goes_on = load_profile(state)
    assert goes_on.fleet.minutes is not None
    assert snapshot.version_of(goes_on.fleet) == snapshot.VERSION


def test_the_minutes_of_an_entity_are_the_cubic_mean_of_its_metrics():
    whose, rarity = np.array([0, 0, 0, 2, 2, 3]), np.array([0.0, 1.0, 4.0, 2.0, 2.0, 0.5])
    own = [rarity[whose == entity].tolist() for entity in range(4)]
    wanted = [(sum(x * x * x for x in some) / len(some)) ** (1 / 3) if some else 0.0 for some in own]
    assert one_of_many(whose, rarity, np.bincount(whose)) == pytest.approx(wanted)


def of_one_metric(one: bool) -> int:
    """How many of fifteen faults of a single metric, for twelve minutes, are above all quiet hours but five.

    All six metrics of an entity are far off for two minutes together, several times a day.
    """
    dice, metrics = np.random.default_rng(1), 6
    times = 1_700_000_000.0 + STEP * np.arange(END)
    values = 50 + 5 * dice.normal(size=(END, ENTITIES, metrics))
    begins = dice.integers(EARLY, END - 60, ENTITIES)
    for entity, begin in enumerate(begins):
        for at in np.flatnonzero(dice.random(END) < 0.003):
            values[at : at + 4, entity] += 20 * dice.random()
        values[begin : begin + 24, entity, 2] += 60.0
    fleet = fleet_of(ENTITIES * metrics, ENTITIES, STEP)
    fleet.one_of_many = one
    score = np.array([told.moment for told in advanced(fleet, times, values)])
    highest = np.array([score[b : b + 24, entity].max() for entity, b in enumerate(begins)])
    for entity, begin in enumerate(begins):
        score[begin - 2 : begin + 54, entity] = -np.inf
    quiet = np.sort(score[EARLY:].reshape(-1, 120, ENTITIES).max(axis=1), axis=None)[-6]
    return int((highest > quiet).sum())


def test_one_metric_that_stays_off_is_found_beside_moments_when_all_are():
    assert of_one_metric(one=True) >= 8
    assert of_one_metric(one=False) <= 2


def test_what_was_told_before_one_of_many_counted_is_worked_out_as_it_was():
    profile, times, values = told_of()
    snapshot.as_of(profile.fleet, WITHOUT_ONE_OF_MANY)
    state = profile.dump()
    assert snapshot.version_of(profile.fleet) == WITHOUT_ONE_OF_MANY
    told = explain(profile, times.tolist(), values, threshold=-1.0)
    minutes = np.array([metric.lasting for metric in told.metrics])
    assert told.over == LASTING[0]
    together = (minutes.mean() + np.sqrt((minutes**2).mean())) / 2
    assert told.level == pytest.approx(3 * np.log(together + 0.5))
    assert recompute(json.loads(json.dumps(told.as_json()))) == told
    goes_on = load_profile(state).fleet
    assert goes_on.minutes is not None
    assert goes_on.minutes.blocks.max() == 0
    assert snapshot.version_of(goes_on) == snapshot.VERSION


def test_minutes_of_single_metrics_are_known_from_before():
    times, values = rhythm(288, 2)
    fleet = fleet_of(2)
    snapshot.as_of(fleet, WITHOUT_ONE_OF_MANY)
    feed(fleet, times, values)
    again = load(dump(fleet))
    assert again.minutes is not None
    assert fleet.minutes is not None
    assert np.array_equal(again.minutes.ln_u, fleet.minutes.ln_u)
    assert again.minutes.blocks.min() > 100


def long_faults():
    """Times (steps), values (steps, entities) and the step at which all have a fault of eight hours. Each has
    bursts of one to four points before, of any size.
    """
    dice, entities, begin, end = np.random.default_rng(0), 10, 7 * 288, 7 * 288 + 96
    values = 100 * np.exp(0.2 * dice.normal(size=(8 * 288, entities)))
    for entity in range(entities):
        for at in np.flatnonzero(dice.random(len(values)) < 0.01):
            values[at : at + int(dice.integers(1, 5)), entity] += 100 * dice.pareto(1.5)
    values[begin:end] += 400
    return 1_699_920_000.0 + 300 * np.arange(end), values[:end], begin


def of_long_faults(hours: bool) -> tuple[int, float, set[int]]:
    """How many of ten long faults are above all quiet hours of three days but four, what their scores are on
    average, and what decided.
    """
    times, values, begin = long_faults()
    entities = values.shape[1]
    fleet = fleet_of(entities)
    if not hours:
        fleet.hours = None
    told = advanced(fleet, times, values)
    score = np.array([one.moment for one in told])
    quiet = np.sort(score[4 * 288 : begin].reshape(-1, 12, entities).max(axis=1), axis=None)[-5]
    highest = score[begin:].max(axis=0)
    decided = {int(number) for one in told[begin:] for number in one.lasts}
    return int((highest > quiet).sum()), float(highest.mean()), decided


def test_what_stays_off_for_hours_is_found_beside_bursts_as_high():
    found, score, decided = of_long_faults(hours=True)
    without, lower, some = of_long_faults(hours=False)
    assert found >= 7
    assert without <= 5
    assert score > lower + 0.2
    assert 2 in decided
    assert 2 not in some


def test_an_explanation_says_that_the_last_hours_decided_and_adds_up():
    times, values, begin = long_faults()
    profile = Profile(Form(("pod",), ("a",), 300.0, 0.2))
    list(profile.advance(times[:begin], [("p",)], np.zeros(begin, dtype=np.int64), values[:begin, :1]))
    state, later = profile.dump(), slice(begin, begin + 96)
    for bins in range(20, 97, 4):
        own, bare = times[later][:bins].tolist(), values[later, :1][:bins]
        told = explain(load_profile(state), own, bare, threshold=-1.0)
        if told.over == LASTING[1]:
            break
    assert told.over == LASTING[1]
    assert told.lasting
    (metric,) = told.metrics
    assert told.level == pytest.approx(3 * np.log(metric.lasting + 0.5))
    expected = (told.level - told.usual_level) / np.sqrt(told.tail_index) - LATER[1] - told.once
    assert told.score == pytest.approx(expected)
    assert recompute(json.loads(json.dumps(told.as_json()))) == told


def test_hours_are_known_after_a_quarter_of_a_day():
    times, values = rhythm(288, 1)
    values[20:] += 100.0
    told = advanced(fleet_of(1), times, values)
    assert 2 not in {int(one.lasts[0]) for one in told[:72]}


def as_before(fleet):
    """The dump of a fleet by code that knew neither the last hours nor the score before."""
    snapshot.as_of(fleet, WITHOUT_ONCE)
    arrays = dict(np.load(io.BytesIO(dump(fleet))))
    rows = len(fleet.entity)
    for name in fleet.views.fields + fleet.views.rows_first:
        arrays[f"views.{name}"] = arrays[f"views.{name}"][: (DISTANCES - 1) * rows]
    for name in ("sustained", "sustained_variance"):
        arrays[f"residuals.{name}"] = arrays[f"residuals.{name}"][0]
    written = io.BytesIO()
    np.savez(written, **arrays)
    return written.getvalue()


def test_a_state_of_before_hours_goes_on_and_learns_them():
    times, values = rhythm(3 * 288, 2)
    old, same = fleet_of(2), fleet_of(2)
    feed(old, times[:576], values[:576])
    feed(same, times[:576], values[:576])
    again = load(as_before(old))
    for name in old.views.fields:
        known = getattr(old.views, name)[: (DISTANCES - 1) * 2]
        assert np.array_equal(getattr(again.views, name)[: len(known)], known)
    told, expected = (advanced(fleet, times[576:], values[576:]) for fleet in (again, same))
    moments = [[one.metrics.tolist() for one in some] for some in (told, expected)]
    assert moments[0] == moments[1]
    assert {int(one.lasts.max()) for one in told[:140]} <= {0, 1}
    assert again.hours is not None
    assert again.hours.blocks.min() > 140


@pytest.mark.parametrize("streams", [DISTANCES, 3 * DISTANCES, 2 * (DISTANCES - 1)])
def test_a_state_of_other_rows_is_refused(streams):
    state = dict(np.load(io.BytesIO(dump(fleet_of(2)))))
    state["views.xi"] = np.ones(streams)
    written = io.BytesIO()
    np.savez(written, **state)
    with pytest.raises(KubestrayError, match="cannot be read"):
        load(written.getvalue())


@pytest.mark.parametrize("version", [WITHOUT_ONE_OF_MANY, snapshot.VERSION])
def test_a_state_of_entities_that_there_cannot_be_is_refused(version):
    state = dict(np.load(io.BytesIO(dump(fleet_of(2)))))
    state["version"], state["entity"] = np.int64(version), np.array([0, 2**40])
    written = io.BytesIO()
    np.savez(written, **state)
    with pytest.raises(KubestrayError, match="cannot be read"):
        load(written.getvalue())


def test_a_fleet_that_was_known_before_waits_a_day_for_its_minutes():
    times, values = rhythm(3 * 144, 2, step=600.0)
    old = fleet_of(2, 1, 600.0)
    snapshot.as_of(old, WITHOUT_MINUTES)
    feed(old, times[:288], values[:288])
    again = load(dump(old))
    assert again.minutes is not None
    values[300:312] += 400.0
    values[-6:] += 400.0
    told = advanced(again, times[288:], values[288:])
    lasts = np.array([one.lasts[0] for one in told])
    assert not lasts[:140].any()
    fresh = fleet_of(2, 1, 600.0)
    assert np.array([one.lasts[0] for one in advanced(fresh, times, values)])[300:312].any()


def test_minutes_and_hours_go_on_from_a_dump_and_merge():
    times, values = rhythm(600, 4, step=60.0)
    whole, left, right = (fleet_of(4, step=60.0) for _ in range(3))
    feed(whole, times, values)
    for t, row in zip(times, values, strict=True):
        left.advance(np.array([0, 1]), np.full(2, t), row[:2])
        right.advance(np.array([2, 3]), np.full(2, t), row[2:])
    both, again = merge(left, right), load(dump(whole))
    for part in ("minutes", "hours"):
        own = getattr(whole, part)
        for name in ("ln_u", "xi", "blocks", "histogram"):
            np.testing.assert_allclose(getattr(getattr(both, part), name), getattr(own, name))
        assert own.blocks.min() > 50
        assert np.array_equal(getattr(again, part).histogram, own.histogram)
