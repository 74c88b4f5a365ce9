"""What holds for every method, and the published rule by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from kubestray.baseline.arrays import ALL
from kubestray.evaluate.methods import METHODS
from kubestray.evaluate.methods.base import Fleet
from kubestray.evaluate.methods.published import Published
from kubestray.model.errors import UsageError

STEP = 600.0
DAYS = 4


def _fleet(rows: int = 4, entities: int = 2) -> Fleet:
    names = [f"e{number}" for number in range(entities)]
    return Fleet(np.sort(np.arange(rows) % entities), np.full(rows, STEP), entities, 0.2, names)


def _values(seed: int = 0):
    chance = np.random.default_rng(seed)
    steps = int(DAYS * 86400 / STEP)
    times = STEP * np.arange(steps)
    return times, 50 + 10 * np.sin(2 * np.pi * times[:, None] / 86400) + chance.normal(0, 1, (steps, 4))


@pytest.mark.parametrize("name", METHODS)
def test_a_verdict_depends_on_no_later_point(name):
    times, values = _values()
    cut = 450
    whole, again = METHODS[name](_fleet()), METHODS[name](_fleet())
    later = values.copy()
    later[cut:] = 1e9
    for t, row, other in zip(times[:cut], values, later, strict=False):
        one = whole.advance(ALL, np.full(4, t), row)
        two = again.advance(ALL, np.full(4, t), other)
        assert np.array_equal(one.score, two.score)
        assert np.isfinite(one.score).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_burst_scores_higher_than_what_was_before(name):
    times, values = _values()
    values[-20:, 0] += 500
    method = METHODS[name](_fleet())
    scores = [method.advance(ALL, np.full(4, t), row).score for t, row in zip(times, values, strict=True)]
    before, after = np.array(scores)[200:-20], np.array(scores)[-20:]
    assert after[:, 0].max() > before[:, 0].max()


@pytest.mark.parametrize("name", METHODS)
def test_rows_may_be_missing(name):
    times, values = _values()
    method = METHODS[name](_fleet())
    chance = np.random.default_rng(2)
    for t, row in zip(times, values, strict=True):
        rows = np.flatnonzero(chance.random(4) < 0.7)
        verdict = method.advance(rows, np.full(len(rows), t), row[rows])
        assert verdict.entities.tolist() == sorted(set((rows // 2).tolist()))
        assert np.isfinite(verdict.score).all()


@pytest.mark.parametrize(("name", "library"), [("half_space_trees", "river"), ("loda", "pysad")])
def test_a_library_that_is_not_there_is_named(name, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=r"pip install 'kubestray\[peers\]'"):
        METHODS[name](_fleet())


@pytest.mark.parametrize("name", METHODS)
def test_a_metric_that_rested_at_first_is_no_more_than_rare(name):
    """Its first moves are ranked too: a later and larger one is above them."""
    times = STEP * np.arange(700)
    values = np.zeros((700, 4))
    values[300::40, 0], values[660, 0] = 1.0, 50.0
    method = METHODS[name](_fleet())
    scores = np.array([
        method.advance(ALL, np.full(4, t), row).score[0] for t, row in zip(times, values, strict=True)
    ])  # fmt: skip
    assert np.isfinite(scores).all()
    if name == "dspot":
        assert scores[660] > scores[300:660].max() > 0


def test_the_published_rule_needs_more_than_five_points_in_an_hour():
    method = Published(Fleet(np.zeros(1, np.int64), np.array([300.0]), 1, 0.2, ["e0"]))
    alerts = []
    values = [10.0, 12.0] * 144 + [100.0] * 8
    for n, value in enumerate(values):
        alerts.append(bool(method.advance(ALL, np.array([300.0 * n]), np.array([value])).alert[0]))
    # Mean 11, sd 1 of the day before: 100 is a hit, and the sixth hit within an hour is the first alert.
    assert not any(alerts[:-3])
    assert alerts[-3:] == [True] * 3
