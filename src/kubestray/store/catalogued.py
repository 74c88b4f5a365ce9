"""Which series the catalog has, as far as this process knows: a hash table in arrays.

Every point that is written asks for its series. Here a batch asks at once, in a few array operations, and
a series takes some 60 bytes; as objects of Python that took ten times as much, and most of the time of
writing. Ids are hashes already, so their lowest bits are the place where the search for one begins.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kubestray.store.point_tables import HOUR_NS

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

MOST = 5_000_000
"""Series that are remembered; of more, those that were seen last stay: the others cost a row of the catalog
each when they come again, and nothing else."""

_SLOTS = 1 << 12
_LOAD = 0.6  # the part of the slots that is taken at the most; beyond it searches get long
_FREE = np.uint64(0)
_ZERO = np.uint64(
    0x9E3779B97F4A7C15
)  # stands for the id 0; that another series has this id is as likely as any


class Catalogued:
    """Series with a number of the caller's each, and what the catalog knows of their times (ns).

    Not safe to use from several threads. ``number`` i32 is by slot.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._count = 0
        self._make(_SLOTS)

    def __len__(self) -> int:
        return self._count

    def find(self, ids: U64) -> I64:
        """Return the slot of each of n series, -1 where it is not known."""
        keys = np.where(ids == _FREE, _ZERO, ids)
        at = (keys & self._mask).astype(np.int64)
        held = self._keys[at]
        found = np.where(held == keys, at, -1)
        going = np.flatnonzero((held != keys) & (held != _FREE))
        while len(going):
            at[going] = (at[going] + 1) & int(self._mask)
            held = self._keys[at[going]]
            hit = going[held == keys[going]]
            found[hit] = at[hit]
            going = going[(held != keys[going]) & (held != _FREE)]
        return found

    def note(self, ids: U64, numbers: npt.NDArray[np.int32], first: U64, last: U64) -> None:
        """Take note of n different series, known or not."""
        slots = self.find(ids)
        known = slots >= 0
        at = slots[known]
        self._first[at] = np.minimum(self._first[at], first[known])
        self._renewal[at] = np.maximum(self._renewal[at], _renewal(ids[known], last[known]))
        new = ~known
        if new.any():
            self._make_room(int(np.count_nonzero(new)))
            self._add(ids[new], numbers[new], first[new], _renewal(ids[new], last[new]))

    def due(self, slots: I64, time: U64) -> npt.NDArray[np.bool_]:
        """Tell which points (of known series) the catalog has to hear of.

        A first time that is earlier is told at once. The last time is renewed once an hour of event time;
        each series has a moment of its own for it, or all would be due at the full hour.
        """
        return np.asarray((time < self._first[slots]) | (time >= self._renewal[slots]), np.bool_)

    def _make(self, slots: int) -> None:
        self._mask = np.uint64(slots - 1)
        self._keys = np.zeros(slots, np.uint64)
        self.number = np.zeros(slots, np.int32)
        self._first = np.zeros(slots, np.uint64)
        self._renewal = np.zeros(slots, np.uint64)

    def _make_room(self, more: int) -> None:
        size = len(self._keys)
        if self._count + more <= min(_LOAD * size, self._most):
            return
        kept = np.flatnonzero(self._keys != _FREE)
        if self._count + more > self._most:
            gone = max(len(kept) - self._most // 2, 0)
            kept = kept[np.argsort(self._renewal[kept])[gone:]]
        while len(kept) + more > _LOAD * size:
            size *= 2
        columns = (self._keys[kept], self.number[kept], self._first[kept], self._renewal[kept])
        self._count = 0
        self._make(size)
        self._add(*columns)

    def _add(self, ids: U64, numbers: npt.NDArray[np.int32], first: U64, renewal: U64) -> None:
        """Put in series that are not there, each once; there is room."""
        keys = np.where(ids == _FREE, _ZERO, ids)
        at = (keys & self._mask).astype(np.int64)
        going = np.arange(len(keys))
        while len(going):
            free = going[self._keys[at[going]] == _FREE]
            self._keys[at[free]] = keys[free]
            # Of several that want one slot the last got it; the others see a taken one now.
            going = going[self._keys[at[going]] != keys[going]]
            at[going] = (at[going] + 1) & int(self._mask)
        self.number[at], self._first[at], self._renewal[at] = numbers, first, renewal
        self._count += len(keys)


def _renewal(ids: U64, last: U64) -> U64:
    """Return the time from which on a point of a series renews the last time in the catalog."""
    hour = np.uint64(HOUR_NS)
    own = (ids >> np.uint64(16)) % hour
    last = np.minimum(last, np.uint64(2**64 - 1 - 2 * HOUR_NS))  # beyond, a series is always due
    return np.asarray(((last + own) // hour + np.uint64(1)) * hour - own, np.uint64)
