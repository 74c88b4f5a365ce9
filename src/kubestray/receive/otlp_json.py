"""OTLP/JSON to points: the proto3 JSON mapping with OTLP's exceptions.

Accepted: 64-bit integers as numbers or strings, doubles as numbers or as the strings ``NaN``,
``Infinity`` and ``-Infinity`` (or a number in a string), enums by number or by name, field names in
lowerCamelCase or snake_case, bytes in base64 of either alphabet; null is the field's default.
Unknown fields are ignored.
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Kind
from kubestray.receive.attributes import Value, attribute_text
from kubestray.receive.catalog import Catalog, Encoded, Limits, Reason, Rejected, SeriesCache
from kubestray.receive.points import (
    Bounds,
    Decoded,
    Gathering,
    MetricPoints,
    Part,
    Temporality,
    histogram_parts,
    kind_of_sum,
    summary_parts,
)

Object = Mapping[str, Any]

_TEMPORALITIES = {
    "AGGREGATION_TEMPORALITY_UNSPECIFIED": Temporality.UNSPECIFIED,
    "AGGREGATION_TEMPORALITY_DELTA": Temporality.DELTA,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": Temporality.CUMULATIVE,
}

_DEEPEST_VALUE = 50
"""How deep attribute values may nest: about what protobuf's own limit of 100 messages allows."""


def decode_json(body: bytes, bounds: Bounds, limits: Limits, cache: SeriesCache) -> Decoded:
    """Decode an `ExportMetricsServiceRequest` (or `MetricsData`) in JSON.

    Raises MalformedRequest if the bytes are not such a message.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"not JSON: {error}") from error
    catalog = Catalog(cache, limits, _read_attributes, _read_attributes)
    gathering = Gathering(bounds)
    messages = _objects(_object(request, "the request"), "resourceMetrics")
    if len(messages) > limits.max_resources:
        raise MalformedRequest(f"more than {limits.max_resources} resources in one request")
    for resource_metrics in messages:
        _read_resource_metrics(resource_metrics, catalog, gathering)
    return gathering.finish()


def _read_resource_metrics(resource_metrics: Object, catalog: Catalog, gathering: Gathering) -> None:
    resource = _encoded_attributes(_object(_get(resource_metrics, "resource") or {}, "resource"))
    for scope_metrics in _objects(resource_metrics, "scopeMetrics"):
        for metric in _objects(scope_metrics, "metrics"):
            into = MetricPoints(catalog, gathering, resource, _text(metric, "name"), _text(metric, "unit"))
            _read_metric(metric, into)


def _read_metric(metric: Object, into: MetricPoints) -> None:
    for name, read in _READ.items():
        data = _get(metric, name)
        if data is not None:
            into.expect(len(_objects(_object(data, name), "dataPoints")))
            read(data, into)
            return


def _gauge(data: Object, into: MetricPoints) -> None:
    _numbers(data, Kind.GAUGE, into)


def _sum(data: Object, into: MetricPoints) -> None:
    is_monotonic = _get(data, "isMonotonic") or False
    if not isinstance(is_monotonic, bool):
        raise MalformedRequest(f"isMonotonic: expected true or false, not {_shown(is_monotonic)}")
    _numbers(data, kind_of_sum(is_monotonic, _temporality(data)), into)


def _numbers(data: Object, kind: Kind, into: MetricPoints) -> None:
    for point in _objects(data, "dataPoints"):
        value = _optional_double(point, "asDouble")
        if value is None and _get(point, "asInt") is not None:
            value = float(_integer(point, "asInt", -(2**63), 2**63 - 1))
        into.number(kind, *_circumstances(point), value)


def _histogram(data: Object, into: MetricPoints) -> None:
    temporality = _temporality(data)
    for point in _objects(data, "dataPoints"):
        total, low, high = (_optional_double(point, name) for name in ("sum", "min", "max"))
        _take(point, histogram_parts(temporality, _unsigned(point, "count"), total, low, high), into)


def _summary(data: Object, into: MetricPoints) -> None:
    for point in _objects(data, "dataPoints"):
        quantiles = [
            (_optional_double(each, "quantile") or 0.0, _optional_double(each, "value") or 0.0)
            for each in _objects(point, "quantileValues")
        ]
        total = _optional_double(point, "sum") or 0.0
        _take(point, summary_parts(_unsigned(point, "count"), total, quantiles), into)


_READ: dict[str, Callable[[Object, MetricPoints], None]] = {
    "gauge": _gauge,
    "sum": _sum,
    "histogram": _histogram,
    "exponentialHistogram": _histogram,
    "summary": _summary,
}


def _take(point: Object, parts: Sequence[Part], into: MetricPoints) -> None:
    into.parts(parts, *_circumstances(point))


def _circumstances(point: Object) -> tuple[Encoded, int, int, int]:
    """Return a data point's attributes, flags, time and start."""
    time, start = _unsigned(point, "timeUnixNano"), _unsigned(point, "startTimeUnixNano")
    return _encoded_attributes(point), _integer(point, "flags", 0, 2**32 - 1), time, start


# --- attributes -------------------------------------------------------------------------------------


_TOO_DEEP: Encoded = (b"",)
"""Stands for attributes that nest more deeply than can be encoded; no attributes are encoded so."""


