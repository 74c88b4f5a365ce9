"""The volume under the range precision-recall curve (VUS-PR), as the package ``vus`` (0.0.6) works it out.

Paparrizos et al., "Volume Under the Surface: a new accuracy evaluation measure for time-series anomaly
detection", PVLDB 15 (2022): labels are widened by half a window on each side with a weight that falls from
1 to 0.7, for every window up to a longest one; 250 thresholds at even ranks. Where the package and the paper
differ it is the package, which others use: of the widened part only what is predicted counts as positive, and
an area is a sum of steps, each as high as the precision at its end. Point adjustment is no part of it.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Flags, Floats, Ints

THRESHOLDS = 250


def vus_pr(labels: Flags, score: Floats, window: int) -> float:
    """Return the VUS-PR of one series of scores, for windows from 0 to ``window`` steps.

    ``labels`` and ``score`` have a value a step; NaN if no step is labelled.
    """
    runs = _runs(labels)
    if not len(runs):
        return float("nan")
    ranks = np.linspace(0, len(score) - 1, THRESHOLDS).astype(np.int64)
    levels = np.sort(score)[::-1][ranks]
    # The first threshold that each step reaches: levels fall, so their negatives are sorted.
    reached = np.searchsorted(-levels, -score, side="left")
    predicted = np.cumsum(np.bincount(reached, minlength=THRESHOLDS)[:THRESHOLDS])
    near = _segments(runs, window, len(labels))
    areas = [
        _area(_widened(labels, runs, half, width), reached, predicted, labels, near, runs, width)
        for width, half in ((width, width // 2) for width in range(window + 1))
    ]
    return float(np.mean(areas))


def _area(
    weights: Floats, reached: Ints, predicted: Ints, labels: Flags, near: Ints, runs: Ints, width: int
) -> float:
    """Return the area under the curve of one window."""
    inside = np.zeros(len(weights) + 1, dtype=np.int64)
    np.add.at(inside, near[:, 0], 1)
    np.add.at(inside, near[:, 1] + 1, -1)
    counted = np.where(np.cumsum(inside[:-1]) > 0, weights, 0.0)
    hits = np.cumsum(np.bincount(reached, weights=counted, minlength=THRESHOLDS)[:THRESHOLDS])
    segments = _segments(runs, width, len(weights))
    open_to = [
        reached[a : b + 1][weights[a : b + 1] > 0].min(initial=THRESHOLDS) for a, b in segments.tolist()
    ]
    met = np.cumsum(np.bincount(open_to, minlength=THRESHOLDS + 1)[:THRESHOLDS]) / len(segments)
    labelled = np.cumsum(np.bincount(reached[labels], minlength=THRESHOLDS)[:THRESHOLDS])
    recall = np.minimum(hits / (labels.sum() + (hits - labelled) / 2), 1.0) * met
    return float(np.dot(np.diff(recall, prepend=0.0), hits / predicted))


def _runs(labels: Flags) -> Ints:
    """Return first and last step of each run of labelled steps, shape (runs, 2)."""
    edges = np.diff(np.r_[0, labels.astype(np.int8), 0])
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1], axis=1)


def _segments(runs: Ints, width: int, length: int) -> Ints:
    """Return the runs widened by half a window, those that meet as one."""
    half = width // 2
    widened: list[list[int]] = []
    for first, last in runs.tolist():
        if widened and widened[-1][1] >= first - half:
            widened[-1][1] = last + half
        else:
            widened.append([max(first - half, 0), last + half])
    widened[-1][1] = min(widened[-1][1], length - 1)
    return np.array(widened)


def _widened(labels: Flags, runs: Ints, half: int, width: int) -> Floats:
    weights = labels.astype(np.float64)
    away = np.arange(1, half + 1)
    fall = np.sqrt(1.0 - away / max(width, 1))
    for first, last in runs.tolist():
        after = last + away[: max(0, min(half, len(weights) - 1 - last))]
        weights[after] += fall[: len(after)]
        before = first - away[: min(half, first)]
        weights[before] += fall[: len(before)]
    return np.minimum(weights, 1.0)
