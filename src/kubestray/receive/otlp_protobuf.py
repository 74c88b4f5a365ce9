"""OTLP protobuf to points.

A `ResourceMetrics` like one seen before takes the short way (`otlp_layout`), any other is parsed
here; both give the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Kind, Series
from kubestray.receive.attributes import Value, attribute_text
from kubestray.receive.catalog import Catalog, Encoded, Limits, Reason, Rejected
from kubestray.receive.otlp_layout import Layouts, OtlpCache, known_shape, learn_shape, recognise
from kubestray.receive.otlp_shape import numbers_of, resource_of
from kubestray.receive.otlp_wire import wire
from kubestray.receive.points import (
    ID,
    Bounds,
    Decoded,
    Gathering,
    MetricPoints,
    Part,
    histogram_parts,
    kind_of_sum,
    summary_parts,
)


def decode_protobuf(body: bytes, bounds: Bounds, limits: Limits, cache: OtlpCache) -> Decoded:
    """Decode an `ExportMetricsServiceRequest` (or `MetricsData`: the same bytes).

    Raises MalformedRequest if the bytes are not such a message.
    """
    catalog = Catalog(cache.series, limits, _read_resource, _read_point)
    gathering = Gathering(bounds)
    try:
        messages = wire().request.FromString(body).resource_metrics
        if len(messages) > limits.max_resources:
            raise MalformedRequest(f"more than {limits.max_resources} resources in one request")
        found = recognise(messages, cache.layouts)
        for message in messages if found is None else found.others:
            _read_and_learn(message, catalog, gathering, cache.layouts)
    except DecodeError as error:
        raise MalformedRequest(f"not an OTLP metrics message in protobuf: {error}") from error
    if found is not None:
        read = partial(_read_series, limits=replace(limits, budget=None), cache=cache)
        gathering.recognise(found.ids, found.messages, read)
        numbers = found.numbers
        gathering.add_columns(found.series_id, numbers.time, numbers.start, numbers.value)
    return gathering.finish()


def _read_series(message: bytes, limits: Limits, cache: OtlpCache) -> Iterable[Series]:
    """Return the series of a `ResourceMetrics` that was recognised: every point of it is plain."""
    catalog, gathering = (
        Catalog(cache.series, limits, _read_resource, _read_point),
        Gathering(Bounds.everything()),
    )
    _read_resource_metrics(message, catalog, gathering)
    return gathering.series.values()


def _read_and_learn(message: bytes, catalog: Catalog, gathering: Gathering, layouts: Layouts) -> None:
    """Read a `ResourceMetrics`, and remember what it is like if it held nothing but plain points."""
    if _read_shaped(message, catalog, gathering, layouts):
        return
    own = Gathering(gathering.bounds)
    _read_resource_metrics(message, catalog, own)
    if own.heads and not (own.no_value or own.rejected or own.further_parts):
        learn_shape(message, b"".join(own.ids), layouts)
    gathering.merge(own)


def _read_shaped(message: bytes, catalog: Catalog, gathering: Gathering, layouts: Layouts) -> bool:
    """Read a `ResourceMetrics` of which all but the resource is known; tell whether it is so."""
    shape = known_shape(message, layouts)
    if shape is None:
        return False
    begin, end = resource_of(message)
    taken = numbers_of(message[end:], shape)
    if taken is None:
        return False
    numbers, content = taken
    resource = (message[begin:end],)
    try:
        series = [catalog.find((resource, *point)) for point in shape.points]
    except Rejected:
        return False  # read one by one, those that may be stored are
    ids = b"".join([ID.pack(one.id) for one in series])
    gathering.expected += len(series)
    gathering.series.update((one.id, one) for one in series)
    gathering.add_columns(np.frombuffer(ids, "<u8"), numbers.time, numbers.start, numbers.value)
    layouts.learn(message, shape, content, ids)
    return True


def _read_resource_metrics(message: bytes, catalog: Catalog, gathering: Gathering) -> None:
    resource_metrics = wire().resource_metrics.FromString(message)
    resource = (b"".join(resource_metrics.resource),)
    for scope_metrics in resource_metrics.scope_metrics:
        for metric in scope_metrics.metrics:
            data = metric.WhichOneof("data")
            if data is not None:
                into = MetricPoints(catalog, gathering, resource, metric.name, metric.unit)
                points = getattr(metric, data)
                into.expect(len(points.data_points))
                _READ[data](points, into)


def _gauge(points: Any, into: MetricPoints) -> None:
    _numbers(points, Kind.GAUGE, into)


def _sum(points: Any, into: MetricPoints) -> None:
    _numbers(points, kind_of_sum(points.is_monotonic, points.aggregation_temporality), into)


def _numbers(points: Any, kind: Kind, into: MetricPoints) -> None:
    for point in points.data_points:
        which = point.WhichOneof("value")
        value = getattr(point, which) if which else None
        time, start = point.time_unix_nano, point.start_time_unix_nano
        into.number(kind, tuple(point.attributes), point.flags, time, start, value)


def _histogram(points: Any, into: MetricPoints) -> None:
    for point in points.data_points:
        total, low, high = (
            getattr(point, name) if point.HasField(name) else None for name in ("sum", "min", "max")
        )
        _take(point, histogram_parts(points.aggregation_temporality, point.count, total, low, high), into)


def _summary(points: Any, into: MetricPoints) -> None:
    for point in points.data_points:
        quantiles = ((each.quantile, each.value) for each in point.quantile_values)
        _take(point, summary_parts(point.count, point.sum, quantiles), into)


def _take(point: Any, parts: Sequence[Part], into: MetricPoints) -> None:
    time, start = point.time_unix_nano, point.start_time_unix_nano
    into.parts(parts, tuple(point.attributes), point.flags, time, start)


_READ: dict[str, Callable[[Any, MetricPoints], None]] = {
    "gauge": _gauge,
    "sum": _sum,
    "histogram": _histogram,
    "exponential_histogram": _histogram,
    "summary": _summary,
}


def _read_resource(encoded: Encoded) -> dict[str, str]:
    return _texts(attribute for part in encoded for attribute in Resource.FromString(part).attributes)


def _read_point(encoded: Encoded) -> dict[str, str]:
    return _texts(map(KeyValue.FromString, encoded))


def _texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    try:
        return {sys.intern(each.key): attribute_text(_value(each.value)) for each in attributes}
    except DecodeError as error:
        # Bytes that are no attribute make the request malformed; one that nests too deeply costs its point.
        if "MaxDepth" in str(error):
            raise Rejected(Reason.ATTRIBUTE_TOO_DEEP) from error
        raise


def _value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: _value(item.value) for item in value.kvlist_value.values}
    # An index into a table of strings has no table in metrics: it is an empty value here.
    plain: Value = getattr(value, kind) if kind and kind != "string_value_strindex" else None
    return plain
