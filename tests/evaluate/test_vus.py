"""VUS-PR: its definition written out by thresholds, what the package ``vus`` 0.0.6 gives, cases by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import examples
from kubestray.evaluate.vus import THRESHOLDS, vus_pr


def _by_definition(labels, score, longest):
    """Range-AUC-PR for each window, averaged; every threshold by itself."""
    n = len(labels)
    levels = np.sort(score)[::-1][np.linspace(0, n - 1, THRESHOLDS).astype(int)]
    runs, start = [], None
    for at in range(n + 1):
        on = at < n and labels[at]
        if on and start is None:
            start = at
        if not on and start is not None:
            runs.append((start, at - 1))
            start = None
    areas = []
    for window in range(longest + 1):
        weight = labels.astype(float)
        for a, b in runs:
            for away in range(1, window // 2 + 1):
                for at in (a - away, b + away):
                    if 0 <= at < n:
                        weight[at] += np.sqrt(1 - away / window)
        weight = np.minimum(weight, 1)
        groups = []
        for a, b in runs:
            if groups and groups[-1][1] >= a - window // 2:
                groups[-1][1] = b + window // 2
            else:
                groups.append([max(a - window // 2, 0), b + window // 2])
        area, last = 0.0, 0.0
        for level in levels:
            on = score >= level
            hit = (weight * on).sum()
            met = np.mean([(weight * on)[a : b + 1].sum() > 0 for a, b in groups])
            positive = labels.sum() + (weight * on)[~labels].sum()
            recall = min(hit / ((labels.sum() + positive) / 2), 1) * met
            area += (recall - last) * hit / on.sum()
            last = recall
        areas.append(area)
    return np.mean(areas)


@settings(max_examples=examples(10))
@given(
    labels=st.lists(st.booleans(), min_size=3, max_size=50),
    seed=st.integers(0, 10),
    ties=st.booleans(),
    longest=st.integers(0, 9),
)
def test_it_equals_its_definition(labels, seed, ties, longest):
    labels = np.array(labels)
    chance = np.random.default_rng(seed)
    score = chance.integers(0, 4, len(labels)).astype(float) if ties else chance.random(len(labels))
    if not labels.any():
        assert np.isnan(vus_pr(labels, score, longest))
        return
    assert vus_pr(labels, score, longest) == pytest.approx(_by_definition(labels, score, longest))


def test_a_perfect_score_without_a_window_is_one():
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 0], dtype=bool)
    assert vus_pr(labels, labels.astype(float), 0) == pytest.approx(1.0, abs=0.01)


def test_a_blind_score_is_worth_the_share_of_labels():
    # All scores equal: one point of the curve, recall 1 and precision 2/8.
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 0], dtype=bool)
    assert vus_pr(labels, np.zeros(8), 0) == pytest.approx(0.25)


AT = np.arange(400)
EVENTS = ((AT >= 60) & (AT < 70)) | ((AT >= 200) & (AT < 203)) | ((AT >= 206) & (AT < 230)) | (AT >= 396)
SCORES = {
    "sine": np.sin(AT * 0.7) + np.cos(AT * 0.05),
    "near": EVENTS * 0.5 + np.sin(AT * 1.3) * 0.4 + np.roll(EVENTS, 4),
    "steps": AT % 7 // 2 + EVENTS.astype(float),
}


@pytest.mark.parametrize(
    ("score", "window", "given"),
    [
        ("sine", 0, 0.08961648239847464),
        ("sine", 1, 0.08961648239847464),
        ("sine", 12, 0.10233985594330229),
        ("sine", 40, 0.15474732495324087),
        ("near", 0, 0.725504103287986),
        ("near", 12, 0.8431496236453436),
        ("near", 40, 0.9019923361327905),
        ("steps", 0, 0.3633219007616411),
        ("steps", 12, 0.38161430938138036),
        ("steps", 40, 0.4466823033325256),
    ],
)
def test_it_equals_what_the_package_gives(score, window, given):
    assert vus_pr(EVENTS, SCORES[score], window) == pytest.approx(given, rel=1e-12)
