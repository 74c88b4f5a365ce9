"""Attribute values as text, the same whichever encoding they came in.

========================  ==============================================================
value                     text
========================  ==============================================================
string                    as it is
bool                      ``true``, ``false``
int                       decimal
double                    the shortest decimal that reads back the same; without ``.0``
                          and with an exponent only below 1e-6 and from 1e21 up, as the
                          OpenTelemetry Collector writes it; ``NaN``, ``Infinity``,
                          ``-Infinity``
bytes                     base64 with padding
array, key-value list     compact JSON, names sorted, bytes as base64
nothing                   the empty string
========================  ==============================================================
"""

from __future__ import annotations

import base64
import math
from decimal import Decimal
from typing import TypeAlias

import orjson

Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"
"""An OTLP `AnyValue` in Python's own types; None is an empty value."""


def attribute_text(value: Value) -> str:
    """Return the text an attribute value is stored as.

    >>> attribute_text(1.0), attribute_text([True, {"b": 1.5, "a": None}])
    ('1', '[true,{"a":null,"b":1.5}]')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _double_text(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _json_text(value)


def _double_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    digits, exponent = repr(value).split("e")
    return f"{digits}e{int(exponent):+d}"


def _json_text(value: Value) -> str:
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Value) -> object:
    """Return a value that orjson prints as `attribute_text` says."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, float):
        return _plain_double(value)
    return attribute_text(value) if isinstance(value, bytes) else value


def _plain_double(value: float) -> object:
    if not math.isfinite(value):
        return _double_text(value)
    return orjson.Fragment(_double_text(value))
