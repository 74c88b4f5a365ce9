"""Metric events of Splunk's HTTP Event Collector to points.

An event is a JSON object; a request holds any number of them, one after the other::

    {"time": 1447828325.123, "host": "node-1", "source": "otel", "event": "metric",
     "fields": {"metric_name:cpu.load": 0.5, "metric_name:cpu.time": 99, "region": "eu"}}

Each ``metric_name:NAME`` is a point, with the other fields as its attributes; the older form has one
metric, in ``metric_name`` and ``_value``. ``host`` is the attribute ``host.name`` (the exporter sends it
nowhere else), unless it is ``unknown``, which the exporter writes for none; ``source``, ``sourcetype``
and ``index`` are ``com.splunk.source`` and so on, as the OpenTelemetry Collector has them. Values are
stored as they come; what is a counter is found out in `hec_counters`. Times are kept to a
microsecond; an event without one is from now.

Source: "Get metrics in from other sources" and "Format events for HTTP Event Collector" of Splunk's
documentation; splunkhec exporter and receiver of the OpenTelemetry Collector.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import orjson

from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Kind
from kubestray.naming.mapping import read_mapping
from kubestray.receive.attributes import attribute_text
from kubestray.receive.catalog import Catalog, Encoded, Limits, Reason, SeriesCache
from kubestray.receive.hec_counters import Counters, kind_of
from kubestray.receive.points import Bounds, Decoded, Gathering
from kubestray.receive.single_points import SinglePoints

_NAMED = "metric_name:"

_OF_METRICS = ("metric_name", "_value", "metric_type")
"""Fields that tell of the metrics and are no attributes."""

_METADATA = {
    "host": "host.name",
    "source": "com.splunk.source",
    "sourcetype": "com.splunk.sourcetype",
    "index": "com.splunk.index",
}

_NO_HOST = "unknown"

_MICROSECONDS, _MICROSECOND = 10**6, 10**3

_BLANK = " \t\r\n"

_BETWEEN_EVENTS = re.compile(rb"\}[ \t\r\n]*\{(?=\"[A-Za-z])")

_AT_ONCE = 4 * 1024 * 1024
"""Bytes of a request whose events are all in memory at once; exporters send half as much."""

_LATEST_SECOND = 2**40
"""Beyond all that is stored: to compute with."""


class InvalidEvent(MalformedRequest):
    """A request that HEC has a number for; ``event`` is the place of the bad one, from 0, if one is."""

    def __init__(self, code: int, message: str, event: int | None = None) -> None:
        self.code, self.event = code, event
        super().__init__(message)


class Code:
    """HEC's numbers for what can be wrong with a request."""

    NO_DATA = 5
    INVALID_FORMAT = 6
    EVENT_REQUIRED = 12
    EVENT_BLANK = 13
    INDEXED_FIELDS = 15


def decode(
    body: bytes, bounds: Bounds, limits: Limits, known: SeriesCache, counters: Counters | None = None
) -> Decoded:
    """Decode the events of a request; raises InvalidEvent if one is not right, and then none is taken.

    ``counters`` are the metrics that are; without them those of the mapping that ships with the product.

    What is an event, but no metric, is rejected alone, unless there is nothing else.
    """
    points = SinglePoints((b"hec", b""), Catalog(known, limits, _none, _read), Gathering(bounds))
    counters = read_mapping().counters if counters is None else counters
    number = -1
    for number, event in enumerate(_events(body)):
        if event.get("event") == "metric":
            _take(event, number, points, counters)
        else:
            _check_event(event, number)
            points.reject(Reason.NOT_A_METRIC)
            points.expect()
    if number < 0:
        raise InvalidEvent(Code.NO_DATA, "the request holds no event")
    decoded = points.gathering.finish()
    if decoded.rejected[Reason.NOT_A_METRIC] == number + 1:
        raise InvalidEvent(Code.INVALID_FORMAT, 'no event is a metric: expected "event": "metric"', 0)
    return decoded


def _events(body: bytes) -> Iterable[dict[str, Any]]:
    """Return the objects of a request, read at once if that can be, else one by one."""
    if len(body) <= _AT_ONCE:
        # Within a text, a quote that is followed by a letter has a backslash before it: no text matches.
        listed, gaps = _BETWEEN_EVENTS.subn(b"},{", body)
        with suppress(orjson.JSONDecodeError):
            events: list[Any] = orjson.loads(b"[" + listed + b"]")
            if len(events) == gaps + 1 and all(isinstance(event, dict) for event in events):
                return events
    return _events_one_by_one(body)


