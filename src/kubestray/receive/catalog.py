"""From the attributes of a message to the series they name, remembered between requests.

Most requests repeat the series of the one before. A series is therefore looked up by the *encoded*
attributes, exactly as they came: a known one costs a look-up in a dict, and neither attribute
values nor hashes are made again. Attributes in another order are another key and, once
decoded, the same series.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kubestray.model.metric import Kind, Series, Shared
from kubestray.receive.budget import SeriesBudget
from kubestray.receive.remembered import Remembered

Encoded = tuple[bytes, ...]
"""Attributes as they came, in one piece or in several; empty if there are none."""

Key = tuple[Encoded, str, str, Kind, Encoded]
"""The resource's attributes, metric name, unit, kind, the data point's attributes."""

AttributeReader = Callable[[Encoded], Mapping[str, str]]
"""Decodes the encoded attributes of a resource or data point to text; may raise MalformedRequest."""


class Reason(StrEnum):
    """Why a data point is rejected while the rest of its request is kept."""

    NO_METRIC_NAME = "no_metric_name"
    METRIC_NAME_TOO_LONG = "metric_name_too_long"
    UNIT_TOO_LONG = "unit_too_long"
    TOO_MANY_ATTRIBUTES = "too_many_attributes"
    ATTRIBUTE_TOO_LONG = "attribute_too_long"
    ATTRIBUTE_TOO_DEEP = "attribute_too_deep"
    TOO_MANY_SERIES = "too_many_series"
    NOT_FINITE = "not_finite"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_METRIC = "not_a_metric"
    REPEATED_ATTRIBUTE = "repeated_attribute"
    NO_ATTRIBUTE_NAME = "no_attribute_name"
    COUNT_OF_OTHER_BUCKETS = "count_of_other_buckets"
    OLDER_THAN_RETENTION = "older_than_retention"
    TOO_FAR_IN_FUTURE = "too_far_in_future"


class Rejected(Exception):
    """One data point may not be stored; never leaves `kubestray.receive`."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.value)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a data point may carry. Lengths are bytes of UTF-8; nothing is ever cut to fit.

    ``max_new_series_bytes`` bounds the memory that the series of one request may take which were
    not seen lately: a large resource repeated by many small points would otherwise take thousands
    of times the size of the request.

    ``max_resources`` and ``max_data_points`` bound what one request holds, and so its time: an empty
    resource or data point is only two bytes. A request beyond them is malformed as a whole.
    """

    max_attributes: int = 256
    max_attribute_length: int = 64 * 1024
    max_name_length: int = 1024
    max_new_series_bytes: int = 256 * 1024 * 1024
    budget: SeriesBudget | None = field(default=None, compare=False)
    """What the source of the request may bring of new series."""
    cluster: str = ""
    """The cluster's name for series without one."""
    max_resources: int = 1_000_000
    max_data_points: int = 5_000_000


SeriesCache = Remembered[Key, Series]
"""Series by their encoded form. It belongs to one set of `Limits`: what it knows is not checked again."""


def series_cache(max_entries: int = 1_000_000, max_bytes: int = 512 * 1024 * 1024) -> SeriesCache:
    """Return an empty cache."""
    return SeriesCache(_size, max_entries, max_bytes)


def _size(key: Key, series: Series) -> int:
    """Count parts shared with other entries as the entry's own: rather too much than too little."""
    encoded = sum(100 + len(part) for part in (*key[0], *key[4]))
    return 600 + 2 * encoded + 160 * len(series.attributes)


def series_bytes(series: Series) -> int:
    """Return about how many bytes a series takes in memory."""
    text = sum(len(name) + len(value) for name, value in series.attributes)
    return 200 + len(series.metric) + 160 * len(series.attributes) + text


CLUSTER = "k8s.cluster.name"

_CLUSTERS = (CLUSTER, "k8s_cluster_name", "cluster", "K8S_ClusterName")
"""Attributes that name the cluster, as senders have them."""


