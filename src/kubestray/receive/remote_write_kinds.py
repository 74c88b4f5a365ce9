"""Whether a Prometheus series is a counter or a gauge.

A series must have one kind for ever: the kind is part of its identity, and a request that is sent
again must name the same series as before. So only the request itself decides: the type that its
metadata gives the metric, or else the suffix that Prometheus and OpenTelemetry want counters to have, or
else the name: those of OpenTelemetry arrive as they are from senders that translate nothing (NoTranslation).
Metadata that 1.0 senders send now and then in requests of their own is not remembered.

=============================================  ===========
the series                                     kind
=============================================  ===========
of a counter, by metadata                      cumulative
of a gauge, info or state set, by metadata     gauge
``*_total``, ``*_bucket``, ``*_count``,        cumulative
``*_sum``, not of a gauge histogram
one of the ``counters`` that `mapping.yml`     cumulative
ships with
any other                                      gauge
=============================================  ===========
"""

from __future__ import annotations

from collections.abc import Mapping

from kubestray.model.metric import CLIMBING, Kind
from kubestray.naming.mapping import read_mapping


class MetricType:
    """Numbers of `MetricMetadata.MetricType`, the same in both versions; any other is unknown."""

    UNKNOWN = 0
    COUNTER = 1
    GAUGE = 2
    HISTOGRAM = 3
    GAUGE_HISTOGRAM = 4
    SUMMARY = 5
    INFO = 6
    STATE_SET = 7


_GAUGES = (MetricType.GAUGE, MetricType.GAUGE_HISTOGRAM, MetricType.INFO, MetricType.STATE_SET)

_FAMILIES = (
    MetricType.COUNTER,
    MetricType.HISTOGRAM,
    MetricType.GAUGE_HISTOGRAM,
    MetricType.SUMMARY,
)
"""Types whose series add a suffix to the name of the metric."""

_CREATED = "_created"
"""OpenMetrics: when a counter began, as a time."""


def kind_of(name: str, metric_type: int) -> Kind:
    """Return the kind of a series by its own name and the type of its metric, 0 if unknown.

    >>> kind_of("http_requests_total", 0), kind_of("errors", MetricType.COUNTER)
    (<Kind.CUMULATIVE: 'cumulative'>, <Kind.CUMULATIVE: 'cumulative'>)
    """
    if metric_type in _GAUGES or name.endswith(_CREATED):
        return Kind.GAUGE
    if metric_type == MetricType.COUNTER or name.endswith(CLIMBING):
        return Kind.CUMULATIVE
    # Those that others send as increases too: remote write has none, so somebody has added them up.
    if metric_type == MetricType.UNKNOWN and name in read_mapping().counters:
        return Kind.CUMULATIVE
    return Kind.GAUGE


def type_of(name: str, types: Mapping[str, int]) -> int:
    """Return the type of a series' metric; ``types`` are by metric, whose name may lack the suffix."""
    if name in types:
        return types[name]
    family = next((name.removesuffix(each) for each in CLIMBING if name.endswith(each)), name)
    found = types.get(family, MetricType.UNKNOWN)
    # A gauge x says nothing of x_sum, which then is a metric of its own.
    return found if found in _FAMILIES else MetricType.UNKNOWN
