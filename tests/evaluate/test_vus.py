"""VUS-PR against its definition, written out threshold by threshold, and against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        recalls, precisions = [0.0], [1.0]
        for level in levels:
            on = score >= level
            hit = (weight * on).sum()
            met = np.mean([(weight * on)[a : b + 1].sum() > 0 for a, b in groups])
            recalls.append(min(hit / ((labels.sum() + weight.sum()) / 2), 1) * met)
            precisions.append(hit / on.sum())
        areas.append(sum(
            (recalls[i + 1] - recalls[i]) * (precisions[i + 1] + precisions[i]) / 2
            for i in range(THRESHOLDS)
        ))  # fmt: skip
    return np.mean(areas)


@settings(max_examples=25)
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


def test_a_blind_score_is_worth_half_way_from_one_to_the_share_of_labels():
    # All scores equal: one point of the curve, recall 1 and precision 2/8, after recall 0 and precision 1.
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 0], dtype=bool)
    assert vus_pr(labels, np.zeros(8), 0) == pytest.approx((1 + 0.25) / 2)
