"""How restless a metric is at each height: what is high at noon is usually off by more at noon than at night.

A view has one variance for all hours. So what happens in quiet hours is hidden by what is usual in busy
ones, and busy hours give most of the false alarms. Here the logarithm of the distances is held against the
height at which the bin of the day expects the metric: a straight line, drawn to a level one. It hangs on
the expected height and not on the last values, so an incident does not widen what it is measured by. A
metric that rests most of the time has no restlessness that a line could tell: the line is believed as far
as the metric moves. Measured in docs/decisions/0033-heights-and-trust.md.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Arrays, Flags, Floats, Rows
from kubestray.baseline.residuals import DAY, VIEWS, rate

REACH = 2.0
"""Heights are told apart up to this many deviations from the mean of all hours."""
_LOCAL = slice(1, len(VIEWS))
"""The views but the global one, whose distances are what height is."""
_LEAST, _MOST = -3.0, 2.5
"""Logarithms of distances outside of these are learned as these: neither a rest nor an attack bends the
line.
"""
_LEVEL_POINTS = 90.0
"""How many points at one deviation of height the level line is worth."""
_STEEPEST = 1.5


class Heights(Arrays):
    """The line of ``n`` metrics, each with its step in seconds."""

    fields = ("points", "height", "usual", "spread", "together")

    def __init__(self, step: Floats) -> None:
        n = len(step)
        self.points = np.zeros(n)
        self.height, self.usual = np.zeros(n), np.zeros(n)
        self.spread, self.together = np.zeros(n), np.zeros(n)
        self._rate = rate(7 * DAY, step)

    def advance(self, rows: Rows, height: Floats, z: Floats, moving: Floats) -> Floats:
        """Return distances as they are at this height, and learn from them.

        ``height`` (rows) is that of what is expected, in deviations of all hours; NaN where nothing is known
        yet. ``z`` (views, rows) is in deviations, signed, ``moving`` (rows) the share of points that move.
        """
        wide = self.breadth(rows, height, moving)
        known = np.isfinite(height)
        if known.any():
            self._learn(rows, known, np.where(known, height, 0.0), z)
        away = z.copy()
        away[1:] /= wide
        return away

    def breadth(self, rows: Rows, height: Floats, moving: Floats) -> Floats:
        """Return how many times as far off as usual a metric is at a height; 1 where nothing is known."""
        points = np.minimum(self.points[rows], 1.0 / self._rate[rows])
        slope = self.together[rows] / (self.spread[rows] + _LEVEL_POINTS / np.maximum(points, 1.0))
        slope = np.clip(slope, -_STEEPEST, _STEEPEST) * moving
        return np.exp(slope * np.nan_to_num(np.clip(height, -REACH, REACH) - self.height[rows]))

    def _learn(self, rows: Rows, known: Flags, height: Floats, z: Floats) -> None:
        with np.errstate(divide="ignore"):
            off = np.clip(np.log(np.abs(z[_LOCAL])), _LEAST, _MOST).mean(axis=0)
        points = self.points[rows] + known
        share = known * np.maximum(self._rate[rows], 1.0 / np.maximum(points, 1.0))
        higher = np.clip(height, -REACH, REACH) - self.height[rows]
        more = off - self.usual[rows]
        self.points[rows] = points
        self.height[rows] += share * higher
        self.usual[rows] += share * more
        self.spread[rows] = (1.0 - share) * (self.spread[rows] + share * higher * higher)
        self.together[rows] = (1.0 - share) * (self.together[rows] + share * higher * more)
