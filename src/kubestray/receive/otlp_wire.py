"""OTLP metrics as protobuf messages that leave attributes and points encoded.

The same bytes as `opentelemetry.proto.metrics.v1`, read with other declarations: a resource, an
attribute and the `ResourceMetrics` of a request are ``bytes`` here, so that no object is made of what
is only used as a key. Fields that nothing reads (descriptions, scopes, exemplars, buckets) are not
declared and are skipped.

Field numbers are those of opentelemetry-proto 1.x, which may not change them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from kubestray.receive.protobuf_messages import message_classes

_HISTOGRAM_POINT = """
    fixed64 start_time_unix_nano = 2
    fixed64 time_unix_nano = 3
    fixed64 count = 4
    optional double sum = 5
"""

_MESSAGES = {
    "Request": "repeated bytes resource_metrics = 1",
    # A resource sent in pieces is the pieces' concatenation, as protobuf merges messages.
    "ResourceMetrics": "repeated bytes resource = 1\n repeated ScopeMetrics scope_metrics = 2",
    "ScopeMetrics": "repeated Metric metrics = 2",
    "Metric": """
        string name = 1
        string unit = 3
        oneof:data Gauge gauge = 5
        oneof:data Sum sum = 7
        oneof:data Histogram histogram = 9
        oneof:data ExponentialHistogram exponential_histogram = 10
        oneof:data Summary summary = 11
    """,
    "Gauge": "repeated NumberPoint data_points = 1",
    "Sum": """
        repeated NumberPoint data_points = 1
        int32 aggregation_temporality = 2
        bool is_monotonic = 3
    """,
    "Histogram": "repeated HistogramPoint data_points = 1\n int32 aggregation_temporality = 2",
    "ExponentialHistogram": """
        repeated ExponentialHistogramPoint data_points = 1
        int32 aggregation_temporality = 2
    """,
    "Summary": "repeated SummaryPoint data_points = 1",
    "NumberPoint": """
        fixed64 start_time_unix_nano = 2
        fixed64 time_unix_nano = 3
        oneof:value double as_double = 4
        oneof:value sfixed64 as_int = 6
        repeated bytes attributes = 7
        uint32 flags = 8
    """,
    "HistogramPoint": f"""{_HISTOGRAM_POINT}
        repeated bytes attributes = 9
        uint32 flags = 10
        optional double min = 11
        optional double max = 12
    """,
    "ExponentialHistogramPoint": f"""{_HISTOGRAM_POINT}
        repeated bytes attributes = 1
        uint32 flags = 10
        optional double min = 12
        optional double max = 13
    """,
    "SummaryPoint": """
        fixed64 start_time_unix_nano = 2
        fixed64 time_unix_nano = 3
        fixed64 count = 4
        double sum = 5
        repeated Quantile quantile_values = 6
        repeated bytes attributes = 7
        uint32 flags = 8
    """,
    "Quantile": "double quantile = 1\n double value = 2",
}


class Wire(NamedTuple):
    """The message classes; built at run time, hence untyped."""

    request: Any
    resource_metrics: Any


@cache
def wire() -> Wire:
    """Build the message classes, once, when first needed."""
    named = message_classes("otlp", _MESSAGES)
    return Wire(named("Request"), named("ResourceMetrics"))
