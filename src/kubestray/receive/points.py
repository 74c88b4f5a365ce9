"""What an OTLP data point means here, whichever encoding it came in.

The decoders of protobuf and of JSON only find the parts of a message; kinds, the series that a
histogram becomes, what is rejected and why are decided in this module and nowhere else.

===============================================  ==============================================
metric                                           stored as
===============================================  ==============================================
gauge, non-monotonic sum                         gauge
monotonic sum, delta                             delta
monotonic sum, cumulative or unspecified         cumulative
histogram, exponential histogram                 ``NAME.count`` and ``NAME.sum`` as a monotonic
                                                 sum of the same temporality; ``NAME.min`` and
                                                 ``NAME.max`` as gauges; each only if present
summary                                          ``NAME.count`` and ``NAME.sum``, cumulative;
                                                 ``NAME.min`` and ``NAME.max`` from the
                                                 quantiles 0 and 1 if present and not NaN
===============================================  ==============================================

``.count`` has the unit ``1``, the other parts that of the metric. A data point is stored whole or
not at all. One that says it has no value (``NO_RECORDED_VALUE``, or neither an int nor a double)
is neither stored nor rejected.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Batch, Kind, Series
from kubestray.model.unread import SeriesOfBatch, Unread
from kubestray.receive.catalog import Catalog, Encoded, Reason, Rejected

NO_RECORDED_VALUE = 1
"""The bit of a data point's ``flags`` that says: no measurement was made (OTLP `DataPointFlags`)."""

COUNT_UNIT = "1"
"""The unit of a histogram's and a summary's ``.count``."""

_LATEST = 2**64 - 1


class Temporality:
    """OTLP `AggregationTemporality` numbers; any other number counts as unspecified."""

    UNSPECIFIED = 0
    DELTA = 1
    CUMULATIVE = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """The times at which points are welcome: nanoseconds since the epoch, both ends included."""

    oldest: int
    newest: int

    @classmethod
    def everything(cls) -> Bounds:
        """Return bounds that no u64 timestamp is outside of, 0 included."""
        return cls(0, _LATEST)


class Part(NamedTuple):
    """One stored value of a data point: its series is named after the metric plus ``suffix``."""

    suffix: str
    kind: Kind
    value: float


def kind_of_sum(is_monotonic: bool, temporality: int) -> Kind:
    """Return how a sum is stored; an unspecified temporality is taken for cumulative."""
    if not is_monotonic:
        return Kind.GAUGE
    return Kind.DELTA if temporality == Temporality.DELTA else Kind.CUMULATIVE


def histogram_parts(
    temporality: int, count: int, total: float | None, low: float | None, high: float | None
) -> list[Part]:
    """Return the parts of a (plain or exponential) histogram data point; None is an absent field."""
    kind = kind_of_sum(True, temporality)
    parts = [
        (".count", kind, float(count)),
        (".sum", kind, total),
        (".min", Kind.GAUGE, low),
        (".max", Kind.GAUGE, high),
    ]
    return [Part(suffix, kind, value) for suffix, kind, value in parts if value is not None]


def summary_parts(count: int, total: float, quantiles: Iterable[tuple[float, float]]) -> list[Part]:
    """Return the parts of a summary data point; ``quantiles`` are (quantile, value) pairs.

    A NaN quantile is how Prometheus clients say that nothing was observed lately: no part, while
    the count and the sum stay good.
    """
    found = {quantile: value for quantile, value in quantiles if not isnan(value)}
    return histogram_parts(Temporality.CUMULATIVE, count, total, found.get(0.0), found.get(1.0))


@dataclass(slots=True)
class Decoded:
    """What a request held. The counts are of OTLP data points: a histogram's is one, not four.

    ``data_points`` were accepted and are in ``batch``; ``no_value`` said they have no value;
    ``rejected`` counts the rest by `Reason`.
    """

    batch: Batch
    data_points: int = 0
    no_value: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        """Return the text for a partial success, empty if nothing was rejected."""
        if not self.rejected:
            return ""
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.rejected.items()))
        return f"{self.rejected.total()} data points rejected: {reasons}"