def _events_one_by_one(body: bytes) -> Iterator[dict[str, Any]]:
    """Yield JSON objects that follow each other, with or without blanks between them."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEvent(Code.INVALID_FORMAT, f"not UTF-8: {error}") from error
    read, at, number = json.JSONDecoder().raw_decode, _after_blanks(text, 0), 0
    while at < len(text):
        try:
            event, at = read(text, at)
        except (ValueError, RecursionError) as error:
            raise InvalidEvent(Code.INVALID_FORMAT, f"not JSON: {error}", number) from error
        if not isinstance(event, dict):
            raise InvalidEvent(Code.INVALID_FORMAT, "expected an object", number)
        yield event
        at, number = _after_blanks(text, at), number + 1


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _check_event(event: Mapping[str, Any], number: int) -> None:
    if event.get("event") is None:
        raise InvalidEvent(Code.EVENT_REQUIRED, "an event lacks its field 'event'", number)
    if event["event"] == "":
        raise InvalidEvent(Code.EVENT_BLANK, "the field 'event' is blank", number)


def _take(event: Mapping[str, Any], number: int, points: SinglePoints, counters: Counters) -> None:
    fields = event.get("fields")
    if not isinstance(fields, dict):
        raise InvalidEvent(Code.INVALID_FORMAT, "a metric needs 'fields': an object", number)
    values = dict(_values(fields))
    if not values:
        raise InvalidEvent(Code.INVALID_FORMAT, "no field tells a metric's name and value", number)
    metric_type = fields.get("metric_type")
    attributes = (_attributes(event, fields, number),)
    time = _time(event.get("time"), number) or points.now
    for metric, value in values.items():
        if not _is_text(metric):
            raise InvalidEvent(Code.INVALID_FORMAT, "a metric's name is not valid text", number)
        points.expect()
        kind = kind_of(metric, str(metric_type or ""), counters)
        _take_value(metric, kind, attributes, time, value, points)


def _is_text(text: str) -> bool:
    """Tell whether a text can be written in UTF-8; JSON can spell such as cannot (half a surrogate pair)."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _take_value(
    metric: str, kind: Kind, attributes: Encoded, time: int, value: Any, points: SinglePoints
) -> None:
    if value is None:
        points.gathering.no_value += 1
        return
    number = _number(value)
    if number is None:
        points.reject(Reason.NOT_A_NUMBER)
    else:
        points.take(metric, kind, attributes, time, number)


def _values(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the metrics of an event: name and value as sent."""
    for name, value in fields.items():
        if name.startswith(_NAMED):
            yield name.removeprefix(_NAMED), value
    if isinstance(fields.get("metric_name"), str):
        yield fields["metric_name"], fields.get("_value")


def _attributes(event: Mapping[str, Any], fields: Mapping[str, Any], number: int) -> bytes:
    """Return what is not a metric, as JSON: text is made of it only for series that are not known."""
    found = {
        name: event[field]
        for field, name in _METADATA.items()
        if event.get(field) and not (field == "host" and event[field] == _NO_HOST)
    }
    found |= {
        name: value
        for name, value in fields.items()
        if name not in _OF_METRICS and not name.startswith(_NAMED)
    }
    if not all(map(_is_flat, found.values())):
        raise InvalidEvent(Code.INDEXED_FIELDS, "fields must not hold objects", number)
    try:
        return orjson.dumps(found)
    except orjson.JSONEncodeError as error:
        raise InvalidEvent(Code.INVALID_FORMAT, f"fields: {error}", number) from error


def _is_flat(value: Any) -> bool:
    if isinstance(value, list):
        return not any(isinstance(item, list | dict) for item in value)
    return not isinstance(value, dict)


def _number(value: Any) -> float | None:
    """Return a value, also one in a text (``"NaN"`` and ``"+Inf"`` are sent so); None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def _time(value: Any, number: int) -> int:
    """Return a time in nanoseconds, 0 if there is none; it is in seconds, as a number or a text."""
    if value in (None, ""):
        return 0
    seconds = _number(value)
    if seconds is None or not math.isfinite(seconds):
        raise InvalidEvent(Code.INVALID_FORMAT, "time: expected seconds since 1970", number)
    return round(min(max(seconds, -1.0), _LATEST_SECOND) * _MICROSECONDS) * _MICROSECOND


def _none(_encoded: Encoded) -> Mapping[str, str]:
    """Say that there is no resource."""
    return {}


def _read(encoded: Encoded) -> dict[str, str]:
    return {name: attribute_text(value) for part in encoded for name, value in orjson.loads(part).items()}
