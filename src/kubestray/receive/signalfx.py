"""SignalFx data points, in protobuf or JSON, to points.

Dimensions are attributes, as they are; a source is the attribute ``sf_source``. Times come in ms; a
point without one is from now.

===========================  ===========
the point's type             kind
===========================  ===========
gauge, enum                  gauge
counter                      delta
cumulative counter           cumulative
===========================  ===========

A text is no value that can be stored; a point without any is neither stored nor rejected.

Source: signalfx/com_signalfx_metrics_protobuf (`DataPointUploadMessage`) and "Send data points" of
SignalFx' ingest API. Its limits on dimensions are not ours: see `catalog.Limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Kind
from kubestray.receive.attributes import attribute_text
from kubestray.receive.catalog import Catalog, Encoded, Limits, Reason, SeriesCache
from kubestray.receive.points import Bounds, Decoded, Gathering
from kubestray.receive.protobuf_messages import message_classes
from kubestray.receive.single_points import SinglePoints

_MILLISECOND = 10**6

_MESSAGES = {
    "Upload": "repeated DataPoint datapoints = 1",
    "DataPoint": """
        string source = 1
        string metric = 2
        int64 timestamp = 3
        Datum value = 4
        int32 metric_type = 5
        repeated bytes dimensions = 6
    """,
    "Datum": "oneof:value string text = 1\n oneof:value double real = 2\n oneof:value int64 whole = 3",
    "Dimension": "string key = 1\n string value = 2",
}

_SOURCE = "sf_source"

_KINDS = {1: Kind.DELTA, 3: Kind.CUMULATIVE}
"""By `MetricType`; 0 is a gauge, 2 an enum."""

_JSON_KINDS = {
    "gauge": Kind.GAUGE,
    "enum": Kind.GAUGE,
    "counter": Kind.DELTA,
    "cumulative_counter": Kind.CUMULATIVE,
}


def decode_protobuf(body: bytes, bounds: Bounds, limits: Limits, known: SeriesCache) -> Decoded:
    """Decode a `DataPointUploadMessage`; raises MalformedRequest if the bytes are not such a message."""
    points = SinglePoints(
        (b"signalfx", b"protobuf"), Catalog(known, limits, _none, _read_messages), Gathering(bounds)
    )
    try:
        for point in _message("Upload").FromString(body).datapoints:
            points.expect()
            _take(point, points)
    except DecodeError as error:
        raise MalformedRequest(f"not SignalFx data points in protobuf: {error}") from error
    return points.gathering.finish()


def decode_json(body: bytes, bounds: Bounds, limits: Limits, known: SeriesCache) -> Decoded:
    """Decode data points in JSON, listed by type; raises MalformedRequest if the bytes are something else."""
    points = SinglePoints(
        (b"signalfx", b"json"), Catalog(known, limits, _none, _read_object), Gathering(bounds)
    )
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"not JSON: {error}") from error
    if not isinstance(request, dict):
        raise MalformedRequest("expected an object with lists of data points by type")
    for name, listed in request.items():
        if name not in _JSON_KINDS:
            raise MalformedRequest(f"unknown type {name[:40]!r}: expected {', '.join(_JSON_KINDS)}")
        if not isinstance(listed, list | None):
            raise MalformedRequest(f"{name}: expected a list of data points")
        for point in listed or ():
            points.expect()
            _take_json(point, _JSON_KINDS[name], points)
    return points.gathering.finish()


@cache
def _message(name: str) -> Any:
    return message_classes("signalfx", _MESSAGES)(name)


def _take(point: Any, points: SinglePoints) -> None:
    which = point.value.WhichOneof("value")
    if which is None:
        points.gathering.no_value += 1
    elif which == "text":
        points.reject(Reason.NOT_A_NUMBER)
    else:
        kind = _KINDS.get(point.metric_type, Kind.GAUGE)
        time = point.timestamp * _MILLISECOND or points.now
        value = float(getattr(point.value, which))
        points.take(point.metric, kind, (*_source(point), *point.dimensions), time, value)


def _source(point: Any) -> Encoded:
    """Return the source as a dimension before the others, under the name that SignalFx gives it."""
    if not point.source:
        return ()
    encoded: bytes = _message("Dimension")(key=_SOURCE, value=point.source).SerializeToString()
    return (encoded,)


def _take_json(point: Any, kind: Kind, points: SinglePoints) -> None:
    if not isinstance(point, dict):
        raise MalformedRequest("expected data points to be objects")
    metric, dimensions = point.get("metric"), point.get("dimensions")
    value, time = point.get("value"), point.get("timestamp")
    if not isinstance(metric, str | None):
        raise MalformedRequest("metric: expected a text")
    if not isinstance(dimensions, dict | None):
        raise MalformedRequest("dimensions: expected an object")
    if isinstance(time, bool) or not isinstance(time, int | float | None):
        raise MalformedRequest("timestamp: expected a number of milliseconds")
    if value is None:
        points.gathering.no_value += 1
    elif isinstance(value, bool) or not isinstance(value, int | float):
        points.reject(Reason.NOT_A_NUMBER)
    else:
        encoded = (_encoded(dimensions),) if dimensions else ()
        points.take(metric or "", kind, encoded, int(time or 0) * _MILLISECOND or points.now, float(value))


def _encoded(dimensions: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(dimensions)
    except orjson.JSONEncodeError as error:
        raise MalformedRequest(f"dimensions: {error}") from error


def _none(_encoded: Encoded) -> Mapping[str, str]:
    """Say that there is no resource."""
    return {}


def _read_messages(encoded: Encoded) -> dict[str, str]:
    dimensions = map(_message("Dimension").FromString, encoded)
    return {each.key: each.value for each in dimensions}


def _read_object(encoded: Encoded) -> dict[str, str]:
    return {name: attribute_text(value) for part in encoded for name, value in orjson.loads(part).items()}
