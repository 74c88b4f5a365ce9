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

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "kubestray.receive"

_SCALAR = {
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "fixed64": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED64,
    "sfixed64": descriptor_pb2.FieldDescriptorProto.TYPE_SFIXED64,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
}

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
    file = descriptor_pb2.FileDescriptorProto(name="kubestray/otlp.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        _declare(file.message_type.add(name=name), fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return Wire(_message_class(pool, "Request"), _message_class(pool, "ResourceMetrics"))


def _message_class(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def _declare(message: descriptor_pb2.DescriptorProto, fields: str) -> None:
    for line in filter(None, (line.strip() for line in fields.splitlines())):
        *modifier, kind, name, _, number = line.split()
        declared = message.field.add(name=name, number=int(number), label=1)
        if kind in _SCALAR:
            declared.type = _SCALAR[kind]
        else:
            declared.type, declared.type_name = declared.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
        for word in modifier:
            _modify(message, declared, word)


def _modify(
    message: descriptor_pb2.DescriptorProto, declared: descriptor_pb2.FieldDescriptorProto, word: str
) -> None:
    """Apply ``repeated``, ``optional`` (a oneof of its own, as protoc makes it) or ``oneof:NAME``."""
    if word == "repeated":
        declared.label = declared.LABEL_REPEATED
        return
    declared.proto3_optional = word == "optional"
    group = f"_{declared.name}" if word == "optional" else word.removeprefix("oneof:")
    names = [oneof.name for oneof in message.oneof_decl]
    if group not in names:
        message.oneof_decl.add(name=group)
        names.append(group)
    declared.oneof_index = names.index(group)
