"""What happens every day at the same hour: how far metrics went in each hour of the last days.

A nightly job is rare in its hour, night after night, and whoever has heard of it twice knows it. So what
went as far at this time of day before, on as many of the last days as are asked for, need not be told again.
This is a matter of telling alone: what is learned, and how rare anything is, do not depend on it.
"""

from __future__ import annotations

import numpy as np

from kubestray.baseline.arrays import Arrays, Floats, Ints, Rows, Singles

HOUR = 3600.0
DAYS = 7
"""How many days are looked back at."""
_NEAR = np.array([-1, 0, 1])
"""What happens an hour sooner or later is at the same time, as where clocks were changed."""
_SLOTS = 24 * (DAYS + 1)
_SHARE = 0.8
"""From what is expected, it must have gone this share of as far."""
_LARGEST = float(np.finfo(np.float32).max)


class Familiar(Arrays):
    """For each row and side the farthest value of each of the last hours, -infinity where there was none.

    ``sides`` are 1 for the highest values and -1 for the lowest. ``clock`` is the latest hour that is there;
    an hour lies in the slot of its number, so a day's hours are told by the clock of the fleet.
    """

    fields = ("clock",)
    rows_first = ("farthest",)
    shared = ("clock",)

    def __init__(self, rows: int, sides: tuple[int, ...]) -> None:
        self.sides = sides
        self.clock = np.full(1, -1, dtype=np.int64)
        self.farthest: Singles = np.full((rows, len(sides), _SLOTS), -np.inf, dtype=np.float32)

    def advance(self, rows: Rows, times: Floats, values: Floats) -> None:
        """Take the values of a step; hours that are a week back make room for new ones."""
        hours = (times // HOUR).astype(np.int64)
        if not len(hours):
            return
        self._turn(int(hours.max()))
        at = np.arange(len(self.farthest))[rows]
        slots = hours % _SLOTS
        for place, side in enumerate(self.sides):
            far = np.clip(side * values, -_LARGEST, _LARGEST).astype(np.float32)
            self.farthest[at, place, slots] = np.maximum(self.farthest[at, place, slots], far)

    def _turn(self, hour: int) -> None:
        fresh = hour - int(self.clock[0])
        if fresh <= 0:
            return
        slots = np.arange(hour - min(fresh, _SLOTS) + 1, hour + 1) % _SLOTS
        self.farthest[:, :, slots] = -np.inf
        self.clock[0] = hour

    def days(self, rows: Ints, time: float, values: Floats, expected: Floats) -> Ints:
        """Return on how many of the last days each row went as far from what is expected, on the same side
        and at the same time of day; 0 where it went to a side that is not kept.
        """
        hour = int(time // HOUR)
        slots = (hour - 24 * np.arange(1, DAYS + 1)[:, None] + _NEAR) % _SLOTS
        found = np.zeros(len(rows), dtype=np.int64)
        for place, side in enumerate(self.sides):
            far = side * (values - expected)
            before = self.farthest[rows, place][:, slots].max(axis=2).astype(np.float64)
            went = before - (side * expected)[:, None] >= _SHARE * far[:, None]
            found = np.where(far > 0, went.sum(axis=1), found)
        return found

    def merge(self, other: Familiar) -> None:
        """Take what another state of the same rows knows of the same hours."""
        later = max(int(self.clock[0]), int(other.clock[0]))
        self._turn(later)
        # Of the other's hours, those that still have a slot.
        left = max(0, _SLOTS - (later - int(other.clock[0])))
        slots = (int(other.clock[0]) - np.arange(left)) % _SLOTS
        self.farthest[:, :, slots] = np.maximum(self.farthest[:, :, slots], other.farthest[:, :, slots])
