"""A stream: one quantity that goes up and down, such as the bytes of an edge or the CPU of a process.

The level of a stream at a time is::

    base × rhythm(hour of week) × exp(noise at five time scales) × (1 + bursts)

The scales, from three days to one point, make levels autocorrelated over hours as well as minutes,
which independent noise is not; bursts begin at random, have Pareto heights, and decay over minutes.
Both are what makes simple limits on such data raise false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kubestray.simulate import noise, rhythm
from kubestray.simulate.noise import F64, I64, U64

# Period in seconds and share of the standard deviation; the squares, with the point's, add to one.
SLOW = ((259_200, 0.30), (21_600, 0.35), (2_400, 0.45))
FAST = ((300, 0.50),)
POINT = 0.58

BURST_SLOT = 1_800
BURST_SHORTEST = 60
BURST_TAIL = 1.5
BURST_HIGHEST = 40.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream's parameters.

    ``base`` is its level in its own unit; ``swing`` scales the rhythm (0: flat, 1: as tabled);
    ``spread`` is the standard deviation of the noise on the log scale; ``burst`` is the chance of a
    burst in any half hour.
    """

    key: int
    base: float
    rhythm: str = "steady"
    swing: float = 1.0
    spread: float = 0.5
    burst: float = 0.01


class Streams:
    """Many streams as columns, evaluated together."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.keys = noise.keys([stream.key for stream in streams])
        self.base = _column([stream.base for stream in streams])
        self.rhythm = np.array([rhythm.RHYTHMS.index(stream.rhythm) for stream in streams], dtype=np.int64)
        self.swing = _column([stream.swing for stream in streams])
        self.spread = _column([stream.spread for stream in streams])
        self.burst = _column([stream.burst for stream in streams])

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: I64) -> Streams:
        """Return the streams at ``rows``."""
        part = object.__new__(Streams)
        part.keys, part.base, part.rhythm = self.keys[rows], self.base[rows], self.rhythm[rows]
        part.swing, part.spread, part.burst = self.swing[rows], self.spread[rows], self.burst[rows]
        return part

    def level(self, seconds: I64) -> F64:
        """Return the level at ascending times, f64[streams, n]."""
        log = self._slow(seconds)
        log += self._fast(seconds)
        return self._from_log(log, seconds)

    def trend(self, seconds: I64) -> F64:
        """Return the level without the noise that is faster than ten minutes."""
        return self._from_log(self._slow(seconds), seconds)

    def ripple(self, seconds: I64) -> F64:
        """Return the fast noise alone, as a positive factor: `level` is `trend` times this."""
        return np.exp(self._fast(seconds))

    def _slow(self, seconds: I64) -> F64:
        log = np.take(rhythm.log_level(seconds), self.rhythm, axis=0)
        log *= self.swing
        for period, share in SLOW:
            log += noise.smooth(noise.derive(self.keys, f"every {period} s"), seconds, period) * (
                self.spread * share
            )
        return log

    def _fast(self, seconds: I64) -> F64:
        log = noise.normal_of(noise.bits(self.keys, seconds))
        log *= self.spread * POINT
        for period, share in FAST:
            log += noise.smooth(noise.derive(self.keys, f"every {period} s"), seconds, period) * (
                self.spread * share
            )
        return log

    def _from_log(self, log: F64, seconds: I64) -> F64:
        np.exp(log, out=log)
        log *= self.base
        log *= bursts(self.keys, self.burst, seconds)
        return log


def _column(values: Sequence[float]) -> F64:
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def bursts(keys: U64, probability: F64, seconds: I64) -> F64:
    """Return the factor 1 + bursts, f64[streams, n], at ascending times."""
    factor = np.ones((len(keys), len(seconds)))
    slots = np.arange(seconds[0] // BURST_SLOT - 1, seconds[-1] // BURST_SLOT + 1)
    drawn = noise.uniform_of(noise.bits(noise.derive(keys, "burst"), slots))
    row, slot = np.nonzero(drawn < probability)
    if len(row):
        _add_bursts(factor, row, keys[row, 0], slots[slot], seconds)
    return factor


def _add_bursts(factor: F64, row: I64, keys: U64, slot: I64, seconds: I64) -> None:
    def draw(purpose: str) -> F64:
        return noise.uniform_of(noise.bits(noise.derive(keys, purpose), slot))

    begin = slot * BURST_SLOT + draw("begin") * BURST_SLOT
    length = BURST_SHORTEST + draw("length") ** 2 * (BURST_SLOT - BURST_SHORTEST)
    height = np.minimum((1.0 - draw("height")) ** (-1.0 / BURST_TAIL), BURST_HIGHEST)
    first = np.searchsorted(seconds, begin)
    count = np.searchsorted(seconds, begin + length) - first
    event = np.repeat(np.arange(len(row)), count)
    column = np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count) + first[event]
    fade = np.exp(-2.0 * (seconds[column] - begin[event]) / length[event])
    # At most two bursts of a stream overlap, so the order of the additions cannot change the sum.
    np.add.at(factor, (row[event], column), height[event] * fade)
