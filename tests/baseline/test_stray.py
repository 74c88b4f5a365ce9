"""What a fleet promises: causal, goes on after a dump, merges, is not taught by spikes, sees ramps."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseline.fleets import feed, fleet_of, rhythm
from helpers import examples, more
from kubestray.baseline.arrays import ALL
from kubestray.baseline.bands import bands
from kubestray.baseline.heights import Heights
from kubestray.baseline.residuals import VIEWS
from kubestray.baseline.snapshot import (
    VERSION,
    WITHOUT_ODD,
    as_of,
    dump,
    load,
    load_with_head,
    merge,
    version_of,
)
from kubestray.baseline.stray import LEARNING, READY, STALE
from kubestray.model.errors import KubestrayError


@settings(max_examples=examples(1))
@given(cut=st.integers(1, 799), seed=st.integers(0, 100))
def test_a_score_depends_on_no_later_point(cut, seed):
    times, values = rhythm(800, 6, seed)
    whole = feed(fleet_of(6, 3), times, values)
    values[cut:] = 1e6
    again = feed(fleet_of(6, 3), times[:cut], values[:cut])
    assert np.array_equal(whole[:cut], again)


@settings(max_examples=examples(1))
@given(cut=st.integers(1, 799), seed=st.integers(0, 100))
def test_a_fleet_goes_on_from_its_dump_as_if_nothing_had_happened(cut, seed):
    times, values = rhythm(800, 6, seed)
    fleet = fleet_of(6, 3)
    feed(fleet, times[:cut], values[:cut])
    state = dump(fleet)
    again = load(state)
    assert dump(again) == state
    assert np.array_equal(feed(fleet, times[cut:], values[cut:]), feed(again, times[cut:], values[cut:]))


@pytest.mark.parametrize("scale", [1e155, more(1e300), 1e306])
def test_values_whose_squares_are_no_numbers_have_scores_and_warn_nobody(scale):
    times, values = rhythm(600, 4)
    with np.errstate(all="raise", under="ignore", divide="ignore"):
        scores = feed(fleet_of(4, 2), times, values * scale)
        values[500, 0] = -scale
        mixed = feed(fleet_of(4, 2), times, values)
    assert np.isfinite(scores).all()
    assert np.isfinite(mixed).all()


def test_a_state_that_cannot_be_read_says_so():
    with pytest.raises(KubestrayError, match="let it learn anew"):
        load(b"nothing of the kind")
    state = dump(fleet_of(2))
    with pytest.raises(KubestrayError, match="let it learn anew"):
        load(state[: len(state) // 2])


@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1))
@settings(max_examples=examples(20))
def test_a_state_of_which_bytes_have_changed_is_read_or_says_that_it_cannot_be(changes):
    state = bytearray(dump(fleet_of(2)))
    for place, byte in changes:
        state[int(place * len(state))] = byte
    with contextlib.suppress(KubestrayError):
        load(bytes(state))


@pytest.mark.parametrize(
    ("name", "value"),
    [("entity", [0, 2**40]), ("entity", [0, -1]), ("step", [300.0]), ("residuals.location", [1.0])],
)
def test_a_state_whose_arrays_are_not_those_of_a_fleet_says_so(name, value):
    """Before rows are made for as many entities as it says there are."""
    arrays = dict(np.load(io.BytesIO(dump(fleet_of(2)))))
    written = io.BytesIO()
    np.savez(written, **{**arrays, name: np.array(value)})
    with pytest.raises(KubestrayError, match="let it learn anew"):
        load(written.getvalue())


def test_a_state_from_before_usual_moves_and_own_bounds_is_read():
    times, values = rhythm(400, 4)
    fleet = fleet_of(4, 2)
    feed(fleet, times, values)
    arrays = dict(np.load(io.BytesIO(dump(fleet))))
    new = [f"residuals.{name}" for name in ("moves", "move", "move_hour", "move_hours", "calm", "calm_level")]
    new += [f"heights.{name}" for name in Heights.fields]
    new += [f"{tails}.counts" for tails in ("views", "whole", "minutes", "hours")]
    for name in (*new, "budget.own", "budget.own_bound"):
        del arrays[name]
    written = io.BytesIO()
    np.savez(written, **arrays)
    again = load(written.getvalue())
    assert np.array_equal(again.residuals.variance, fleet.residuals.variance)
    assert again.budget.threshold == fleet.budget.threshold
    assert np.array_equal(again.residuals.calm, fleet.residuals.location[1])
    assert np.isfinite(feed(again, times + 400 * 300.0, values)).all()


def test_merging_with_a_state_that_saw_nothing_changes_no_score():
    times, values = rhythm(800, 4)
    fleet = fleet_of(4, 2)
    feed(fleet, times[:600], values[:600])
    for merged in (merge(fleet, fleet_of(4, 2)), merge(fleet_of(4, 2), fleet)):
        again = load(dump(fleet))
        np.testing.assert_allclose(
            feed(merged, times[600:], values[600:]), feed(again, times[600:], values[600:]), rtol=1e-6
        )


def test_two_halves_of_a_fleet_merge_to_the_whole():
    times, values = rhythm(800, 4)
    whole, left, right = fleet_of(4), fleet_of(4), fleet_of(4)
    for t, row in zip(times, values, strict=True):
        moment = np.full(4, t)
        whole.advance(ALL, moment, row)
        left.advance(np.array([0, 1]), moment[:2], row[:2])
        right.advance(np.array([2, 3]), moment[2:], row[2:])
    merged = merge(left, right)
    for name in ("location", "variance", "profile", "count"):
        np.testing.assert_allclose(getattr(merged.residuals, name), getattr(whole.residuals, name))
    np.testing.assert_allclose(merged.views.ln_u, whole.views.ln_u)
    np.testing.assert_allclose(merged.whole.xi, whole.whole.xi)
    assert merged.budget.threshold[0] == pytest.approx(whole.budget.threshold[0], abs=0.051)


def test_a_block_that_was_odd_on_one_side_counts_for_little_on_both():
    times, values = rhythm(700, 2)
    one, other = fleet_of(2), fleet_of(2)
    for fleet in (one, other):
        feed(fleet, times, values)
    other.whole.discount(np.array([1]), np.array([0.3]))
    for merged in (merge(one, other), merge(other, one), load(dump(other))):
        assert merged.whole.counts.tolist() == [1.0, 0.3]


def test_two_sides_that_saw_the_same_metric_merge_to_what_lies_between():
    times, values = rhythm(700, 1)
    one, other = fleet_of(1), fleet_of(1)
    feed(one, times, values)
    feed(other, times, values + 50)
    a, b, both = (f.residuals.location[0, 0] for f in (one, other, merge(one, other)))
    assert both == pytest.approx((a + b) / 2)
    assert merge(one, other).residuals.variance[0, 0] > one.residuals.variance[0, 0]
    with pytest.raises(ValueError, match="same entities"):
        merge(one, fleet_of(2))


@pytest.mark.parametrize("kind", ["counts", more("noise")])
def test_a_spike_of_one_bin_moves_no_limit_of_the_next_hours_by_a_twentieth(kind):
    times, values = rhythm(288 * 14 + 24, 20)
    chance = np.random.default_rng(5)
    values = chance.poisson(values / 20) * 1.0 if kind == "counts" else values
    end, spiked, rows = 288 * 14, np.arange(0, 20, 4), np.arange(20)
    calm = fleet_of(20)
    feed(calm, times[:end], values[:end])
    hit, after = load(dump(calm)), values[end:].copy()
    after[0, spiked] *= 50
    for t, with_it, without in zip(times[end:], after, values[end:], strict=True):
        score = hit.advance(ALL, np.full(20, t), with_it).score
        assert t > times[end] or score[spiked].min() > 3
        calm.advance(ALL, np.full(20, t), without)
        limits = [bands(fleet, rows, np.full(20, t + 300.0)).upper[spiked] for fleet in (hit, calm)]
        np.testing.assert_allclose(*limits, rtol=0.05)


def test_a_spike_of_fifty_times_moves_the_limits_by_less_than_a_twentieth():
    times, values = rhythm(96 * 10, 1, step=900.0)
    fleet = fleet_of(1, step=900.0)
    feed(fleet, times, values)
    later = times[-1] + 86400.0
    before = bands(fleet, np.array([0]), np.array([later]))
    score = feed(fleet, times[-1:] + 900, np.array([[5000.0]]))[0, 0]
    assert score > 3
    after = bands(fleet, np.array([0]), np.array([later]))
    for name in ("expected", "lower", "upper"):
        assert getattr(after, name)[0] == pytest.approx(getattr(before, name)[0], rel=0.05)
    assert before.lower[0] < before.expected[0] < before.upper[0]


@pytest.mark.parametrize("glitch", [more(1e9), 1.8e19])
def test_one_value_that_is_off_by_millions_hides_no_attack_of_later_hours(glitch):
    times, values = rhythm(288 * 8, 1)
    at, attacks = 288 * 6, [288 * 6 + hours * 12 for hours in (3, 6, 12, 30)]
    for attack in attacks:
        values[attack : attack + 3] *= 2
    values[at] = 5e4
    smaller = feed(fleet_of(1), times, values)
    values[at] = glitch
    after = feed(fleet_of(1), times, values)
    assert after[at] >= smaller[at]
    quiet = after[288 * 3 : at].max()
    assert all(after[attack : attack + 3].max() > quiet + 1.0 for attack in attacks)
    assert np.abs(after[at + 12 :] - smaller[at + 12 :]).max() < 0.5


def test_a_ramp_is_found_before_it_doubles():
    times, values = rhythm(48 * 38, 4, step=1800.0)
    start = 48 * 14
    values[start:, 0] *= 1.03 ** ((times[start:] - times[start]) / 86400)
    fleet = fleet_of(4, step=1800.0, per_day=1 / 30)
    doubled = start + int(np.log(2) / np.log(1.03) * 48)
    alarms = [
        fleet.advance(ALL, np.full(4, t), row).alert for t, row in zip(times[:doubled], values, strict=False)
    ]
    assert np.array(alarms)[start:, 0].any()
    assert np.array(alarms)[:, 1:].sum() <= 12


def test_a_weekly_rhythm_is_no_ramp():
    times, values = rhythm(48 * 38, 4, step=1800.0)
    values *= np.where(times // 86400 % 7 < 2, 0.5, 1.0)[:, None]
    fleet = fleet_of(4, step=1800.0)
    rising = [fleet.advance(ALL, np.full(4, t), row).rising for t, row in zip(times, values, strict=True)]
    assert not any(len(found) for found in rising)


def test_an_entity_says_if_it_is_learning_ready_or_stale():
    times, values = rhythm(20, 2)
    fleet = fleet_of(2)
    feed(fleet, times[:3], values[:3])
    assert fleet.state(times[2]) == [LEARNING, LEARNING]
    feed(fleet, times[3:], values[3:])
    assert fleet.state(times[-1]) == [READY, READY]
    assert fleet.state(times[-1] + 2 * 86400) == [STALE, STALE]


def test_nothing_alarms_while_it_is_learning():
    fleet = fleet_of(1)
    for n, value in enumerate([1, 1, 2, 1, 1, 2, 1, 1, 1e9, 1]):
        scores = fleet.advance(ALL, np.array([300.0 * n]), np.array([float(value)]))
        assert not scores.alert.any()


def test_a_score_falls_slowly_and_an_alarm_does_not_last():
    times, values = rhythm(2000, 1)
    fleet = fleet_of(1)
    feed(fleet, times, values)
    after = []
    for n, value in enumerate([1000.0, *values[:12, 0]]):
        after.append(fleet.advance(ALL, np.array([times[-1] + 300.0 * (n + 1)]), np.array([value])))
    assert after[0].alert[0]
    assert after[0].score[0] > after[4].score[0] > after[12].score[0]
    assert not after[12].alert[0]


def _faults_every_hour(fleet, hours: int) -> list[float]:
    """Feed five hours of noise, then a fault of ten minutes in each hour; return the highest score of each
    fault.
    """
    chance, found = np.random.default_rng(3), []
    for hour in range(5 + hours):
        values = chance.normal(0.0, 1.0, (120, 4))
        if hour >= 5:
            values[60:80] += 30.0
        times = 1_700_000_000.0 // 3600 * 3600 + 3600.0 * hour + 30.0 * np.arange(120)
        found.append(float(feed(fleet, times, values).max()))
    return found[5:]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_values_that_are_back_after_a_fault_are_no_alarms(seed):
    values = np.random.default_rng(seed).normal(1000.0, 40.0, (3 * 1440 + 120, 2))
    values[3 * 1440 : 3 * 1440 + 20, 0] *= 10.0
    fleet = fleet_of(2, step=60.0, per_day=1 / 30)
    start = 1_700_000_000.0 // 86400 * 86400
    alarms = [
        bool(fleet.advance(ALL, np.full(2, start + 60.0 * n), row).alert[0]) for n, row in enumerate(values)
    ]
    assert sum(alarms[3 * 1440 : 3 * 1440 + 20]) == 20
    assert sum(alarms[3 * 1440 + 20 :]) <= 2


def test_faults_of_a_new_entity_are_not_soon_what_is_usual():
    new, known = fleet_of(4, 2, step=30.0), fleet_of(4, 2, step=30.0)
    known.seen.first[:] = 1_600_000_000.0
    kept, learned = _faults_every_hour(new, 12), _faults_every_hour(known, 12)
    assert kept[0] == pytest.approx(learned[0], abs=0.2)
    assert kept[-1] > learned[-1] + 0.25


def test_a_state_of_before_learns_as_it_did_where_a_finding_is_worked_out_again():
    values = np.random.default_rng(5).normal(1000.0, 40.0, (1000, 2))
    values[400:420, 0] *= 10.0
    times = 1_700_000_000.0 + 60.0 * np.arange(1000)
    old, new = fleet_of(2, step=60.0), fleet_of(2, step=60.0)
    as_of(old, WITHOUT_ODD)
    first = feed(old, times[:300], values[:300])
    assert np.array_equal(first, feed(new, times[:300], values[:300]))
    state = dump(old)
    assert version_of(old) == WITHOUT_ODD
    again, goes_on = load_with_head(state, then=True)[0], load(state)
    wanted = feed(old, times[300:], values[300:])
    assert np.array_equal(feed(again, times[300:], values[300:]), wanted)
    assert np.array_equal(feed(goes_on, times[300:], values[300:]), feed(new, times[300:], values[300:]))
    assert not np.array_equal(feed(load(state), times[300:], values[300:]), wanted)
    assert (version_of(again), version_of(goes_on)) == (WITHOUT_ODD, VERSION)


def test_a_new_entity_learns_alike_alone_and_in_a_fleet():
    chance = np.random.default_rng(4)
    times = 1_700_000_000.0 // 3600 * 3600 + 30.0 * np.arange(1500)
    values = chance.normal(0.0, 1.0, (1500, 4))
    values[700:730, :2] += 12.0
    values[::9, 2:] += 40.0
    together = feed(fleet_of(4, 2, step=30.0), times, values)[:, 0]
    assert np.array_equal(together, feed(fleet_of(2, 1, step=30.0), times, values[:, :2])[:, 0])


def test_the_parts_of_a_score_add_up():
    times, values = rhythm(500, 6)
    fleet = fleet_of(6, 3)
    feed(fleet, times, values)
    scores = fleet.advance(ALL, np.full(6, times[-1] + 300), values[-1] * 3)
    np.testing.assert_allclose(scores.metrics, (scores.trust * scores.parts[: len(VIEWS)]).sum(axis=0))
    mean = scores.metrics.reshape(3, 2).mean(axis=1)
    power_mean = np.sqrt((scores.metrics.reshape(3, 2) ** 2).mean(axis=1))
    level = 3 * np.log((mean + power_mean) / 2 + 0.5)
    assert (scores.score >= scores.moment).all()
    expected = (level - fleet.whole.ln_u) / np.sqrt(fleet.whole.xi) - scores.once
    assert (scores.once > 0).all()
    np.testing.assert_allclose(scores.moment, expected)
