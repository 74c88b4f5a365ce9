"""How rare a distance is: a generalised Pareto tail learned from the largest distance of each ten minutes.

Maxima of blocks lie in a histogram of log bins whose weight halves in 30 days. From it come the point ``u``
that one block in ten exceeds and the index ``xi`` of the tail above it, both drawn to a prior that is worth
some blocks. Section 1b of the method in docs/decisions/0011-stray.md.

The metrics of one entity are alike: their distances are those of one noise and one step. So what is known
of a tail beforehand is told by the entity's other metrics, as far as they have seen more than the prior is
worth. No other entity has a say, so an entity is judged alike alone and in any fleet. Measured in
docs/decisions/0035-rare-hours.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubestray.baseline.arrays import Arrays, Floats, Ints, Rows

BLOCK = 600.0
"""Seconds of a block."""
HALF_LIFE = 30 * 86400.0
TAIL_SHARE = 0.1
PHASES = 6
PER_OCTAVE = 4
LOWEST_OCTAVE, HIGHEST_OCTAVE = -4, 16
BINS = PER_OCTAVE * (HIGHEST_OCTAVE - LOWEST_OCTAVE)
LN10, LN2 = np.log(10.0), np.log(2.0)

_EDGES = (LOWEST_OCTAVE + np.arange(BINS + 1) / PER_OCTAVE) * LN2
_MIDDLES = (_EDGES[:-1] + _EDGES[1:]) / 2
_REFRESH_FROM = 3
_WORTH = 0.3
"""What the prior is worth against the entity's other metrics, in shares of its blocks. Each of these is worth
as many blocks as the prior has at most: a metric that is known for weeks says no more of another.
"""
_CHUNK = 1 << 15


@dataclass(frozen=True, slots=True)
class Prior:
    """What a tail is before it has seen anything, and how many blocks that is worth."""

    ln_u: float
    ln_u_blocks: float
    xi: float
    xi_blocks: float
    decades: float
    """A maximum that is rarer than one in ten to this power is learned as if it were not."""


class Tails(Arrays):
    """The tails of ``copies`` streams of distances, given as logarithms, of each of ``n`` rows.

    Stream ``copy * n + row`` is that of a row; the streams of a row come in the same steps.
    """

    fields = (
        "ln_u", "xi", "slope", "per_decade", "cap", "peak", "counts", "block", "refreshed", "weight",
        "blocks", "phase",
    )  # fmt: skip
    rows_first = ("histogram",)

    def __init__(
        self,
        step: Floats,
        prior: Prior,
        copies: int = 1,
        phase: Ints | None = None,
        whose: Ints | None = None,
    ) -> None:
        """``phase`` (rows, 0 to 5) tells in which ten minutes of an hour a row is worked out anew, ``whose``
        (rows) by number which rows are of one entity; without it each row is of its own.
        """
        n = len(step) * copies
        self.copies = copies
        self.prior = prior
        self._rows = len(step)
        self._copies = np.arange(copies)[:, None] * len(step)
        self._whose = np.arange(len(step)) if whose is None else whose
        self.length = np.tile(np.maximum(BLOCK, step), copies)
        self.ln_u = np.full(n, prior.ln_u, dtype=np.float64)
        self.xi = np.full(n, prior.xi, dtype=np.float64)
        self.slope, self.per_decade, self.cap = np.empty(n), np.empty(n), np.empty(n)
        self._derive(slice(None), np.zeros(n))
        self.peak = np.full(n, -np.inf)
        self.counts = np.ones(n)  # for how much of a block the open one counts
        self.block = np.full(n, -1, dtype=np.int64)
        self.refreshed = np.zeros(n, dtype=np.int64)
        self.weight = np.ones(n)  # of a block that closes now: it grows, where old blocks would decay
        self.blocks = np.zeros(n)
        self.histogram = np.zeros((n, BINS), dtype=np.float32)
        # Rows refresh at different blocks of an hour: the work of an hour is spread over them.
        phase = np.arange(len(step)) if phase is None else phase
        self.phase = np.tile(phase % PHASES, copies)

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the arrays of a dump; where it is of fewer copies the last ones stay as they are. Raise
        `ValueError` if it is of other rows.
        """
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) > 1 or any(length % max(self._rows, 1) for length in lengths):
            raise ValueError(f"its tails are not of {self._rows} rows")
        for name, array in arrays.items():
            own = getattr(self, name)
            if len(array) > len(own):
                raise ValueError(f"{name} has more than {self.copies} copies of {self._rows} rows")
            own[: len(array)] = array.astype(own.dtype, casting="same_kind")

    def streams(self, rows: Rows) -> Rows:
        """Return the streams of rows, copy by copy."""
        return rows if isinstance(rows, slice) else (self._copies + rows).ravel()

    def close(self, rows: Rows, times: Floats) -> bool:
        """Learn from the blocks of rows that have ended by ``times``; True if any tail changed by it."""
        first = slice(self._rows) if isinstance(rows, slice) else rows
        block = (times // self.length[first]).astype(np.int64)
        ended = block != self.block[first]
        if not ended.any():
            return False
        copies = len(self._copies)
        at = (self._copies + np.arange(self._rows)[rows][ended]).ravel()
        self._end(at, np.tile(block[ended], copies))
        hour = ((np.tile(times[ended], copies) + self.phase[at] * BLOCK) // 3600).astype(np.int64)
        due = (self.blocks[at] >= _REFRESH_FROM) & (hour != self.refreshed[at])
        if not due.any():
            return False
        self.refreshed[at[due]] = hour[due]
        for portion in self._portions(at[due]):
            self.refresh(portion)
        return True

    def _portions(self, at: Ints) -> list[Ints]:
        """Return streams in portions of a size that a cache holds, all those of an entity in one."""
        whose = self._whose[at % self._rows]
        order = np.argsort(whose, kind="stable")
        starts = np.flatnonzero(np.diff(whose[order])) + 1
        first = np.searchsorted(starts, np.arange(_CHUNK, len(at), _CHUNK))
        return np.split(at[order], np.unique(starts[first[first < len(starts)]]))

    def _of_others(self, at: Ints, amount: Floats, weight: Floats, worth: float) -> Floats:
        """Return for each stream the sum of amounts over the same stream of the entity's other rows, for each
        weight and with ``worth`` of 0 beside them; exactly 0 where there is no other.
        """
        whose = self._whose[at % self._rows]
        group = whose * self.copies + at // self._rows
        amounts, weights = np.bincount(group, amount)[group], np.bincount(group, weight)[group]
        return np.asarray((amounts - amount) / (weights - weight + worth))

    def _end(self, at: Ints, block: Ints) -> None:
        """Learn from the open blocks of streams and begin others."""
        self.learn(at[self.peak[at] > -np.inf])
        self.weight[at] *= np.exp2(
            np.minimum(block - self.block[at], 1 << 20) * self.length[at] / HALF_LIFE
        ) * (self.block[at] >= 0) + (self.block[at] < 0)
        self._rescale(at)
        self.block[at] = block
        self.peak[at] = -np.inf

    def observe(self, rows: Rows, ln_z: Floats) -> None:
        """Take distances of the block that is open."""
        self.peak[rows] = np.maximum(self.peak[rows], ln_z)

    def discount(self, rows: Ints, share: Floats) -> None:
        """Have the open blocks of rows, in all their streams, count for a share of one each."""
        self.counts[self.streams(rows)] = np.tile(share, self.copies)

    def score(self, rows: Rows, z: Floats) -> Floats:
        """Return -log10 of how probable it is that a block exceeds these distances (not negative), 0 for 0.

        The Pareto survival starts at 0 and goes through ``u`` with the probability 0.1. Beyond ten times
        what the blocks can tell the score grows with its logarithm only.
        """
        s: Floats = np.log1p(z * self.slope[rows]) * self.per_decade[rows]
        cap = self.cap[rows]
        over = s > cap
        if over.any():
            bound = cap[over]
            s[over] = bound + 0.5 * np.log1p(s[over] - bound)
        return s

    def limit(self, rows: Rows) -> Floats:
        """Return the largest logarithm that is learned as it is."""
        return np.asarray(self.ln_u[rows] + self.xi[rows] * ((self.prior.decades - 1.0) * LN10))

    def effective_blocks(self, rows: Rows) -> Floats:
        """Return how many blocks a tail has seen, less what has decayed."""
        return np.asarray(self.histogram[rows].sum(axis=1) / self.weight[rows], dtype=np.float64)

    def learn(self, at: Ints) -> None:
        """Put the open maxima of some streams into their histograms."""
        learned = np.minimum(self.peak[at], self.limit(at))
        place = np.floor((learned / LN2 - LOWEST_OCTAVE) * PER_OCTAVE)
        place = np.clip(place, 0, BINS - 1).astype(np.int64)
        self.histogram[at, place] += (self.weight[at] * self.counts[at]).astype(np.float32)
        self.blocks[at] += 1.0
        self.counts[at] = 1.0

    def _rescale(self, at: Ints) -> None:
        heavy = at[self.weight[at] > 2.0**20]
        if len(heavy):
            self.histogram[heavy] /= self.weight[heavy][:, None].astype(np.float32)
            self.weight[heavy] = 1.0

    def refresh(self, at: Ints) -> None:
        """Work out the tails of some streams from their histograms, those of an entity together."""
        prior, weight = self.prior, self.weight[at]
        bins = self.histogram[at]
        below = np.cumsum(bins, axis=1)
        total = below[:, -1].astype(np.float64)
        wanted = (1.0 - TAIL_SHARE) * total
        place = np.minimum((below < wanted[:, None]).sum(axis=1), BINS - 1)
        index = np.arange(len(at))
        inside = bins[index, place].astype(np.float64)
        before = below[index, place] - inside
        part = np.clip((wanted - before) / np.maximum(inside, 1e-30), 0.0, 1.0)
        point = _EDGES[place] + part * (_EDGES[1] - _EDGES[0])
        blocks = total / weight
        told = np.minimum(blocks, prior.ln_u_blocks)
        usual = prior.ln_u + self._of_others(
            at, told * (point - prior.ln_u), told, _WORTH * prior.ln_u_blocks
        )
        ln_u = (blocks * point + prior.ln_u_blocks * usual) / (blocks + prior.ln_u_blocks)
        # Sums over the bins above u, from sums over all bins above each: no pass over (rows, bins) more.
        above = np.searchsorted(_MIDDLES, ln_u, side="right")
        start = np.maximum(above - 1, 0)
        count = np.where(above > 0, total - below[index, start], total)
        moment = np.cumsum(bins * _MIDDLES.astype(np.float32), axis=1, dtype=np.float64)
        excess = moment[:, -1] - np.where(above > 0, moment[index, start], 0.0) - count * ln_u
        excess, count = np.maximum(excess, 0.0) / weight, np.maximum(count, 0.0) / weight
        told = np.minimum(1.0, prior.xi_blocks / np.maximum(count, 1e-30))
        usual = prior.xi + self._of_others(
            at, told * (excess - prior.xi * count), told * count, _WORTH * prior.xi_blocks
        )
        self.ln_u[at] = ln_u
        self.xi[at] = (excess + prior.xi_blocks * usual) / (count + prior.xi_blocks)
        self._derive(at, blocks)

    def _derive(self, rows: Rows, blocks: Floats) -> None:
        xi = self.xi[rows]
        self.slope[rows] = (TAIL_SHARE**-xi - 1.0) * np.exp(-self.ln_u[rows])
        self.per_decade[rows] = 1.0 / (xi * LN10)
        self.cap[rows] = np.log10(blocks + self.prior.ln_u_blocks + 1.0) + 1.0
