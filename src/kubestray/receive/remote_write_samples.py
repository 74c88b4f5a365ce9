"""Samples and native histograms of remote write, whichever version they came in.

Samples stay the bytes they came as until all of a request are there, and become columns at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from math import isnan
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Kind, Series
from kubestray.receive.catalog import NO_RESOURCE, Limits, NewSeries, Reason, Rejected, series_bytes
from kubestray.receive.points import COUNT_UNIT, ID, Decoded, Gathering, Part
from kubestray.receive.remembered import Remembered
from kubestray.receive.remote_write_wire import wire

MILLISECOND = 10**6
_LATEST_MS = (2**64 - 1) // MILLISECOND

SAMPLE_BYTES = 16
"""Of a sample whose time takes six bytes of seven bits: all from 1971 to 2109."""

NO_VALUE_FIELD = b"\x09" + bytes(8)
"""The field of the value 0, which senders leave out: put before such a sample, it is like the others."""

_SAMPLE = np.dtype([("value_tag", "u1"), ("value", "<f8"), ("time_tag", "u1"), ("time", "u1", 6)])
_VARINT = np.arange(6) * 7

_GAUGE_HINT = 3
"""`Histogram.ResetHint.GAUGE`: the histogram's counts may fall."""


class Known(NamedTuple):
    """A series, and its id as `Gathering` wants it."""

    id: bytes
    series: Series

    @classmethod
    def of(cls, series: Series) -> Known:
        """Return a series as it is remembered."""
        return cls(ID.pack(series.id), series)


@dataclass(frozen=True, slots=True)
class LabelCache:
    """What is remembered of labels. It belongs to one set of `Limits`.

    ``series`` are by their labels: what 1.0 sent as bytes, or 2.0 as texts. ``ids`` are by bytes of 1.0
    alone; they take little memory, and a steady sender needs no more.
    """

    series: Remembered[Hashable, Known]
    ids: Remembered[bytes, bytes]

    def __len__(self) -> int:
        return len(self.series)

    def get(self, key: Hashable) -> Known | None:
        """Return the series of these labels."""
        return self.series.get(key)

    def put(self, key: Hashable, known: Known) -> None:
        """Remember a series, and its id alone if the labels are bytes."""
        self.series.put(key, known)
        if isinstance(key, bytes):
            self.ids.put(key, known.id)


