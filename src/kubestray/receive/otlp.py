"""OTLP metrics in bytes to a `Batch`.

`decode_protobuf` and `decode_json` take an `ExportMetricsServiceRequest` (or `MetricsData`, which is
the same on the wire). Both raise MalformedRequest if the bytes are something else, and otherwise
keep every good point: single data points are rejected one by one and counted by `Reason`.

Source: opentelemetry-proto 1.x `metrics.proto`; OTLP specification, "OTLP/HTTP, JSON Protobuf Encoding".
"""

from __future__ import annotations

from kubestray.receive.attributes import attribute_text
from kubestray.receive.catalog import Limits, Reason
from kubestray.receive.otlp_json import decode_json as _decode_json
from kubestray.receive.otlp_layout import OtlpCache
from kubestray.receive.otlp_protobuf import decode_protobuf as _decode_protobuf
from kubestray.receive.points import Bounds, Decoded

__all__ = [
    "Bounds",
    "Decoded",
    "Limits",
    "OtlpCache",
    "Reason",
    "attribute_text",
    "decode_json",
    "decode_protobuf",
]

_CACHE = OtlpCache()
"""What all receivers of this process remember together: one bound on memory, not one per receiver."""


def decode_protobuf(
    body: bytes, bounds: Bounds, limits: Limits | None = None, cache: OtlpCache | None = None
) -> Decoded:
    """Decode a metrics request in protobuf; without ``limits`` the defaults hold.

    ``cache`` is what to remember from call to call; other limits need a cache of their own.
    """
    return _decode_protobuf(body, bounds, limits or Limits(), cache or _CACHE)


def decode_json(
    body: bytes, bounds: Bounds, limits: Limits | None = None, cache: OtlpCache | None = None
) -> Decoded:
    """Decode a metrics request in JSON; without ``limits`` the defaults hold.

    ``cache`` is what to remember from call to call; other limits need a cache of their own.
    """
    return _decode_json(body, bounds, limits or Limits(), (cache or _CACHE).series)
