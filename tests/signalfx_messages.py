"""SignalFx data points by hand, byte by byte as their published .proto file says."""

from __future__ import annotations

import struct

from remote_write_messages import field, varint, whole

GAUGE, COUNTER, ENUM, CUMULATIVE_COUNTER = range(4)


def datum(value: float | str | None) -> bytes:
    """A value with its presence: proto2 writes zeros too."""
    if value is None:
        return b""
    if isinstance(value, str):
        return field(1, value)
    return varint(3 << 3) + varint(value) if isinstance(value, int) else b"\x11" + struct.pack("<d", value)


def data_point(
    metric: str, value: float | str | None, ms: int = 0, kind: int = 0, source: str = "", **dimensions: str
) -> bytes:
    parts = [field(1, source) if source else b"", field(2, metric), whole(3, ms)]
    parts += [b"" if value is None else field(4, datum(value)), whole(5, kind)]
    return b"".join([*parts, *(field(6, field(1, k) + field(2, v)) for k, v in dimensions.items())])


def upload(*data_points: bytes) -> bytes:
    return b"".join(field(1, each) for each in data_points)
