"""`adaptive_bands`: bands around an average, as recording rules of Prometheus give them.

After Grafana's promql-anomaly-detection, "adaptive" strategy: the middle is the average of the hourly
averages of 26 hours; the width is twice the average hourly standard deviation of those hours, and at least
a share of the middle.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Floats, Ints, Rows
from kubestray.evaluate.methods.base import ByMetric, Fleet

_HOURS = 26
_DEVIATIONS = 2.0
_LEAST_SHARE = 0.05


class AdaptiveBands(ByMetric):
    """The score is the distance from the middle in half widths of the band: above 1 is outside."""

    bound = 1.0

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self._means, self._spreads = np.full((self.n, _HOURS), np.nan), np.full((self.n, _HOURS), np.nan)
        self._hour = np.full(self.n, -1, dtype=np.int64)
        self._count, self._mean, self._squares = np.zeros(self.n), np.zeros(self.n), np.zeros(self.n)
        self._middle, self._half = np.zeros(self.n), np.full(self.n, np.inf)
        self._closed = np.zeros(self.n, dtype=np.int64)

    def score(self, rows: Rows, times: Floats, values: Floats) -> Floats:
        """Return the distance in half widths; 0 in the first hour."""
        number = np.arange(self.n)[rows]
        hour = (times // 3600).astype(np.int64)
        ended = (hour != self._hour[number]) & (self._count[number] > 0)
        if ended.any():
            self._close(number[ended])
        self._hour[number] = hour
        count = self._count[number] + 1
        off = values - self._mean[number]
        mean = self._mean[number] + off / count
        self._squares[number] += off * (values - mean)
        self._count[number], self._mean[number] = count, mean
        return np.asarray(np.abs(values - self._middle[number]) / self._half[number])

    def _close(self, number: Ints) -> None:
        slot = self._closed[number] % _HOURS
        self._means[number, slot] = self._mean[number]
        self._spreads[number, slot] = np.sqrt(self._squares[number] / self._count[number])
        self._closed[number] += 1
        self._count[number] = self._mean[number] = self._squares[number] = 0.0
        middle = np.nanmean(self._means[number], axis=1)
        width = _DEVIATIONS * np.nanmean(self._spreads[number], axis=1)
        self._middle[number] = middle
        self._half[number] = np.maximum(width, _LEAST_SHARE * np.abs(middle) + 1e-9)
