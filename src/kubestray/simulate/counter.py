"""Cumulative counters whose value at any time is known without walking there.

Time is cut into days of 144 blocks of ten minutes, and a block into 60 ticks. The volume of a block is
its stream's `Streams.trend` at the middle of the block, a whole number; the ticks share it out in
proportion to `Streams.ripple`. So the value at a time is::

    volumes of the days since birth  +  blocks of this day  +  share of this block  −  the same at birth

The days are summed once and remembered (a day costs 144 evaluations a stream), a day's blocks are
remembered while they are in use, and only the blocks that are asked for are ever cut into ticks. All
sums are of whole numbers, so the order in which times are asked for cannot change a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kubestray.simulate.episode import TICK
from kubestray.simulate.noise import F64, I64
from kubestray.simulate.rhythm import DAY
from kubestray.simulate.stream import Stream, Streams

BLOCK: Final = 600
_TICKS: Final = BLOCK // TICK
_BLOCKS: Final = DAY // BLOCK
_DAYS_KEPT: Final = 3


@dataclass(frozen=True, slots=True)
class _Day:
    rows: I64
    """The counters that live on this day."""
    before: I64
    """What each counted from its first day up to this one, i64[rows]."""
    totals: I64
    """The running sum of block volumes from midnight, i64[rows, 145]."""


class Counters:
    """Counters of ``streams``, whose bases are units a second, each from birth to death (seconds)."""

    def __init__(self, streams: Sequence[Stream], born: I64, died: I64) -> None:
        self._streams = Streams(streams)
        self._born = born
        self._died = died
        self._first_day = int(born.min()) // DAY if len(born) else 0
        self._before: dict[int, I64] = {}
        self._days: dict[int, _Day] = {}
        self._at_birth = self._birth_values()

    def at(self, rows: I64, seconds: I64) -> I64:
        """Return the values of the counters ``rows`` (ascending) at ascending times, i64[rows, n].

        A value is meaningful from the counter's birth to its death only.
        """
        days = seconds // DAY
        cuts = np.flatnonzero(np.diff(days)) + 1
        parts = [self._on_day(rows, part) for part in np.split(seconds, cuts) if len(part)]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        values -= self._at_birth[rows, None]
        return np.maximum(values, 0, out=values)

    def _on_day(self, rows: I64, seconds: I64) -> I64:
        day = self._day(int(seconds[0]) // DAY)
        at = np.minimum(np.searchsorted(day.rows, rows), max(len(day.rows) - 1, 0))
        first, last = int(seconds[0]) // BLOCK, int(seconds[-1]) // BLOCK
        ticks = np.arange(first * BLOCK, (last + 1) * BLOCK, TICK)
        ripple = self._streams.take(rows).ripple(ticks).reshape(len(rows), -1, _TICKS)
        block = seconds // BLOCK
        share = _shares(ripple)[:, block - first, seconds % BLOCK // TICK]
        in_day = block % _BLOCKS
        totals = day.totals[at]
        start = np.take(totals, in_day, axis=1)
        share *= np.take(totals, in_day + 1, axis=1) - start
        return start + np.floor(share).astype(np.int64) + day.before[at, None]

    def _day(self, number: int) -> _Day:
        if number not in self._days:
            while len(self._days) >= _DAYS_KEPT:
                del self._days[min(self._days)]
            self._days[number] = self._make_day(number)
        return self._days[number]

    def _make_day(self, number: int) -> _Day:
        rows = self._alive(number)
        totals = self._block_totals(rows, number)
        before = self._sum_before(number)[rows]
        after = self._sum_before(number).copy()
        after[rows] += totals[:, -1]
        self._before.setdefault(number + 1, after)
        return _Day(rows, before, totals)

    def _sum_before(self, number: int) -> I64:
        """Return what every counter counted on the days before ``number``, i64[counters]."""
        if number <= self._first_day:
            return np.zeros(len(self._streams), dtype=np.int64)
        known = max((day for day in self._before if day <= number), default=self._first_day)
        total = self._before.get(known, np.zeros(len(self._streams), dtype=np.int64))
        for day in range(known, number):
            rows = self._alive(day)
            total = total.copy()
            total[rows] += self._block_totals(rows, day)[:, -1]
            self._before[day + 1] = total
        return total

    def _alive(self, number: int) -> I64:
        # A margin of one block, because a reading may reach back over midnight.
        begin, end = number * DAY - BLOCK, (number + 1) * DAY + BLOCK
        return np.flatnonzero((self._born < end) & (self._died > begin))

    def _block_totals(self, rows: I64, number: int) -> I64:
        middles = number * DAY + BLOCK // 2 + BLOCK * np.arange(_BLOCKS)
        volumes = np.rint(self._streams.take(rows).trend(middles) * BLOCK).astype(np.int64)
        totals = np.zeros((len(rows), _BLOCKS + 1), dtype=np.int64)
        np.cumsum(volumes, axis=1, out=totals[:, 1:])
        return totals

    def _birth_values(self) -> I64:
        """Return what each counter would have counted from the first day summed to its birth."""
        values = np.zeros(len(self._streams), dtype=np.int64)
        ticks = self._born[:, None] // BLOCK * BLOCK + TICK * np.arange(_TICKS)
        share = _shares(self._streams.ripple(ticks)[:, None, :])[:, 0]
        tick = self._born % BLOCK // TICK
        for number in np.unique(self._born // DAY).tolist():
            rows = np.flatnonzero(self._born // DAY == number)
            totals = self._block_totals(rows, number)
            block = self._born[rows] % DAY // BLOCK
            start = totals[np.arange(len(rows)), block]
            volume = totals[np.arange(len(rows)), block + 1] - start
            values[rows] = start + np.floor(share[rows, tick[rows]] * volume).astype(np.int64)
        # A birth just after midnight is within the margin of the day before, which then counts too.
        early = np.flatnonzero((self._born % DAY < BLOCK) & (self._born // DAY > self._first_day))
        for number in np.unique(self._born[early] // DAY - 1).tolist():
            rows = early[self._born[early] // DAY - 1 == number]
            values[rows] += self._block_totals(rows, number)[:, -1]
        return values


def _shares(ripple: F64) -> F64:
    """Return the part of each block that has passed before each tick, f64[rows, blocks, ticks]."""
    passed = np.cumsum(ripple, axis=2)
    shares = np.zeros_like(passed)
    np.divide(passed[:, :, :-1], passed[:, :, -1:], out=shares[:, :, 1:])
    return shares
