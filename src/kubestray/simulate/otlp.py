"""Requests as collectors send them: OTLP protobuf, and the JSON lines of the collector's file exporter.

Building a request point by point is slow, and needless: from one collection to the next only times
and values change. So a request is laid out once for a set of channels, with marks where a time or a
value goes, and filled for each collection. In protobuf these fields have a fixed width, so filling
is copying; the marks are bytes that no UTF-8 text can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2

from kubestray.simulate.noise import F64
from kubestray.simulate.series import NANOS, Channel, Metric, Pairs, Resource, Shape, Value

_TEMPORALITY: Final = {Shape.DELTA: 1, Shape.CUMULATIVE: 2, Shape.UP_DOWN: 2}
_START: Final = b"\xff\xfeSTART\xff"
_TIME: Final = b"\xff\xfeTIME!\xff"
_VALUE: Final = b"\xff\xfeVALUE\xff"
# In JSON the marks begin with a null character, which no attribute holds and JSON writes as an escape.
_START_TEXT, _TIME_TEXT, _INT_TEXT, _DOUBLE_TEXT = "\0start", "\0time", "\0int", "\0double"
_SLOT: Final = re.compile(r'(\\u0000start|\\u0000time|\\u0000int|"\\u0000double")')


class ProtobufLayout:
    """A request for some channels, ordered by resource; `fill` gives the bytes of one collection."""

    def __init__(self, channels: Sequence[Channel], window_s: int) -> None:
        self._window = window_s * NANOS
        self._whole = np.array([channel.metric.whole for channel in channels], dtype=bool)
        raw = _message(channels).SerializeToString()
        self._bytes = np.frombuffer(raw, dtype=np.uint8)
        self._start_places = _places(raw, _START)
        self._time_places = _places(raw, _TIME)
        self._value_places = _places(raw, _VALUE)

    def fill(self, time: int, values: F64) -> bytes:
        """Return the request of the collection at ``time`` (nanoseconds); ``values`` is f64[channels]."""
        out = self._bytes.copy()
        out[self._start_places] = _eight_bytes(np.array([time - self._window], dtype="<u8"))
        out[self._time_places] = _eight_bytes(np.array([time], dtype="<u8"))
        numbers = values.astype("<f8")
        numbers[self._whole] = values[self._whole].astype("<i8").view("<f8")
        out[self._value_places] = _eight_bytes(numbers)
        return out.tobytes()


def _places(raw: bytes, mark: bytes) -> npt.NDArray[np.int64]:
    found = [match.start() for match in re.finditer(re.escape(mark), raw)]
    return np.array(found, dtype=np.int64).reshape(-1, 1) + np.arange(8)


def _eight_bytes(numbers: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(-1, 8)


def _message(channels: Sequence[Channel]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    for resource, metrics in _grouped(channels):
        resource_metrics = request.resource_metrics.add()
        resource_metrics.resource.attributes.extend(_key_values(resource.attributes))
        scope_metrics = resource_metrics.scope_metrics.add()
        if resource.scope:
            scope_metrics.scope.name = resource.scope
        for metric, points in metrics:
            _add_metric(scope_metrics.metrics.add(), metric, points)
    return request


def _add_metric(out: metrics_pb2.Metric, metric: Metric, points: Sequence[Channel]) -> None:
    out.name, out.unit = metric.name, metric.unit
    data: metrics_pb2.Gauge | metrics_pb2.Sum = out.gauge
    if metric.shape is not Shape.GAUGE:
        data = out.sum
        out.sum.aggregation_temporality = _TEMPORALITY[metric.shape]  # type: ignore[assignment]
        out.sum.is_monotonic = metric.shape is not Shape.UP_DOWN
    for channel in points:
        point = data.data_points.add(time_unix_nano=int.from_bytes(_TIME, "little"))
        point.attributes.extend(_key_values(channel.attributes))
        if metric.shape is Shape.DELTA:
            point.start_time_unix_nano = int.from_bytes(_START, "little")
        elif channel.start:
            point.start_time_unix_nano = channel.start * NANOS
        if metric.whole:
            point.as_int = int.from_bytes(_VALUE, "little", signed=True)
        else:
            point.as_double = float(np.frombuffer(_VALUE, dtype="<f8")[0])


def _key_values(pairs: Pairs) -> Iterator[KeyValue]:
    for name, value in pairs:
        text = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
        yield KeyValue(key=name, value=text)


def _grouped(channels: Sequence[Channel]) -> Iterator[tuple[Resource, list[tuple[Metric, list[Channel]]]]]:
    """Yield each resource with its metrics, and their channels: each run of equal ones, in order."""
    for _, run in groupby(channels, key=lambda channel: channel.resource):
        members = list(run)
        metrics = [
            (metric, list(points)) for metric, points in groupby(members, key=lambda channel: channel.metric)
        ]
        yield members[0].resource, metrics


class JsonLayout:
    """The same as `ProtobufLayout`, as one line of OTLP JSON: 64-bit integers are strings."""

    def __init__(self, channels: Sequence[Channel], window_s: int) -> None:
        self._window = window_s * NANOS
        self._whole = [channel.metric.whole for channel in channels]
        text = orjson.dumps({"resourceMetrics": [_resource_json(*group) for group in _grouped(channels)]})
        self._pieces = _SLOT.split(text.decode() + "\n")
        slots = list(enumerate(self._pieces))[1::2]
        self._starts = [place for place, slot in slots if slot.endswith("start")]
        self._times = [place for place, slot in slots if slot.endswith("time")]
        self._values = [place for place, slot in slots if slot.endswith(("int", 'double"'))]

    def fill(self, time: int, values: F64) -> bytes:
        """Return the line of the collection at ``time`` (nanoseconds); ``values`` is f64[channels]."""
        pieces = self._pieces.copy()
        for places, text in ((self._starts, str(time - self._window)), (self._times, str(time))):
            for place in places:
                pieces[place] = text
        for place, value, whole in zip(self._values, values.tolist(), self._whole, strict=True):
            pieces[place] = str(int(value)) if whole else repr(value)
        return "".join(pieces).encode()


def _resource_json(resource: Resource, metrics: list[tuple[Metric, list[Channel]]]) -> dict[str, object]:
    scope = {"name": resource.scope} if resource.scope else {}
    return {
        "resource": {"attributes": _pairs_json(resource.attributes)},
        "scopeMetrics": [{"scope": scope, "metrics": [_metric_json(*metric) for metric in metrics]}],
    }


def _metric_json(metric: Metric, points: Sequence[Channel]) -> dict[str, object]:
    data: dict[str, object] = {"dataPoints": [_point_json(channel) for channel in points]}
    if metric.shape is not Shape.GAUGE:
        data["aggregationTemporality"] = _TEMPORALITY[metric.shape]
    if metric.shape in (Shape.DELTA, Shape.CUMULATIVE):
        data["isMonotonic"] = True
    name = "gauge" if metric.shape is Shape.GAUGE else "sum"
    return {"name": metric.name, "unit": metric.unit, name: data}


def _point_json(channel: Channel) -> dict[str, object]:
    point: dict[str, object] = {"attributes": _pairs_json(channel.attributes)}
    if channel.metric.shape is Shape.DELTA:
        point["startTimeUnixNano"] = _START_TEXT
    elif channel.start:
        point["startTimeUnixNano"] = str(channel.start * NANOS)
    point["timeUnixNano"] = _TIME_TEXT
    if channel.metric.whole:
        point["asInt"] = _INT_TEXT
    else:
        point["asDouble"] = _DOUBLE_TEXT
    return point


def _pairs_json(pairs: Pairs) -> list[dict[str, object]]:
    return [{"key": name, "value": _value_json(value)} for name, value in pairs]


def _value_json(value: Value) -> dict[str, str]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
