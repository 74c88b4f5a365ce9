"""Slow rises: a metric that is higher than a week before, day after day.

Every view of a point adapts within days, so what grows by a few percent a day is never far from what was
expected. Here the mean of each day is compared with that of the same weekday of the week before: four days
in a row, each above by a tenth at least and by several times what weeks differed by before, are a ramp.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Arrays, Flags, Floats, Ints, Rows

DAY = 86400.0
WEEK = 7
DAYS = 4
LEAST_SHARE = 0.1
"""The least rise over the week before that is a ramp, as a share of it: smaller effects are nobody's
business.
"""

_FLOOR = 0.02
_HALF_LIFE_DAYS = 21.0
_REACH = 4.0
_FROM = 3
_BOUND, _PER_DECADE = 3.0, 1.5
"""How many usual differences a rise must be, and how many more for each tenfold of metrics an entity has."""
_QUIET = 7 * DAY
"""A ramp is told once a week: it is the same news every day."""


class Ramps(Arrays):
    """Daily means of ``n`` metrics, each with its step in seconds."""

    fields = ("day", "total", "count", "usual", "compared", "told")
    rows_first = ("means", "days", "rises", "bases")
    of_entities = ("told",)

    def __init__(self, step: Floats, entity: Ints, entities: int) -> None:
        n = len(step)
        self.entity = entity
        metrics = np.bincount(entity, minlength=entities)[entity] if n else np.zeros(0)
        self._bound = _BOUND + _PER_DECADE * np.log10(np.maximum(metrics, 1))
        self._full = 0.5 * DAY / step
        self.day = np.full(n, -1, dtype=np.int64)
        self.total, self.count = np.zeros(n), np.zeros(n)
        self.usual, self.compared = np.zeros(n), np.zeros(n)
        self.told = np.full(entities, -np.inf)
        self.means = np.zeros((n, WEEK))
        self.days = np.full((n, WEEK), -WEEK, dtype=np.int64)
        self.rises = np.zeros((n, DAYS + 1))
        self.bases = np.zeros((n, DAYS + 1))

    def advance(self, rows: Rows, times: Floats, values: Floats) -> Ints:
        """Take the points of a step, and return the entities that a day which ended now shows to be on a
        ramp.
        """
        day = (times // DAY).astype(np.int64)
        ended = day != self.day[rows]
        found = np.zeros(0, dtype=np.int64)
        if ended.any():
            at = np.arange(len(self.day))[rows][ended]
            whole = at[self.count[at] >= self._full[at]]
            rising = whole[self._close(whole)] if len(whole) else whole
            self.total[at] = self.count[at] = 0.0
            self.day[at] = day[ended]
            if len(rising):
                found = self._news(np.unique(self.entity[rising]), float(times.max()))
        self.total[rows] += values
        self.count[rows] += 1.0
        return found

    def _news(self, entities: Ints, now: float) -> Ints:
        fresh = entities[now - self.told[entities] >= _QUIET]
        self.told[fresh] = now
        return fresh

    def _close(self, at: Ints) -> Flags:
        """Compare the day that ends with that of the week before, and tell which metrics are on a ramp."""
        day, mean = self.day[at], self.total[at] / self.count[at]
        slot = day % WEEK
        base = self.means[at, slot]
        known = self.days[at, slot] == day - WEEK
        self.means[at, slot], self.days[at, slot] = mean, day
        # A day without its counterpart breaks the row of days.
        self.rises[at] = np.where(known[:, None], np.roll(self.rises[at], -1, axis=1), 0.0)
        self.bases[at] = np.where(known[:, None], np.roll(self.bases[at], -1, axis=1), 0.0)
        self.rises[at, -1] = np.where(known, mean - base, 0.0)
        self.bases[at, -1] = np.where(known, np.abs(base), 0.0)
        self._learn(at[known])
        rises, bases = self.rises[at, 1:], self.bases[at, 1:]
        scale = self.usual[at] + _FLOOR * bases.mean(axis=1) + 1e-12
        far = rises.min(axis=1) > self._bound[at] * scale
        much = (rises > LEAST_SHARE * bases).all(axis=1) & (bases > 0).all(axis=1)
        return np.asarray(known & far & much & (self.compared[at] >= _FROM + DAYS))

    def _learn(self, at: Ints) -> None:
        """Learn how much weeks differ from a difference that is old enough not to be part of the row of
        days.
        """
        self.compared[at] += 1.0
        at = at[self.compared[at] > DAYS]
        seen = self.compared[at] - DAYS
        usual = self.usual[at]
        size = np.abs(self.rises[at, 0])
        clipped = np.where((seen > _REACH) & (usual > 0), np.minimum(size, _REACH * usual), size)
        share = np.maximum(1.0 - 2.0 ** (-1.0 / _HALF_LIFE_DAYS), 1.0 / seen)
        self.usual[at] = usual + share * (clipped - usual)
