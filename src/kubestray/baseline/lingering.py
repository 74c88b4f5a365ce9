"""Scores that do not fall at once: an incident that begins with a spike is still one in its next minutes.

A score is at least the mean of the last five minutes, or of five steps if these are less (of e^(score/2), so
that the highest count). It is for ranking; what is an alarm is decided before. Measured in
docs/decisions/0048-first-hours.md.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Arrays, Floats, Rows
from kubestray.baseline.residuals import rate

_SECONDS, _STEPS = 300.0, 5.0
_HIGHEST = 100.0


class Lingering(Arrays):
    """The mean of each entity's last scores; ``step`` (entities) is in seconds."""

    fields = ("size",)

    def __init__(self, step: Floats) -> None:
        self.size = np.zeros(len(step))
        self._rate = np.minimum(0.5, rate(np.minimum(_SECONDS, _STEPS * step), step))

    def advance(self, rows: Rows, score: Floats) -> Floats:
        """Take the scores of the moment and return those that linger."""
        size = self.size[rows]
        size = size + self._rate[rows] * (np.exp(np.minimum(score, _HIGHEST) / 2.0) - size)
        self.size[rows] = size
        return np.asarray(np.maximum(score, 2.0 * np.log(size)))
