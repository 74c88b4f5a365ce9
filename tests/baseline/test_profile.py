"""A profile: the same state however its bins come, entities that come and go, dumps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import examples
from kubestray.baseline import snapshot
from kubestray.baseline.profile import FORGOTTEN_SECONDS, Form, Profile, load
from kubestray.baseline.stray import Stray
from kubestray.model.errors import KubestrayError

DAY = 86400.0
START = 1_700_000_000.0 // DAY * DAY
FORM = Form(("pod",), ("cpu", "memory"), 1800.0, 0.2)


def rows(seed: int = 0, days: int = 16, pods: int = 6):
    """Rows of pods that live for a part of the time, with gaps: times, which pod, values."""
    chance = np.random.default_rng(seed)
    found = []
    for pod in range(pods):
        begin, end = sorted(chance.integers(0, days * 48, 2)) if pod else (0, days * 48)
        for step in range(begin, end):
            if chance.random() < 0.9:
                wave = 50 + 20 * np.sin(2 * np.pi * step / 48)
                found.append((START + step * 1800.0, pod, wave + chance.normal(0, 3), chance.random()))
    table = np.array(found)
    values = table[:, 2:]
    values[chance.random(len(values)) < 0.1, 1] = np.nan
    return table[:, 0], table[:, 1].astype(np.int64), values


def told(profile: Profile, times, pods, values, report_from=0.0):
    keys = [(f"p{n}",) for n in range(pods.max(initial=-1) + 1)]
    return [
        (one.time, key, moment, alert)
        for one in profile.advance(times, keys, pods, values, report_from)
        for key, moment, alert in zip(one.keys, one.scores.moment, one.scores.alert, strict=True)
    ]


@settings(max_examples=examples(1))
@given(cuts=st.lists(st.floats(0, 16), max_size=6), seed=st.integers(0, 50))
def test_the_state_is_the_same_however_the_bins_come(cuts, seed):
    times, pods, values = rows(seed)
    whole, parts = Profile(FORM), Profile(FORM)
    expected = told(whole, times, pods, values)
    found = []
    edges = [0.0, *(START + cut // (1 / 48) * 1800 for cut in sorted(cuts)), np.inf]
    for first, last in itertools.pairwise(edges):
        part = (times >= first) & (times < last)
        found += told(parts, times[part], pods[part], values[part])
        if found and len(found) % 2:
            parts = load(parts.dump())
    assert found == expected
    assert parts.dump() == whole.dump()


def test_bins_that_were_learned_are_passed_over():
    times, pods, values = rows()
    profile = Profile(FORM)
    told(profile, times, pods, values)
    state = profile.dump()
    assert told(profile, times, pods, values * 7) == []
    assert profile.dump() == state


def test_a_single_entity_scores_as_it_does_in_its_fleet():
    times, pods, values = rows(3)
    cut = START + 12 * DAY
    fleet = Profile(FORM)
    told(fleet, times[times < cut], pods[times < cut], values[times < cut])
    late = times >= cut
    expected = told(load(fleet.dump()), times[late], pods[late], values[late])
    for pod in range(6):
        alone = fleet.only((f"p{pod}",))
        own = late & (pods == pod)
        found = {
            (time, key): score for time, key, score, _ in told(alone, times[own], pods[own], values[own])
        }
        assert found == {(t, key): score for t, key, score, _ in expected if key == (f"p{pod}",)}


def test_who_is_gone_is_forgotten_and_others_stay():
    profile = Profile(FORM)
    times = START + 1800.0 * np.arange(48 * 12)
    keys = [("stays",), ("goes",)]
    pods = np.where(np.arange(len(times)) % 2 == 0, 0, 1)
    pods[times > START + DAY] = 0
    values = np.random.default_rng(0).random((len(times), 2))
    list(profile.advance(times, keys, pods, values))
    assert times[-1] - START > FORGOTTEN_SECONDS + DAY
    assert profile.names == [("stays",)]
    assert profile.fleet.seen.first[0] == START


def test_two_rows_of_one_entity_in_a_bin_are_refused():
    profile = Profile(FORM)
    with pytest.raises(ValueError, match="two rows of"):
        list(profile.advance(np.zeros(2), [("a",)], np.zeros(2, dtype=np.int64), np.ones((2, 2))))


def test_what_is_no_dump_says_what_to_do():
    with pytest.raises(KubestrayError, match="learn anew"):
        load(b"nothing of the kind")
    with pytest.raises(KubestrayError, match="no profile"):
        load(snapshot.dump(Stray(np.zeros(1, dtype=np.int64), np.ones(1))))
