"""Volumes that move once: a nightly backup, a theft.

An episode is a fixed list of volumes, one per tick, so its value at any time is a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from kubestray.simulate import noise
from kubestray.simulate.noise import I64

TICK: Final = 10
"""Seconds in which a counter's value does not change; what cAdvisor and the kernel agents refresh in."""
_LINE: Final = 2.2


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """Volumes from ``begin`` (seconds since the epoch, a multiple of `TICK`), one per tick."""

    begin: int
    totals: I64
    """The sum before each tick, and the whole sum last: i64[ticks + 1]."""

    @property
    def end(self) -> int:
        """The second after the last tick."""
        return self.begin + TICK * (len(self.totals) - 1)

    @property
    def mean(self) -> float:
        """The volume of a tick on average."""
        return float(self.totals[-1]) / (len(self.totals) - 1)

    def until(self, seconds: I64) -> I64:
        """Return the volume that has moved before each time, i64[n]."""
        tick = np.clip((seconds - self.begin) // TICK, 0, len(self.totals) - 1)
        return self.totals[tick]

    def by(self, second: int) -> int:
        """Return the volume that has moved before one time."""
        return int(self.until(np.array([second]))[0])

    def within(self, seconds: I64, window: int) -> I64:
        """Return the volume that moved in the ``window`` seconds before each time, i64[n]."""
        return self.until(seconds) - self.until(seconds - window)

    def scaled(self, factor: float) -> Episode:
        """Return an episode of the same shape: what else moves when this moves."""
        return Episode(self.begin, np.floor(self.totals * factor).astype(np.int64))


def transfer(key: int, begin: int, end: int, volume: float, *, pauses: float = 0.12) -> Episode:
    """Return a transfer of about ``volume`` a tick, as a program sends files one after the other.

    The speed wanders over minutes and jumps from tick to tick up to what the line takes, it takes a
    minute to get going, and it stands nearly still for about the share ``pauses`` of the time, while the
    next file is prepared.
    """
    begin -= begin % TICK
    seconds = np.arange(begin, max(end, begin + TICK), TICK)
    column = noise.keys([key])
    log = 0.40 * noise.smooth(noise.derive(column, "speed"), seconds, 240)
    log += 0.35 * noise.normal_of(noise.bits(column, seconds))
    waiting = noise.smooth(noise.derive(column, "pause"), seconds, 70) < _quantile(pauses)
    level = np.minimum(np.exp(log[0]), _LINE) * np.where(waiting[0], 0.015, 1.0)
    level *= np.minimum((seconds - begin + TICK) / 60.0, 1.0)
    moved = np.floor(volume * level).astype(np.int64)
    return Episode(begin, np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(moved)]))


def steady(begin: int, end: int, volume: float) -> Episode:
    """Return the same volume in every tick, such as a program that keeps its cores busy."""
    begin -= begin % TICK
    ticks = max((end - begin) // TICK, 1)
    return Episode(begin, np.floor(np.arange(ticks + 1) * volume).astype(np.int64))


def pulses(key: int, begin: int, end: int, period: int, volume: float, *, jitter: float = 0.0) -> Episode:
    """Return about ``volume`` every ``period`` seconds, each time in one tick.

    ``jitter`` is how far beats are off, as a share of the period.
    """
    begin -= begin % TICK
    count = max((end - begin) // TICK, 1)
    beats = np.arange(begin, end, period)
    drawn = noise.bits(noise.keys([key]), beats)[0]
    late = jitter * period * (noise.uniform_of(drawn) - 0.5)
    tick = np.clip((beats + late - begin) // TICK, 0, count - 1).astype(np.int64)
    moved = np.zeros(count + 1, dtype=np.int64)
    np.add.at(
        moved, tick + 1, np.maximum(volume * (1.0 + 0.03 * noise.normal_of(drawn)), 1.0).astype(np.int64)
    )
    return Episode(begin, np.cumsum(moved))


def _quantile(share: float) -> float:
    return float(np.quantile(_REFERENCE, share)) if share > 0 else -np.inf


_REFERENCE = noise.normal_of(np.arange(2**14, dtype=np.uint64) << np.uint64(50))
