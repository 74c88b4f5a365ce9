"""`ewma`: distance from an average that forgets half in an hour, in standard deviations that forget half in
a day.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Floats, Rows
from kubestray.baseline.residuals import rate
from kubestray.evaluate.methods.base import ByMetric, Fleet


class Ewma(ByMetric):
    """An exponentially weighted control chart, on both sides."""

    bound = 5.0

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self._count, self._mean, self._variance = np.zeros(self.n), np.zeros(self.n), np.zeros(self.n)
        self._fast, self._slow = rate(3600.0, fleet.step), rate(86400.0, fleet.step)

    def score(self, rows: Rows, times: Floats, values: Floats) -> Floats:
        """Return the distance in standard deviations; 0 for the first ten points."""
        del times
        count = self._count[rows] + 1
        self._count[rows] = count
        mean, variance = self._mean[rows], self._variance[rows]
        missed = np.where(count > 1, values - mean, 0.0)
        spread = np.sqrt(variance) + 1e-3 * np.abs(mean) + 1e-9
        fast = np.where(count > 1, np.maximum(self._fast[rows], 1 / count), 0.0)
        slow = np.maximum(self._slow[rows], 1 / count)
        self._variance[rows] = (1 - slow) * variance + slow * missed * missed
        self._mean[rows] = np.where(count > 1, mean + fast * missed, values)
        return np.where(count > 10, np.abs(missed) / spread, 0.0)
