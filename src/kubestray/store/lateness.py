"""Which hours points came late to: what makes a summary of such an hour out of date.

An hour is *open* until some minutes after its end; points for an open hour need no notice, because it is
summarised later. Points for any other hour are noticed in the table ``touched`` before they are written
and again after, before anybody hears of success. So a search that sees an acknowledged late point also
sees that the summary of its hour lacks it, whatever dies in between.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kubestray.model.metric import Batch, Kind
from kubestray.model.unread import series_of
from kubestray.store.point_tables import HOUR_NS, MONTH

OPEN_NS = 5 * 60 * 10**9
"""How long after its end an hour takes points without notice."""

SETTLED_NS = 2 * OPEN_NS
"""How long after its end an hour is summarised: what was on time is written by then, or noticed."""

Touched = list[tuple[int, str]]
"""Hours since the epoch, each with a metric."""


def late(batch: Batch, clock: int) -> Touched:
    """Return the hours and metrics whose summaries miss a point of the batch at this time of the clock (ns).

    A counter's next increase starts at the point before it, up to an hour later: so the hour after one
    that a counter's point came late to is touched too.
    """
    open_from = max(0, clock - OPEN_NS) // HOUR_NS
    if not len(batch) or int(batch.time.min()) // HOUR_NS >= open_from:
        return []
    hours = batch.time // np.uint64(HOUR_NS)
    # Points of a series mostly follow each other: what repeats the point before is left out first.
    new = np.ones(len(batch), dtype=np.bool_)
    new[1:] = (batch.series_id[1:] != batch.series_id[:-1]) | (hours[1:] != hours[:-1])
    new &= hours < np.uint64(open_from)
    touched: set[tuple[int, str]] = set()
    known = series_of(batch.series, set(batch.series_id[new].tolist()))
    for identity, hour in zip(batch.series_id[new].tolist(), hours[new].tolist(), strict=True):
        series = known[identity]
        touched.add((hour, series.metric))
        if series.kind is Kind.CUMULATIVE:
            touched.add((hour + 1, series.metric))
    return sorted(touched)


def by_months(touched: Touched, most: int) -> Iterator[Touched]:
    """Cut what is in order of hours into parts that are in at most so many partitions of the table."""
    for start in range(0, len(months := sorted({hour // MONTH for hour, _ in touched})), most):
        first, last = months[start], months[min(start + most, len(months)) - 1]
        yield [one for one in touched if first <= one[0] // MONTH <= last]


def rows(touched: Touched, written: int) -> pa.Table:
    """Return the rows that notice these."""
    return pa.table(
        {
            "hour": pa.array([hour for hour, _ in touched], pa.uint32()),
            "metric": pa.array([metric for _, metric in touched], pa.string()),
            "written": pa.array([written] * len(touched), pa.uint64()),
        }
    )


def _hours(time: npt.NDArray[np.uint64]) -> list[int]:
    """Return the hours that times lie in."""
    first, last = int(time.min()) // HOUR_NS, int(time.max()) // HOUR_NS
    if last - first < 2:  # quicker than looking at each: both ends are times
        return sorted({first, last})
    hours: list[int] = np.unique(time // np.uint64(HOUR_NS)).tolist()
    return hours


class Writing:
    """The hours that points are being written to at this moment. Safe to use from several threads."""

    def __init__(self) -> None:
        self._hours: Counter[int] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def to(self, batch: Batch) -> Iterator[None]:
        """Hold the hours of a batch while it is written."""
        hours = _hours(batch.time)
        with self._lock:
            self._hours.update(hours)
        try:
            yield
        finally:
            with self._lock:
                self._hours.subtract(hours)
                self._hours = +self._hours

    def hours(self) -> frozenset[int]:
        """Return the hours that are written to now."""
        with self._lock:
            return frozenset(self._hours)
