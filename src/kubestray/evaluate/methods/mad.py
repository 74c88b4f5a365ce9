"""`mad`: distance from the median of a day, in median absolute deviations with a floor.

The median is that of the 144 means of ten minutes before the current one. Without the floor the rule
collapses on series that mostly stand still, where the median absolute deviation is 0.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Floats, Ints, Rows
from kubestray.evaluate.methods.base import ByMetric, Fleet

_BLOCK, _BLOCKS = 600.0, 144
_NORMAL = 1.4826
"""Median absolute deviations in a standard deviation of normal data."""


class Mad(ByMetric):
    """Median and median absolute deviation of a day."""

    bound = 5.0

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self._ring = np.full((self.n, _BLOCKS), np.nan)
        self._total, self._count = np.zeros(self.n), np.zeros(self.n)
        self._block = np.full(self.n, -1, dtype=np.int64)
        self._closed = np.zeros(self.n, dtype=np.int64)
        self._median, self._spread = np.zeros(self.n), np.full(self.n, np.inf)

    def score(self, rows: Rows, times: Floats, values: Floats) -> Floats:
        """Return the distance in standard deviations; 0 in the first hour."""
        number = np.arange(self.n)[rows]
        block = (times // _BLOCK).astype(np.int64)
        ended = (block != self._block[number]) & (self._count[number] > 0)
        if ended.any():
            self._close(number[ended])
        self._block[number] = block
        self._total[number] += values
        self._count[number] += 1
        return np.asarray(np.abs(values - self._median[number]) / self._spread[number])

    def _close(self, number: Ints) -> None:
        self._ring[number, self._closed[number] % _BLOCKS] = self._total[number] / self._count[number]
        self._closed[number] += 1
        self._total[number] = self._count[number] = 0.0
        number = number[self._closed[number] >= 6]
        if not len(number):
            return
        ring = self._ring[number]
        median = np.nanmedian(ring, axis=1)
        deviation = np.nanmedian(np.abs(ring - median[:, None]), axis=1)
        floor = np.maximum(0.1 * np.nanstd(ring, axis=1), 1e-3 * np.abs(median) + 1e-9)
        self._median[number] = median
        self._spread[number] = np.maximum(_NORMAL * deviation, floor)
