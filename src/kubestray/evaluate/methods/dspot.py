"""`dspot`: peaks over a threshold with a generalised Pareto tail, on the distance from a drifting mean.

After Siffer et al., "Anomaly detection in streams with extreme value theory", KDD 2017, on both sides at
once. The threshold of the peaks is the 98 % point of the first day (or what there is), the tail is fitted
to the last 200 peaks by their moments. Extremes are not learned from.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Floats, Ints, Rows
from kubestray.evaluate.methods.base import ByMetric, Fleet

_DRIFT = 10
_PEAKS = 200
_START = 1000
_QUANTILE = 0.98
_RISK = 1e-4


class Dspot(ByMetric):
    """The score is -log10 of the probability of a distance as far out."""

    bound = float(-np.log10(_RISK))

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self._drift = np.full((self.n, _DRIFT), np.nan)
        self._drifted = np.zeros(self.n, dtype=np.int64)
        self._start = np.zeros((self.n, _START))
        self._seen = np.zeros(self.n, dtype=np.int64)
        self._learned = np.minimum(_START, 86400 // fleet.step).astype(np.int64)
        self._from = np.full(self.n, np.inf)
        self._peaks = np.zeros((self.n, _PEAKS))
        self._count = np.zeros(self.n, dtype=np.int64)
        self._shape, self._scale = np.zeros(self.n), np.ones(self.n)

    def score(self, rows: Rows, times: Floats, values: Floats) -> Floats:
        """Return the rarity of each row's distance; 0 while it learns where peaks begin."""
        del times
        number = np.arange(self.n)[rows]
        ready = self._drifted[number] >= _DRIFT
        mean = np.where(ready, self._drift[number].sum(axis=1) / _DRIFT, values)
        off = np.abs(values - mean)
        excess = off - self._from[number]
        score = np.zeros(len(values))
        over = excess > 0
        if over.any():
            score[over] = self._rarity(number[over], excess[over])
        extreme = score > self.bound
        self._learn(number[ready & ~extreme], off[ready & ~extreme])
        calm = number[~extreme]
        self._drift[calm, self._drifted[calm] % _DRIFT] = values[~extreme]
        self._drifted[calm] += 1
        return score

    def _rarity(self, number: Ints, excess: Floats) -> Floats:
        shape, scale = self._shape[number], self._scale[number]
        # Where nothing was a peak yet, one in all that was seen is the most that is known.
        share = np.maximum(self._count[number], 1) / np.maximum(self._seen[number], 1)
        straight = excess / scale
        inner = np.maximum(1.0 + shape * straight, 1e-12)
        curved = np.log(inner) / np.where(shape == 0, 1.0, shape)
        tail = np.where(np.abs(shape) < 1e-6, straight, curved)
        return np.asarray((tail - np.log(np.minimum(share, 1.0))) / np.log(10.0))

    def _learn(self, number: Ints, off: Floats) -> None:
        fresh = self._seen[number] < self._learned[number]
        self._start[number[fresh], self._seen[number[fresh]]] = off[fresh]
        self._seen[number] += 1
        full = number[fresh & (self._seen[number] == self._learned[number])]
        for row in full.tolist():
            known = self._start[row, : self._learned[row]]
            self._from[row] = np.quantile(known, _QUANTILE)
            self._add(np.array([row]), known[known > self._from[row]][None, :] - self._from[row])
        peak = ~fresh & (off > self._from[number])
        if peak.any():
            self._add(number[peak], (off[peak] - self._from[number[peak]])[:, None])

    def _add(self, number: Ints, peaks: Floats) -> None:
        """Add peaks (rows, some) and fit the tails again by mean and variance."""
        for column in peaks.T:
            self._peaks[number, self._count[number] % _PEAKS] = column
            self._count[number] += 1
        kept = np.minimum(self._count[number], _PEAKS)
        held = np.arange(_PEAKS) < kept[:, None]
        total = np.maximum(kept, 1)
        mean = np.where(held, self._peaks[number], 0.0).sum(axis=1) / total
        square = np.where(held, (self._peaks[number] - mean[:, None]) ** 2, 0.0).sum(axis=1) / total
        ratio = mean * mean / np.maximum(square, 1e-300)
        self._shape[number] = np.clip(0.5 * (1.0 - ratio), -0.5, 0.49)
        self._scale[number] = np.maximum(mean * (1.0 - self._shape[number]), 1e-9)