@dataclass(frozen=True, slots=True)
class ResourceAttributes:
    """The attributes of a resource, looked at once for all its series."""

    shared: Shared
    bytes: int
    longest: int

    @classmethod
    def of(cls, attributes: Mapping[str, str]) -> ResourceAttributes:
        """Look at attributes."""
        return cls(Shared.of(attributes), _bytes(attributes), _longest(attributes))

    def lacks_cluster(self, own: Mapping[str, str]) -> bool:
        """Tell whether neither these attributes nor a series' own name a cluster."""
        names = self.shared.names
        return not any(name in own or name in names for name in _CLUSTERS)

    def check(self, own: Mapping[str, str], limits: Limits) -> None:
        """Raise Rejected if a series that has further attributes of its ``own`` may not be stored."""
        names = self.shared.names
        if len(names) + len(own) > limits.max_attributes and (
            len({*names, *own}) > limits.max_attributes  # they may have names in common
        ):
            raise Rejected(Reason.TOO_MANY_ATTRIBUTES)
        if max(self.longest, _longest(own)) > limits.max_attribute_length:
            raise Rejected(Reason.ATTRIBUTE_TOO_LONG)


Attributed = tuple[ResourceAttributes, Mapping[str, str]]
"""All attributes of a series: its resource's, and its own."""


def _bytes(attributes: Mapping[str, str]) -> int:
    return 160 * len(attributes) + sum(map(len, attributes)) + sum(map(len, attributes.values()))


def _longest(attributes: Mapping[str, str]) -> int:
    """Return the bytes of UTF-8 of the longest name or value."""
    texts = (*attributes, *attributes.values())
    sizes = (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return max(sizes, default=0)


NO_RESOURCE = ResourceAttributes.of({})


@dataclass(slots=True)
class NewSeries:
    """Makes the series of one request that are not known yet, within limits."""

    limits: Limits
    bytes: int = 0
    """About how much memory they take together."""

    def make(self, metric: str, unit: str, kind: Kind, read: Callable[[], Attributed]) -> Series:
        """Return the series; raises Rejected if it may not be stored.

        ``read`` decodes its attributes, and is called only if the rest may be stored.
        """
        self._check_names(metric, unit)
        if self.bytes > self.limits.max_new_series_bytes:
            raise Rejected(Reason.TOO_MANY_SERIES)
        resource, own = read()
        if self.limits.cluster and resource.lacks_cluster(own):
            own = {**own, CLUSTER: self.limits.cluster}
        resource.check(own, self.limits)
        if self.limits.budget is not None and not self.limits.budget.take():
            raise Rejected(Reason.TOO_MANY_SERIES)
        series = resource.shared.series(sys.intern(metric), kind, sys.intern(unit), own)
        self.bytes += 200 + len(metric) + resource.bytes + _bytes(own)
        return series

    def _check_names(self, metric: str, unit: str) -> None:
        if not metric:
            raise Rejected(Reason.NO_METRIC_NAME)
        if _longer(metric, self.limits.max_name_length):
            raise Rejected(Reason.METRIC_NAME_TOO_LONG)
        if _longer(unit, self.limits.max_name_length):
            raise Rejected(Reason.UNIT_TOO_LONG)


@dataclass(slots=True)
class Catalog:
    """Names the series of one request, through a cache shared by all requests.

    ``read_resource`` and ``read_point`` decode attributes of the request's encoding.
    """

    cache: SeriesCache
    limits: Limits
    read_resource: AttributeReader
    read_point: AttributeReader
    new: NewSeries = field(init=False)
    _resource: tuple[Encoded, ResourceAttributes] | None = field(default=None, init=False)
    _points: dict[Encoded, Mapping[str, str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.new = NewSeries(self.limits)

    def find(self, key: Key) -> Series:
        """Return the series that ``key`` names; raises Rejected if it may not be stored."""
        series = self.cache.get(key)
        if series is None:
            resource, metric, unit, kind, point = key
            series = self.new.make(
                metric,
                unit,
                kind,
                lambda: (self._resource_attributes(resource), self._point_attributes(point)),
            )
            self.cache.put(key, series)
        return series

    def _resource_attributes(self, resource: Encoded) -> ResourceAttributes:
        """Decode a resource once for all its metrics: they come one after the other."""
        if self._resource is None or self._resource[0] is not resource:
            self._resource = resource, ResourceAttributes.of(self.read_resource(resource))
        return self._resource[1]

    def _point_attributes(self, point: Encoded) -> Mapping[str, str]:
        """Decode the attributes of a point once: those of many metrics and resources have the same."""
        found = self._points.get(point)
        if found is None:
            found = self._points[point] = self.read_point(point)
        return found


def _longer(text: str, limit: int) -> bool:
    """Tell whether text takes more than ``limit`` bytes of UTF-8, without encoding if it need not."""
    return len(text) > limit or (4 * len(text) > limit and len(text.encode()) > limit)