def _encoded_attributes(holder: Object) -> Encoded:
    """Return the attributes in the form that `catalog` knows them by."""
    attributes = _get(holder, "attributes")
    if not attributes:
        return ()
    try:
        return (orjson.dumps(attributes),)
    except orjson.JSONEncodeError as error:
        if "ecursion" in str(error):
            return _TOO_DEEP
        raise MalformedRequest(f"attributes: {error}") from error


def _read_attributes(encoded: Encoded) -> dict[str, str]:
    if encoded == _TOO_DEEP:
        raise Rejected(Reason.ATTRIBUTE_TOO_DEEP)
    return {
        sys.intern(name): attribute_text(value)
        for part in encoded
        for name, value in _key_values({"attributes": orjson.loads(part)}, "attributes", 0).items()
    }


def _key_values(holder: Object, name: str, depth: int) -> dict[str, Value]:
    return {
        _text(each, "key"): _value(_object(_get(each, "value") or {}, "value"), depth)
        for each in _objects(holder, name)
    }


def _value(value: Object, depth: int) -> Value:
    if depth > _DEEPEST_VALUE:
        raise Rejected(Reason.ATTRIBUTE_TOO_DEEP)
    for name, read in _VALUES.items():
        if _get(value, name) is not None:
            return read(value, name, depth)
    return None


def _bool(value: Object, name: str, _depth: int) -> bool:
    found = _get(value, name)
    if not isinstance(found, bool):
        raise MalformedRequest(f"{name}: expected true or false, not {_shown(found)}")
    return found


def _bytes(value: Object, name: str, _depth: int) -> bytes:
    text = _text(value, name).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise MalformedRequest(f"{name}: not base64: {error}") from error


def _array(value: Object, name: str, depth: int) -> list[Value]:
    values = _objects(_object(_get(value, name), name), "values")
    return [_value(item, depth + 1) for item in values]


_VALUES: dict[str, Callable[[Object, str, int], Value]] = {
    "stringValue": lambda value, name, _: _text(value, name),
    "boolValue": _bool,
    "intValue": lambda value, name, _: _integer(value, name, -(2**63), 2**63 - 1),
    "doubleValue": lambda value, name, _: _optional_double(value, name),
    "bytesValue": _bytes,
    "arrayValue": _array,
    "kvlistValue": lambda value, name, depth: _key_values(
        _object(_get(value, name), name), "values", depth + 1
    ),
}


# --- fields of the JSON mapping ---------------------------------------------------------------------

_FIELDS = """
    asDouble asInt aggregationTemporality arrayValue boolValue bytesValue dataPoints doubleValue
    exponentialHistogram intValue isMonotonic kvlistValue quantileValues resourceMetrics scopeMetrics
    startTimeUnixNano stringValue timeUnixNano
"""

_DIGITS = re.compile(r"-?[0-9]{1,20}")
_DECIMAL = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})

_SNAKE_CASE = {name: re.sub("([A-Z])", r"_\1", name).lower() for name in _FIELDS.split()}


def _get(message: Object, name: str) -> Any:
    """Return a field under either spelling; None if it is absent or null."""
    found = message.get(name)
    return message.get(_SNAKE_CASE.get(name, name)) if found is None else found


def _object(value: object, name: str) -> Object:
    if not isinstance(value, dict):
        raise MalformedRequest(f"{name}: expected a JSON object, not {_shown(value)}")
    return value


def _objects(message: Object, name: str) -> Sequence[Object]:
    found = _get(message, name)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise MalformedRequest(f"{name}: expected a JSON array, not {_shown(found)}")
    for item in found:
        if not isinstance(item, dict):
            raise MalformedRequest(f"an item of {name}: expected a JSON object, not {_shown(item)}")
    return found


def _text(message: Object, name: str) -> str:
    found = _get(message, name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise MalformedRequest(f"{name}: expected a string, not {_shown(found)}")
    return found


def _unsigned(message: Object, name: str) -> int:
    return _integer(message, name, 0, 2**64 - 1)


def _integer(message: Object, name: str, lowest: int, highest: int) -> int:
    found = _get(message, name)
    if found is None:
        return 0
    # The common form first: this runs three times a point.
    plain = type(found) is str and found.isascii() and found.isdecimal() and len(found) <= 20
    number = int(found) if plain else _whole(found)
    if number is None or not lowest <= number <= highest:
        raise MalformedRequest(f"{name}: expected a whole number in range, not {_shown(found)}")
    return number


def _whole(found: object) -> int | None:
    """Return an integer written as a number or as a string (``1e3`` and ``5.0`` are whole too)."""
    if isinstance(found, str):
        found = int(found) if _DIGITS.fullmatch(found) else _number(found)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return int(found) if isinstance(found, int) or found.is_integer() else None


def _optional_double(message: Object, name: str) -> float | None:
    found = _get(message, name)
    if found is None:
        return None
    number = _number(found) if isinstance(found, str) else found
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise MalformedRequest(f"{name}: expected a number, not {_shown(found)}")
    return float(number)


def _number(text: str) -> float | None:
    return float(text) if text in _NOT_FINITE or _DECIMAL.fullmatch(text) else None


def _temporality(data: Object) -> int:
    found = _get(data, "aggregationTemporality")
    if isinstance(found, str) and found in _TEMPORALITIES:
        return _TEMPORALITIES[found]
    return _integer(data, "aggregationTemporality", -(2**31), 2**31 - 1)


def _shown(value: object) -> str:
    """Return a value for an error message, short whatever was sent."""
    text = repr(value) if isinstance(value, str | int | float) else type(value).__name__
    return text if len(text) <= 40 else f"{text[:40]}…"
