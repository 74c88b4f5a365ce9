"""Prometheus' remote write as protobuf messages that leave labels and samples encoded.

The same bytes as `prometheus.WriteRequest` (1.0) and `io.prometheus.write.v2.Request` (2.0), read with
declarations of our own: what is only used as a key, or turned into columns as it is, is ``bytes``.
Of exemplars only references to labels are read, to see that they lead somewhere. Both versions have the same
sample and histogram, but for a start time, which 2.0 had in `TimeSeries` up to its draft rc.3 and has in
each of them since rc.4; either is taken.

Source: prometheus/prometheus, `prompb/types.proto` and `prompb/io/prometheus/write/v2/types.proto`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from kubestray.receive.protobuf_messages import message_classes

_MESSAGES = {
    "Request": "repeated bytes timeseries = 1\n repeated Metadata metadata = 3",
    "Metadata": "int32 type = 1\n string metric_family_name = 2",
    "TimeSeries": """
        repeated bytes labels = 1
        repeated bytes samples = 2
        repeated bytes histograms = 4
    """,
    "Labels": "repeated Label labels = 1",
    "Label": "string name = 1\n string value = 2",
    "Sample": "double value = 1\n int64 timestamp = 2\n int64 start_timestamp = 3",
    "Histogram": """
        oneof:count uint64 count_int = 1
        oneof:count double count_float = 2
        double sum = 3
        uint64 zero_count_int = 6
        repeated sint64 negative_deltas = 9
        repeated sint64 positive_deltas = 12
        int32 reset_hint = 14
        int64 timestamp = 15
        int64 start_timestamp = 17
    """,
    "Request2": "repeated string symbols = 4\n repeated TimeSeries2 timeseries = 5",
    "TimeSeries2": """
        repeated uint32 labels_refs = 1
        repeated bytes samples = 2
        repeated bytes histograms = 3
        repeated Exemplar2 exemplars = 4
        Metadata2 metadata = 5
        int64 created_timestamp = 6
    """,
    "Exemplar2": "repeated uint32 labels_refs = 1",
    "Metadata2": "int32 type = 1\n uint32 help_ref = 3\n uint32 unit_ref = 4",
}


class Wire(NamedTuple):
    """The message classes; built at run time, hence untyped."""

    request: Any
    time_series: Any
    labels: Any
    sample: Any
    histogram: Any
    request2: Any


@cache
def wire() -> Wire:
    """Build the message classes, once, when first needed."""
    named = message_classes("prometheus", _MESSAGES)
    return Wire(*map(named, ("Request", "TimeSeries", "Labels", "Sample", "Histogram", "Request2")))
