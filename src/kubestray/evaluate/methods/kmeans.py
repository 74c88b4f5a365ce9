"""`kmeans`: two clusters of recent shapes, several models that must agree, as in Netdata's agent.

A shape is the last six differences of the values smoothed over three points. Every three hours a model is
trained on the shapes of the last six; a shape is as odd as its distance from the nearer centre, scaled to
those of training. The last 18 models vote: the least odd verdict counts. (Netdata: `ml` of the agent,
documentation of 2026.)
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Floats, Ints, Rows
from kubestray.evaluate.methods.base import ByMetric, Fleet

_LAGS, _SMOOTH = 6, 3
_TRAIN_SECONDS, _EVERY_SECONDS = 6 * 3600.0, 3 * 3600.0
_MODELS, _ROUNDS = 18, 8
_LONGEST = 360
"""Shapes that a model is trained on, at most."""


class KMeans(ByMetric):
    """The score is 1 at the oddest shape of training of the model that finds it least odd."""

    bound = 1.0

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self._recent = np.zeros((self.n, _SMOOTH + _LAGS))
        self._every = np.maximum(1, (_TRAIN_SECONDS / fleet.step / _LONGEST)).astype(np.int64)
        self._shapes = np.zeros((self.n, _LONGEST, _LAGS))
        self._count, self._kept = np.zeros(self.n, dtype=np.int64), np.zeros(self.n, dtype=np.int64)
        self._centres = np.zeros((self.n, _MODELS, 2, _LAGS))
        self._near, self._far = np.zeros((self.n, _MODELS)), np.ones((self.n, _MODELS))
        self._trained = np.zeros(self.n, dtype=np.int64)
        self._period = np.full(self.n, -1, dtype=np.int64)

    def score(self, rows: Rows, times: Floats, values: Floats) -> Floats:
        """Return how odd the shape is that ends with each value; 0 before the first model."""
        number = np.arange(self.n)[rows]
        self._recent[number] = np.roll(self._recent[number], -1, axis=1)
        self._recent[number, -1] = values
        self._count[number] += 1
        recent = self._recent[number]
        smooth = (recent[:, 2:] + recent[:, 1:-1] + recent[:, :-2]) / _SMOOTH
        shape = np.diff(smooth, axis=1)
        period = ((times + number % 18 * 600) // _EVERY_SECONDS).astype(np.int64)
        due = (period != self._period[number]) & (self._kept[number] >= 60)
        if due.any():
            self._train(number[due])
        self._period[number] = period
        full = self._count[number] >= _SMOOTH + _LAGS
        keep = number[full & (self._count[number] % self._every[number] == 0)]
        self._shapes[keep, self._kept[keep] % _LONGEST] = shape[np.searchsorted(number, keep)]
        self._kept[keep] += 1
        away = np.sqrt(((self._centres[number] - shape[:, None, None, :]) ** 2).sum(-1))
        odd = (away.min(axis=2) - self._near[number]) / self._far[number]
        held = np.arange(_MODELS) < self._trained[number][:, None]
        least = np.where(held, odd, np.inf).min(axis=1)
        return np.where(np.isfinite(least), np.clip(least, 0.0, 1e6), 0.0)

    def _train(self, number: Ints) -> None:
        for row in number.tolist():
            shapes = self._shapes[row, : min(self._kept[row], _LONGEST)]
            size = np.linalg.norm(shapes, axis=1)
            centres = shapes[[int(np.argmin(size)), int(np.argmax(size))]]
            for _ in range(_ROUNDS):
                away = np.linalg.norm(shapes[:, None] - centres, axis=2)
                nearer = away.argmin(axis=1)
                centres = np.stack([
                    shapes[nearer == side].mean(axis=0) if (nearer == side).any() else centres[side]
                    for side in (0, 1)
                ])  # fmt: skip
            away = np.linalg.norm(shapes[:, None] - centres, axis=2).min(axis=1)
            slot = self._trained[row] % _MODELS
            self._centres[row, slot] = centres
            self._near[row, slot] = away.min()
            self._far[row, slot] = max(np.percentile(away, 99) - away.min(), 1e-9)
            self._trained[row] += 1
