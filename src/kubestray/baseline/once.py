"""What was seen once: a score that the one before did not come near to counts for less.

What is far off for a single point and back in the next is mostly nobody's doing: a collection of garbage, a
flush, a burst of one user. Faults and attacks take longer. So a score counts for less as long as the step
before did not reach it; a large one is an alarm at once all the same, a small one when the next step says
the same. Where many metrics of an entity are off together a single step is no accident, and less is taken.
Measured in docs/decisions/0044-seen-once.md.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Arrays, Floats, Ints, Rows

ONCE = 1.2
"""So much less a score of one metric counts that the step before did not reach."""
_LONGEST = 600.0
"""Steps that are longer than that, in seconds, are of many points each: of their scores less is taken."""
_BEFORE = 2.5
"""In so many steps the one before has to be."""


class Once(Arrays):
    """The last score of each entity, and when it was; ``step`` (entities) is in seconds."""

    fields = ("score", "time")

    def __init__(self, step: Floats) -> None:
        self.score = np.full(len(step), -np.inf)
        self.time = np.full(len(step), -np.inf)
        self._most = ONCE * np.minimum(1.0, _LONGEST / step)
        self._within = _BEFORE * step

    def advance(self, rows: Rows, times: Floats, score: Floats, metrics: Floats) -> Floats:
        """Take the scores of a step, and return how much of each does not count.

        ``metrics`` (entities of the step) is in how many metrics an entity is off, see `off_together`.
        """
        known = times - self.time[rows] <= self._within[rows]
        before = np.where(known, self.score[rows], -np.inf)
        self.score[rows], self.time[rows] = score, times
        return np.minimum(np.maximum(score - before, 0.0), self._most[rows] / np.sqrt(metrics))


def off_together(whose: Ints, metrics: Floats, entities: int) -> Floats:
    """Return for each entity in how many of its metrics it is off: 1 if all of what is rare is in one, all of
    them if they are as rare. ``whose`` and ``metrics``, their rarity, are by row.
    """
    rarity = np.maximum(metrics, 0.0)
    total = np.bincount(whose, weights=rarity, minlength=entities)
    squares = np.bincount(whose, weights=rarity * rarity, minlength=entities)
    return np.maximum(1.0, total * total / np.maximum(squares, np.finfo(np.float64).tiny))