HEAD = struct.Struct("<BQBQBd")
"""A point's numbers as OTLP lays them out: tag, start, tag, time, tag, value; 27 bytes.

This is the beginning of a `NumberDataPoint` as every known exporter writes it (fields in ascending
order), so numbers can be copied from a request and turned into columns all at once.
"""

START_TAG, TIME_TAG, DOUBLE_TAG, INT_TAG = 0x11, 0x19, 0x21, 0x31
"""Wire tags of `NumberDataPoint`: start_time_unix_nano, time_unix_nano, as_double, as_int."""

_COLUMNS = np.dtype(
    [("_1", "u1"), ("start", "<u8"), ("_2", "u1"), ("time", "<u8"), ("tag", "u1"), ("value", "<f8")]
)

ID = struct.Struct("<Q")

Columns = tuple[
    npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.float64]
]
"""Series ids, times, start times and values of points."""


@dataclass(slots=True)
class Gathering:
    """The points of one request while it is read; `finish` gives the answer.

    ``heads``, joined, holds the numbers of the points (see `HEAD`) and ``ids``, joined, their series
    ids (see `ID`), in the same order; ``columns`` holds further points; ``series`` is the catalog of all.
    Plain points are checked when all are in, in columns; those of several parts by `check` first, for they
    are stored whole or not at all.
    """

    bounds: Bounds
    heads: list[bytes] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    columns: list[Columns] = field(default_factory=list)
    series: dict[int, Series] = field(default_factory=dict)
    unread: list[Unread[Series]] = field(default_factory=list)
    some_lost: bool = False
    """Whether messages in ``unread`` may name series that have no point here."""
    no_value: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    further_parts: int = 0
    """Stored points less accepted data points."""
    expected: int = 0
    """Data points announced by `MetricPoints.expect`."""

    def add(self, series: Series, time: int, start: int, value: float) -> None:
        """Take one point, to be checked in `finish`."""
        self.series[series.id] = series
        self.ids.append(ID.pack(series.id))
        self.heads.append(HEAD.pack(START_TAG, start, TIME_TAG, time, DOUBLE_TAG, value))

    def add_columns(
        self,
        ids: npt.NDArray[np.uint64],
        time: npt.NDArray[np.uint64],
        start: npt.NDArray[np.uint64],
        value: npt.NDArray[np.float64],
    ) -> None:
        """Take n points in columns, to be checked in `finish`; their ``series`` have to be there already."""
        self.columns.append((ids, time, start, value))

    def recognise(
        self, ids: Sequence[bytes], messages: Sequence[bytes], read: Callable[[bytes], Iterable[Series]]
    ) -> None:
        """Tell in which messages series lie that are not in ``series``, and how they are read."""
        if messages:
            self.unread.append(Unread(ids, messages, read))

    def check(self, time: int, values: Iterable[float]) -> None:
        """Raise Rejected if a data point of these values may not be stored."""
        if not all(map(isfinite, values)):
            raise Rejected(Reason.NOT_FINITE)
        if time < self.bounds.oldest:
            raise Rejected(Reason.OLDER_THAN_RETENTION)
        if time > self.bounds.newest:
            raise Rejected(Reason.TOO_FAR_IN_FUTURE)

    def merge(self, other: Gathering) -> None:
        """Take over what another gathering of the same request holds."""
        self.heads += other.heads
        self.ids += other.ids
        self.columns += other.columns
        self.series.update(other.series)
        self.no_value += other.no_value
        self.rejected.update(other.rejected)
        self.further_parts += other.further_parts
        self.expected += other.expected

    def finish(self) -> Decoded:
        """Return everything gathered, with the points that may not be stored taken out."""
        batch = self._without_rejected(self._batch())
        return Decoded(batch, len(batch) - self.further_parts, self.no_value, self.rejected)

    def _batch(self) -> Batch:
        parts = [*self.columns, *([self._of_heads()] if self.heads or not self.columns else [])]
        ids, time, start, value = (
            parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        )
        series: Mapping[int, Series] = self.series
        if self.unread:
            only = frozenset(ids.tolist()) if self.some_lost else None
            series = SeriesOfBatch(self.series, self.unread, only)
        return Batch(
            series,
            np.ascontiguousarray(ids, np.uint64),
            np.ascontiguousarray(time, np.uint64),
            np.ascontiguousarray(start, np.uint64),
            np.ascontiguousarray(value, np.float64),
        )

    def _of_heads(self) -> Columns:
        columns = np.frombuffer(b"".join(self.heads), dtype=_COLUMNS)
        raw = np.ascontiguousarray(columns["value"])
        value = np.where(columns["tag"] == INT_TAG, raw.view("<i8").astype(np.float64), raw)
        return np.frombuffer(b"".join(self.ids), dtype="<u8"), columns["time"], columns["start"], value

    def _without_rejected(self, batch: Batch) -> Batch:
        finite = np.isfinite(batch.value)
        # The bounds may lie outside of u64, which numpy would refuse to compare with.
        recent = batch.time >= np.uint64(min(max(self.bounds.oldest, 0), _LATEST))
        due = batch.time <= np.uint64(min(max(self.bounds.newest, 0), _LATEST))
        keep = finite & recent & due
        if keep.all():
            return batch
        self._count(Reason.NOT_FINITE, ~finite)
        self._count(Reason.OLDER_THAN_RETENTION, finite & ~recent)
        self._count(Reason.TOO_FAR_IN_FUTURE, finite & recent & ~due)
        return batch.where(keep)

    def _count(self, reason: Reason, points: npt.NDArray[np.bool_]) -> None:
        number = int(np.count_nonzero(points))
        if number:
            self.rejected[reason] += number


