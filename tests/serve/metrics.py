"""OTLP requests, written short."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as m
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

SECOND = 10**9
HOUR_END = 1_763_800_020 * SECOND
"""2025-11-22 08:27:00, a whole minute: when the points of the store ``filled`` end."""


def recent() -> int:
    """A time that every server takes: ten seconds ago, in nanoseconds."""
    return time.time_ns() - 10 * SECOND


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    return [
        KeyValue(key=key, value=value if isinstance(value, AnyValue) else AnyValue(string_value=str(value)))
        for key, value in attributes.items()
    ]


def point(value: float, at: int | None = None, /, **attributes: Any) -> m.NumberDataPoint:
    return m.NumberDataPoint(
        time_unix_nano=recent() if at is None else at, as_double=value, attributes=key_values(attributes)
    )


def gauge(name: str, /, *points: m.NumberDataPoint) -> m.Metric:
    return m.Metric(name=name, gauge=m.Gauge(data_points=points))


def request(*metrics: m.Metric, **resource: Any) -> ExportMetricsServiceRequest:
    return ExportMetricsServiceRequest(
        resource_metrics=[
            m.ResourceMetrics(
                resource=Resource(attributes=key_values(resource)),
                scope_metrics=[m.ScopeMetrics(metrics=metrics)],
            )
        ]
    )


def encoded(*metrics: m.Metric, **resource: Any) -> bytes:
    return request(*metrics, **resource).SerializeToString()


def line(message: ExportMetricsServiceRequest) -> bytes:
    """A request as the collector's file exporter writes it in JSON."""
    return MessageToJson(message, indent=None).encode() + b"\n"


def framed(*messages: bytes) -> bytes:
    """Requests as the collector's file exporter writes them in protobuf."""
    return b"".join(struct.pack(">I", len(message)) + message for message in messages)


def rejected(answer: bytes) -> tuple[int, str]:
    """Return the number of rejected points in a protobuf answer, and why."""
    partial = ExportMetricsServiceResponse.FromString(answer).partial_success
    return partial.rejected_data_points, partial.error_message


def rejected_in_json(answer: bytes) -> tuple[int, str]:
    partial = json.loads(answer).get("partialSuccess", {})
    return int(partial.get("rejectedDataPoints", 0)), partial.get("errorMessage", "")


def length_delimited(field: int, content: bytes) -> bytes:
    """One protobuf field of bytes, by hand: for messages that the library would refuse to make."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
