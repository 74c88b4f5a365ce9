"""Metrics as the store keeps them: a series, its points, and the columnar batch they travel in.

A *series* is a metric name, a kind and a set of attributes (resource and data-point attributes
together; where both have a name, the data point wins). A *point* is (series, time, start, value),
with the value exactly as received. Everything that arrives, from any protocol, becomes a `Batch`.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from kubestray.model.unread import SeriesOfBatch

Attributes = tuple[tuple[str, str], ...]
"""Attribute names and values, sorted by name; values are text, see `receive.otlp.attribute_text`."""

CLIMBING = ("_total", "_bucket", "_count", "_sum")
"""Ends of the names that Prometheus and its exporters give to counters and to parts of histograms."""


class Kind(StrEnum):
    """How a series' values add up over time (OpenTelemetry metric kind and temporality)."""

    GAUGE = "gauge"
    """A reading; also every non-monotonic sum."""
    DELTA = "delta"
    """A monotonic sum of delta temporality: each value is the increase since the last."""
    CUMULATIVE = "cumulative"
    """A monotonic sum of cumulative temporality: values climb, and fall only when a counter restarts."""


@dataclass(frozen=True, slots=True)
class Series:
    """One catalog entry. ``id`` is derived from the other fields, so every receiver gives the same."""

    id: int
    metric: str
    kind: Kind
    unit: str
    attributes: Attributes

    @classmethod
    def of(cls, metric: str, kind: Kind, unit: str, attributes: Mapping[str, str]) -> Series:
        """Make a series from its parts; the unit does not take part in its identity."""
        return Shared.of(attributes).series(metric, kind, unit, {})


@dataclass(frozen=True, slots=True)
class Shared:
    """Attributes that several series have, those of a resource: sorted and written for hashing, once."""

    names: list[str]
    pairs: list[tuple[str, str]]
    written: list[bytes]

    @classmethod
    def of(cls, attributes: Mapping[str, str]) -> Shared:
        """Sort and write down attributes."""
        pairs = sorted(attributes.items())
        return cls([name for name, _ in pairs], pairs, [_written(*pair) for pair in pairs])

    def series(self, metric: str, kind: Kind, unit: str, own: Mapping[str, str]) -> Series:
        """Make a series that has these attributes and its ``own``, which win where both have a name.

        The id is a cryptographic hash, because attribute values (a command line, say) are chosen by whoever
        runs the process: nobody must be able to craft a value that hides in another series.
        """
        pairs, written = self.pairs, self.written
        if own:
            names, pairs, written = self.names.copy(), pairs.copy(), written.copy()
            for name, value in own.items():
                at = bisect_left(names, name)
                end = at + (at < len(names) and names[at] == name)
                names[at:end] = (name,)
                pairs[at:end] = ((name, value),)
                written[at:end] = (_written(name, value),)
        digest = hashlib.blake2b(_written(metric, kind.value) + b"".join(written), digest_size=8)
        return Series(int.from_bytes(digest.digest(), "little"), metric, kind, unit, tuple(pairs))


def _written(name: str, value: str) -> bytes:
    """Return two texts so that no other two are written alike."""
    first, second = name.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass")
    return b"%b%b%b%b" % (len(first).to_bytes(4, "little"), first, len(second).to_bytes(4, "little"), second)


@dataclass(slots=True)
class Batch:
    """Points in columns, and the catalog entries of all series they belong to.

    ``series`` may be a `SeriesOfBatch`, which reads what it was not asked for yet: see `unread.series_of`.
    ``series_id`` u64[n]; ``time`` u64[n], nanoseconds since the epoch; ``start`` u64[n], the start of
    a sum's interval in nanoseconds, 0 if unknown; ``value`` f64[n], always finite.
    """

    series: Mapping[int, Series]
    series_id: npt.NDArray[np.uint64]
    time: npt.NDArray[np.uint64]
    start: npt.NDArray[np.uint64]
    value: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.value)

    @property
    def bytes(self) -> int:
        """About how much memory its points and the messages that it holds on to take."""
        unread = self.series.unread_bytes if isinstance(self.series, SeriesOfBatch) else 0
        return 32 * len(self) + unread

    @classmethod
    def empty(cls) -> Batch:
        """Return a batch of no points."""
        return BatchBuilder().build()

    @classmethod
    def concat(cls, batches: Iterable[Batch]) -> Batch:
        """Join batches into one, in order."""
        parts = list(batches)
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        return cls(
            _joined([part.series for part in parts]),
            np.concatenate([part.series_id for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.start for part in parts]),
            np.concatenate([part.value for part in parts]),
        )

    def where(self, keep: npt.NDArray[np.bool_]) -> Batch:
        """Return the points at which ``keep`` (bool[n]) is true, with just their series."""
        ids = self.series_id[keep]
        present = set(np.unique(ids).tolist())
        return Batch(
            _limited(self.series, present),
            ids,
            self.time[keep],
            self.start[keep],
            self.value[keep],
        )


def _limited(series: Mapping[int, Series], ids: set[int]) -> Mapping[int, Series]:
    if isinstance(series, SeriesOfBatch):
        return series.limited_to(ids)
    return {key: value for key, value in series.items() if key in ids}


def _joined(parts: list[Mapping[int, Series]]) -> Mapping[int, Series]:
    if any(isinstance(part, SeriesOfBatch) for part in parts):
        return SeriesOfBatch.union(parts)
    return {key: series for part in parts for key, series in part.items()}


@dataclass(slots=True)
class BatchBuilder:
    """Collects points one by one; `build` gives the columns."""

    series: dict[int, Series] = field(default_factory=dict)
    _ids: list[int] = field(default_factory=list)
    _times: list[int] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _values: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._values)

    def add(self, series: Series, time: int, start: int, value: float) -> None:
        """Append one point; ``value`` must be finite (the receiver rejects the others)."""
        self.series[series.id] = series
        self._ids.append(series.id)
        self._times.append(time)
        self._starts.append(start)
        self._values.append(value)

    def build(self) -> Batch:
        """Return the points added so far."""
        return Batch(
            dict(self.series),
            np.array(self._ids, dtype=np.uint64),
            np.array(self._times, dtype=np.uint64),
            np.array(self._starts, dtype=np.uint64),
            np.array(self._values, dtype=np.float64),
        )
