"""`published`: the rule of the published story, a value above mean + 3 sd of 30 days in more than 5 points
of an hour.

The mean and the standard deviation are those of the 720 hours before the current one, as a scheduled baseline
search gives them. The score is the sixth highest number of standard deviations in the last hour, so a score
above 3 is the rule, and other thresholds are the same rule with another number than 3.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Floats, Ints, Rows
from kubestray.evaluate.methods.base import ByMetric, Fleet

_HOURS = 720
_HITS = 6


class Published(ByMetric):
    """The published rule."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self._ring = np.zeros((self.n, _HOURS, 3))
        self._open = np.zeros((self.n, 3))
        self._hour = np.full(self.n, -1, dtype=np.int64)
        self._origin = np.zeros(self.n)  # sums of squares around it do not lose their digits
        self._mean, self._spread = np.zeros(self.n), np.full(self.n, np.inf)
        slots = max(_HITS, int(3600 // fleet.step.min()))
        self._recent = np.full((self.n, slots), -np.inf)
        self._times = np.full((self.n, slots), -np.inf)
        self._slot = np.zeros(self.n, dtype=np.int64)

    def score(self, rows: Rows, times: Floats, values: Floats) -> Floats:
        """Return the sixth highest deviation of the last hour, upwards only."""
        number = np.arange(self.n)[rows]
        hour = (times // 3600).astype(np.int64)
        changed = hour != self._hour[number]
        if changed.any():
            self._close(number[changed], hour[changed], values[changed])
        moved = values - self._origin[number]
        self._open[number] += np.stack([np.ones(len(moved)), moved, moved * moved], axis=1)
        deviation = (moved - self._mean[number]) / self._spread[number]
        slot = self._slot[number]
        self._recent[number, slot], self._times[number, slot] = deviation, times
        self._slot[number] = (slot + 1) % self._recent.shape[1]
        recent = np.where(self._times[number] > times[:, None] - 3600, self._recent[number], -np.inf)
        sixth = np.partition(recent, -_HITS, axis=1)[:, -_HITS]
        return np.asarray(np.maximum(sixth, -1e3))

    def _close(self, number: Ints, hour: Ints, values: Floats) -> None:
        first = self._hour[number] < 0
        self._origin[number[first]] = values[first]
        old = self._hour[number]
        gone = np.where(first, _HOURS, np.minimum(hour - old, _HOURS))
        self._ring[number, old % _HOURS] = self._open[number]
        for one in np.flatnonzero(gone > 1):  # hours without points, which are rare
            for empty in range(1, int(gone[one])):
                self._ring[number[one], (hour[one] - empty) % _HOURS] = 0.0
        self._open[number] = 0.0
        self._ring[number, hour % _HOURS] = 0.0
        self._hour[number] = hour
        count, total, squares = self._ring[number].sum(axis=1).T
        count = np.maximum(count, 1.0)
        mean = total / count
        spread = np.sqrt(np.maximum(squares / count - mean * mean, 0.0))
        self._mean[number] = mean
        self._spread[number] = np.where(spread > 0, spread, np.inf)
