"""Points of a family, in columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from kubestray.model.metric import Batch, Series
from kubestray.simulate.noise import F64, I64, U64, Bool
from kubestray.simulate.rhythm import DAY
from kubestray.simulate.series import NANOS, Family, Shape

MAX_POINTS: Final = 1_000_000
"""How many points a batch has at most."""
_SHORTEST_PAGE: Final = 600


@dataclass(frozen=True, slots=True)
class Page:
    """The values of some channels at some times: ``rows`` i64[r], the others [r, times]."""

    rows: I64
    values: F64
    present: Bool


class Table:
    """A family, restricted to some metrics, and its series."""

    def __init__(self, family: Family, window: int, metrics: Collection[str] | None = None) -> None:
        self.family = family
        self._window = window
        chosen = [metrics is None or channel.metric.name in metrics for channel in family.channels]
        self._rows = np.flatnonzero(np.array(chosen, dtype=bool))
        self.size = len(self._rows)
        shapes = [channel.metric.shape is Shape.DELTA for channel in family.channels]
        self._delta = np.array(shapes, dtype=bool).reshape(-1, 1)
        self._start = np.array([channel.start for channel in family.channels], dtype=np.uint64).reshape(-1, 1)
        self._ids = np.zeros(len(family.channels), dtype=np.uint64)
        self._series: dict[int, Series] = {}

    def alive(self, first: int, last: int) -> I64:
        """Return the rows that can have points between two times, both included."""
        born, died = self.family.born[self._rows], self.family.died[self._rows]
        return self._rows[(born <= last) & (died > first)]

    def page(self, rows: I64, seconds: I64) -> Page:
        """Return the values of ``rows`` at ``seconds``."""
        return Page(rows, self.family.values(rows, seconds), self.family.present(rows, seconds))

    def batches(self, seconds: I64) -> Iterator[Batch]:
        """Yield the points at ``seconds`` (of one day), some channels after the others."""
        rows = self.alive(int(seconds[0]), int(seconds[-1]))
        size = max(MAX_POINTS // len(seconds), 1)
        for first in range(0, len(rows), size):
            page = self.page(rows[first : first + size], seconds)
            if page.present.any():
                yield self._batch(page, seconds)

    def _batch(self, page: Page, seconds: I64) -> Batch:
        times = np.broadcast_to(seconds.astype(np.uint64) * np.uint64(NANOS), page.values.shape)
        ids = np.broadcast_to(self._named(page.rows)[:, None], page.values.shape)
        before = times - np.uint64(self._window * NANOS)
        start = np.where(self._delta[page.rows], before, self._start[page.rows] * np.uint64(NANOS))
        columns = (ids[page.present], times[page.present], start[page.present], page.values[page.present])
        present = page.rows[page.present.any(axis=1)]
        return Batch({int(self._ids[row]): self._series[row] for row in present.tolist()}, *columns)

    def _named(self, rows: I64) -> U64:
        for row in rows.tolist():
            if row not in self._series:
                series = self.family.channels[row].series()
                self._series[row] = series
                self._ids[row] = series.id
        return self._ids[rows]


def pages(start: int, end: int, step: int, channels: int) -> Iterator[I64]:
    """Yield the multiples of ``step`` in [start, end), in seconds, cut so that a page suits memory.

    A page stays within a day, and is no shorter than ten minutes unless a day or the range ends.
    """
    longest = max(_SHORTEST_PAGE, MAX_POINTS // max(channels, 1) * step)
    first = -(-start // step) * step
    while first < end:
        midnight = (first // DAY + 1) * DAY
        last = min(end, midnight, first + longest)
        yield np.arange(first, last, step)
        first = -(-last // step) * step
