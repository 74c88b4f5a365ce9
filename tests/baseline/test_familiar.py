"""What happens every day at the same hour is told as often as is asked for, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import examples
from kubestray.baseline import snapshot
from kubestray.baseline.familiar import DAYS, Familiar
from kubestray.baseline.judging import FAMILIAR, Judge, Question
from kubestray.baseline.orders import Order, Orders
from kubestray.baseline.profile import Form, Profile, load

HOUR = 3600.0
DAY = 24 * HOUR
START = 1_700_000_000.0 // DAY * DAY
STEP = 1800.0
LOW = -99.0
FORM = Form(("pod",), ("bytes",), STEP, 0.2, "up", familiar_days=2)


def _recount(seen: list[tuple[float, float]], time: float, value: float, expected: float, side: int) -> int:
    """On how many of the days before something within an hour went four fifths as far: point by point."""
    far, days = side * (value - expected), set()
    for then, size in seen:
        back = [day for day in range(1, DAYS + 1) if abs(then // HOUR - (time // HOUR - 24 * day)) <= 1]
        if far > 0 and side * (size - expected) >= 0.8 * far:
            days.update(back)
    return len(days)


@settings(max_examples=examples(20))
@given(
    steps=st.lists(st.tuples(st.integers(0, 14 * 48), st.integers(-40, 40)), max_size=60),
    side=st.sampled_from([1, -1]),
    value=st.integers(-50, 50),
)
def test_days_are_those_of_a_recount(steps, side, value):
    steps.sort()
    daily, seen = Familiar(2, (1, -1)), []
    for step, size in steps:
        time = START + step * STEP
        daily.advance(np.array([1]), np.array([time]), np.array([float(size)]))
        seen.append((time, float(size)))
    time = seen[-1][0] if seen else START
    found = daily.days(np.array([1]), time, np.array([float(value)]), np.array([2.0 * side]))
    assert found[0] == _recount(seen, time, value, 2.0 * side, 1 if value > 2.0 * side else -1)


def _nightly(days: int, size: float = 1000.0, shift: int = 0):
    """A pod that is quiet but for half an hour at 03:00 each night, from the fifth on so many bins later."""
    times = START + STEP * np.arange(days * 48)
    values = 100 + np.random.default_rng(0).normal(0, 5, len(times))
    for day in range(days):
        values[day * 48 + 6 + (shift if day >= 4 else 0)] += size
    return times, values


def _alarms(times, values, form: Form = FORM, report_from: float = START, state: bytes | None = None):
    """Bins of jobs with an alarm and with a familiar one, whatever they score: scores get used to jobs."""
    judge = Judge(load(state) if state else Profile(form), Question("up"), LOW)
    keys, none = [("db",)], np.zeros(len(times), dtype=np.int64)
    jobs = set(times[values > 500].tolist())
    alarms, familiar = [], []
    for one in judge.take(times, keys, none, values[:, None], report_from):
        if one.time in jobs:
            assert one.alert[0] == (one.reason[0] != FAMILIAR)
            (alarms if one.alert[0] else familiar).append(one.time)
    return alarms, familiar, judge.profile


def _days(times) -> set[int]:
    return {int((time - START) // DAY) for time in times}


@pytest.mark.parametrize("shift", [0, 2])
def test_a_nightly_job_is_told_as_often_as_is_asked(shift):
    alarms, familiar, _ = _alarms(*_nightly(7, shift=shift))
    assert _days(alarms) == {0, 1}
    assert _days(familiar) == {2, 3, 4, 5, 6}


def test_a_job_two_hours_later_is_news():
    alarms, _, _ = _alarms(*_nightly(7, shift=4))
    assert _days(alarms) == {0, 1, 4, 5}


def test_what_goes_farther_than_every_night_is_told():
    times, values = _nightly(7)
    values[6 * 48 + 6] += 400
    alarms, familiar, _ = _alarms(times, values)
    assert (_days(alarms), _days(familiar)) == ({0, 1, 6}, {2, 3, 4, 5})


def test_a_job_that_rested_for_a_week_is_news():
    times, values = _nightly(10)
    quiet = (times >= START + 2 * DAY) & (times < START + 9 * DAY)
    values[quiet] = np.minimum(values[quiet], 110)
    alarms, familiar, _ = _alarms(times, values)
    assert (_days(alarms), familiar) == ({0, 1, 9}, [])


def test_it_is_the_same_after_a_dump_and_with_more_entities():
    times, values = _nightly(7)
    alarms, familiar, whole = _alarms(times, values)
    cut = START + 2 * DAY + 2 * HOUR
    first = times < cut
    early, _, profile = _alarms(times[first], values[first])
    profile.admit(("other",))
    late, later, parts = _alarms(times[~first], values[~first], report_from=cut, state=profile.dump())
    assert early + late == alarms
    assert later == familiar
    assert np.array_equal(parts.fleet.familiar.farthest[0], whole.fleet.familiar.farthest[0])


def test_without_asking_nothing_is_kept_or_familiar():
    form = Form(("pod",), ("bytes",), STEP, 0.2, "up")
    alarms, familiar, profile = _alarms(*_nightly(4), form)
    assert _days(alarms) == {0, 1, 2, 3}
    assert familiar == []
    assert profile.fleet.familiar is None
    assert load(profile.dump()).form == form


def test_two_states_of_one_fleet_know_what_both_saw():
    rng = np.random.default_rng(1)
    whole, parts = Familiar(3, (1,)), [Familiar(3, (1,)) for _ in range(2)]
    for step in range(9 * 48):
        row, time = np.array([rng.integers(3)]), np.array([START + step * STEP])
        value = rng.normal(0, 10, 1)
        for daily in (whole, parts[rng.integers(2) if step < 7 * 48 else 0]):
            daily.advance(row, time, value)
    behind, ahead = parts[1], parts[0]
    ahead.merge(behind)
    assert np.array_equal(ahead.farthest, whole.farthest)
    behind.merge(whole)
    assert np.array_equal(behind.farthest, whole.farthest)


def test_states_of_profiles_merge_with_what_they_know_of_hours():
    times, values = _nightly(6)
    half = times < START + 3 * DAY
    one, other = (_alarms(times[part], values[part])[2].fleet for part in (half, ~half))
    both = snapshot.merge(one, other)
    assert (
        both.familiar.days(np.array([0]), START + 6 * DAY + 3 * HOUR, np.array([1100.0]), np.array([100.0]))[
            0
        ]
        == 6
    )


def test_nobody_teaches_a_locked_entity_that_a_job_is_usual():
    times, values = _nightly(9)
    quiet = times < START + 2 * DAY
    values[quiet] = np.minimum(values[quiet], 110)
    judge = Judge(Profile(FORM), Question("up"), LOW)
    judge.profile.orders = Orders([Order(START + 1.5 * DAY, "lock", ("db",))])
    told = judge.take(times, [("db",)], np.zeros(len(times), dtype=np.int64), values[:, None], START)
    jobs = set(times[values > 500].tolist())
    assert _days(one.time for one in told if one.alert[0] and one.time in jobs) == set(range(2, 9))