def label_cache(max_entries: int = 4_000_000, max_bytes: int = 512 * 1024 * 1024) -> LabelCache:
    """Return an empty cache; a quarter of the bytes is for whole series."""
    return LabelCache(
        Remembered(_size, max_entries, max_bytes // 4),
        Remembered(lambda key, _id: 200 + len(key), max_entries, 3 * max_bytes // 4),
    )


def _size(key: Hashable, known: Known) -> int:
    # A key that is not bytes holds the texts of the labels once more.
    series = series_bytes(known.series)
    return 400 + series + (100 + len(key) if isinstance(key, bytes) else series)


@dataclass(slots=True)
class Written(Decoded):
    """What a request held; ``histograms`` of its data points, those without a value too, are native ones.

    ``exemplars`` are those of series that were accepted. They are looked at and not kept.
    """

    histograms: int = 0
    exemplars: int = 0

    @property
    def samples(self) -> int:
        """How many samples were accepted, those included that only say that a series has ended."""
        return self.data_points + self.no_value - self.histograms


@dataclass(slots=True)
class Samples:
    """The samples of one request while it is read; `finish` gives the answer."""

    gathering: Gathering
    limits: Limits
    cache: LabelCache
    new: NewSeries = field(init=False)
    ids: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """Encoded samples of `SAMPLE_BYTES`; see ``odd`` for others."""
    starts: list[int] = field(default_factory=list)
    """Start times in ms by sample; empty if no sample has one."""
    odd: dict[int, bytes] = field(default_factory=dict)
    """Encoded samples of other lengths, by their place."""
    histograms: int = 0
    exemplars: int = 0
    _in_histograms: set[int] = field(default_factory=set)
    """Series of stored histograms' parts."""

    def __post_init__(self) -> None:
        self.new = NewSeries(self.limits)

    def series(
        self, key: Hashable, metric: str, unit: str, kind: Kind, attributes: Mapping[str, str]
    ) -> Known:
        """Make a series and remember it; raises Rejected."""
        known = Known.of(self.new.make(metric, unit, kind, lambda: (NO_RESOURCE, attributes)))
        self.cache.put(key, known)
        return known

    def add(self, known: Known, encoded: bytes, start: int = 0) -> None:
        """Take one sample; ``start`` in ms."""
        if len(self.bodies) >= self.limits.max_data_points:
            raise MalformedRequest(f"more than {self.limits.max_data_points} samples")
        if start and not self.starts:
            self.starts = [0] * len(self.bodies)
        if self.starts or start:
            self.starts.append(start)
        if len(encoded) != SAMPLE_BYTES:
            self.odd[len(self.bodies)] = encoded
            encoded = bytes(SAMPLE_BYTES)
        self.ids.append(known.id)
        self.bodies.append(encoded)
        self.gathering.series[known.series.id] = known.series

    def add_histogram(self, key: Hashable, base: Series, encoded: bytes, start: int = 0) -> None:
        """Take a native histogram of the series ``base``: its count and its sum, as from OTLP."""
        self.gathering.expected += 1
        if self.gathering.expected > self.limits.max_data_points:
            raise MalformedRequest(f"more than {self.limits.max_data_points} histograms")
        histogram = wire().histogram.FromString(encoded)
        if isnan(histogram.sum):
            self.gathering.no_value += 1
            self.histograms += 1
            return
        try:
            self._add_parts(key, base, histogram, histogram.start_timestamp or start)
        except Rejected as rejected:
            self.gathering.rejected[rejected.reason] += 1

    def _add_parts(self, key: Hashable, base: Series, histogram: Any, start: int) -> None:
        kind = Kind.GAUGE if histogram.reset_hint == _GAUGE_HINT else Kind.CUMULATIVE
        which = histogram.WhichOneof("count")
        if which == "count_int" and not _is_count_of_buckets(histogram):
            raise Rejected(Reason.COUNT_OF_OTHER_BUCKETS)
        count = float(getattr(histogram, which)) if which else 0.0
        parts = (Part(".count", kind, count), Part(".sum", kind, histogram.sum))
        found = [self._part(key, base, part) for part in parts]
        time = histogram.timestamp * MILLISECOND
        self.gathering.check(time, [part.value for part in parts])
        if not 0 <= histogram.timestamp <= _LATEST_MS:
            raise Rejected(Reason.TOO_FAR_IN_FUTURE if time > 0 else Reason.OLDER_THAN_RETENTION)
        self.gathering.further_parts += len(parts) - 1
        self.histograms += 1
        for known, part in zip(found, parts, strict=True):
            self._in_histograms.add(known.series.id)
            self.gathering.add(known.series, time, _nanoseconds(start), part.value)

    def _part(self, key: Hashable, base: Series, part: Part) -> Known:
        part_key = (part.suffix, part.kind, key)
        unit = COUNT_UNIT if part.suffix == ".count" else base.unit
        return self.cache.get(part_key) or self.series(
            part_key, base.metric + part.suffix, unit, part.kind, dict(base.attributes)
        )

    def finish(self) -> Written:
        """Return everything read, with the points that may not be stored taken out."""
        self._to_columns()
        read = self.gathering.finish()
        counts = (self.histograms, self.exemplars)
        return Written(read.batch, read.data_points, read.no_value, read.rejected, *counts)

    def _to_columns(self) -> None:
        columns = np.frombuffer(b"".join(self.bodies), _SAMPLE)
        ms = ((columns["time"] & 0x7F).astype(np.int64) << _VARINT).sum(axis=1)
        value = columns["value"].copy()
        start = np.array(self.starts, np.int64) if self.starts else np.zeros(len(columns), np.int64)
        for place in np.flatnonzero(~_is_plain(columns)).tolist():
            sample = wire().sample.FromString(self.odd.get(place, self.bodies[place]))
            ms[place], value[place] = sample.timestamp, sample.value
            start[place] = sample.start_timestamp or start[place]
        self._keep(np.frombuffer(b"".join(self.ids), "<u8"), ms, start, value)

    def _keep(
        self,
        ids: npt.NDArray[np.uint64],
        ms: npt.NDArray[np.int64],
        start: npt.NDArray[np.int64],
        value: npt.NDArray[np.float64],
    ) -> None:
        gathering = self.gathering
        measured = ~np.isnan(value)
        gathering.no_value += int(np.count_nonzero(~measured))
        keep = measured & (ms >= 0) & (ms <= _LATEST_MS)
        for reason, outside in (
            (Reason.OLDER_THAN_RETENTION, measured & (ms < 0)),
            (Reason.TOO_FAR_IN_FUTURE, measured & (ms > _LATEST_MS)),
        ):
            if outside.any():
                gathering.rejected[reason] += int(np.count_nonzero(outside))
        known_start = np.clip(start[keep], 0, _LATEST_MS).astype(np.uint64) * np.uint64(MILLISECOND)
        time = ms[keep].astype(np.uint64) * np.uint64(MILLISECOND)
        gathering.add_columns(ids[keep], time, known_start, value[keep])
        if not keep.all():
            for lost in set(ids[~keep].tolist()).difference(ids[keep].tolist(), self._in_histograms):
                gathering.series.pop(lost, None)
            gathering.some_lost = True


def _is_count_of_buckets(histogram: Any) -> bool:
    """Tell whether the buckets of a native histogram of whole counts hold what it says it counted.

    A bucket is written as what it has more than the one before. Counts may be fractions, too; such are not
    compared, for they may differ by rounding.
    """
    sides = (histogram.negative_deltas, histogram.positive_deltas)
    buckets = [count for deltas in sides for count in accumulate(deltas)]
    held: int = histogram.zero_count_int + sum(buckets)
    return min(buckets, default=0) >= 0 and held == histogram.count_int


def _is_plain(columns: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell which samples are a value and a time of six bytes, and nothing else."""
    time = columns["time"]
    return np.asarray(
        (columns["value_tag"] == 0x09)
        & (columns["time_tag"] == 0x10)
        & (time[:, :5] >= 0x80).all(axis=1)
        & (time[:, 5] < 0x80),
        dtype=np.bool_,
    )


def _nanoseconds(ms: int) -> int:
    return min(max(ms, 0), _LATEST_MS) * MILLISECOND