@dataclass(slots=True)
class MetricPoints:
    """Where the data points of one metric of one resource go; what both decoders feed.

    ``resource`` and the ``attributes`` given to `take` are still encoded, see `catalog`.
    """

    catalog: Catalog
    gathering: Gathering
    resource: Encoded
    metric: str
    unit: str

    def expect(self, data_points: int) -> None:
        """Announce data points; raises MalformedRequest if the request gets too many."""
        self.gathering.expected += data_points
        if self.gathering.expected > self.catalog.limits.max_data_points:
            raise MalformedRequest(f"more than {self.catalog.limits.max_data_points} data points")

    def number(
        self, kind: Kind, attributes: Encoded, flags: int, time: int, start: int, value: float | None
    ) -> None:
        """Take a gauge's or a sum's data point: the same as `parts` with one of no suffix, but quicker."""
        gathering = self.gathering
        if value is None or flags & NO_RECORDED_VALUE:
            gathering.no_value += 1
            return
        try:
            series = self.catalog.find((self.resource, self.metric, self.unit, kind, attributes))
        except Rejected as rejected:
            gathering.rejected[rejected.reason] += 1
            return
        gathering.add(series, time, start, value)

    def parts(self, parts: Sequence[Part], attributes: Encoded, flags: int, time: int, start: int) -> None:
        """Take the data point of a histogram or summary: whole, or not at all."""
        gathering = self.gathering
        if flags & NO_RECORDED_VALUE:
            gathering.no_value += 1
            return
        try:
            stored = [(self._series(part, attributes), part.value) for part in parts]
            gathering.check(time, [part.value for part in parts])
        except Rejected as rejected:
            gathering.rejected[rejected.reason] += 1
            return
        gathering.further_parts += len(parts) - 1
        for series, value in stored:
            gathering.add(series, time, start, value)

    def _series(self, part: Part, attributes: Encoded) -> Series:
        # A metric without a name stays without, to be rejected for that.
        metric = self.metric and self.metric + part.suffix
        unit = COUNT_UNIT if part.suffix == ".count" else self.unit
        return self.catalog.find((self.resource, metric, unit, part.kind, attributes))
