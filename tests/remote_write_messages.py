"""Remote write requests by hand, byte by byte as the published .proto files say."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa

STALE = struct.unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))[0]
"""How Prometheus marks the end of a series."""

Labels = Sequence[tuple[str, str]]


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def field(number: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def whole(number: int, value: int) -> bytes:
    """An integer, left out if 0, as proto3 wants it."""
    return varint(number << 3) + varint(value) if value else b""


def double(number: int, value: float) -> bytes:
    raw = struct.pack("<d", value)
    return varint(number << 3 | 1) + raw if raw != bytes(8) else b""


def sample(ms: int, value: float, start: int = 0) -> bytes:
    return double(1, value) + whole(2, ms) + whole(3, start)


def histogram(
    ms: int, count: int, total: float, hint: int = 0, *, above: Sequence[int] | None = None
) -> bytes:
    """A native histogram; ``above`` counts its buckets above zero, one without it."""
    counts = [count] if above is None else above
    zigzag = [(now - before) * 2 ^ (now - before) >> 63 for before, now in pairwise([0, *counts])]
    buckets = field(11, whole(1, 2) + whole(2, len(counts))) + field(12, b"".join(map(varint, zigzag)))
    return whole(1, count) + double(3, total) + whole(4, 6) + buckets + whole(14, hint) + whole(15, ms)


def labels_of(name: str, **labels: str) -> list[tuple[str, str]]:
    named = [("__name__", name)] if name else []
    return sorted([*named, *labels.items()])


def series(labels: Labels, *samples: bytes, histograms: Sequence[bytes] = (), exemplars: int = 0) -> bytes:
    """A `TimeSeries` of 1.0."""
    parts = [field(1, field(1, name) + field(2, value)) for name, value in labels]
    parts += [field(2, each) for each in samples]
    parts += [field(3, double(2, 1.0)) for _ in range(exemplars)]
    return b"".join([*parts, *(field(4, each) for each in histograms)])


def request(*time_series: bytes, types: dict[str, int] | None = None) -> bytes:
    """A `WriteRequest` of 1.0; ``types`` is its metadata."""
    metadata = (field(3, whole(1, kind) + field(2, name)) for name, kind in (types or {}).items())
    return b"".join([*(field(1, each) for each in time_series), *metadata])


class Request2:
    """A request of 2.0, which collects its symbols."""

    def __init__(self) -> None:
        self.symbols = [""]
        self.series: list[bytes] = []

    def ref(self, text: str) -> int:
        if text not in self.symbols:
            self.symbols.append(text)
        return self.symbols.index(text)

    def add(
        self,
        labels: Labels,
        *samples: bytes,
        histograms: Sequence[bytes] = (),
        kind: int = 0,
        unit: str = "",
        created: int = 0,
        exemplar: Labels = (),
    ) -> Request2:
        refs = b"".join(varint(self.ref(text)) for pair in labels for text in pair)
        metadata = whole(1, kind) + whole(3, self.ref("some help")) + whole(4, self.ref(unit))
        parts = [field(1, refs), *(field(2, each) for each in samples)]
        parts += [field(3, each) for each in histograms]
        labelled = b"".join(varint(self.ref(text)) for pair in exemplar for text in pair)
        parts += [field(4, field(1, labelled) + double(2, 1.0)), field(5, metadata), whole(6, created)]
        self.series.append(b"".join(parts))
        return self

    def bytes(self) -> bytes:
        return b"".join(
            [*(field(4, each) for each in self.symbols), *(field(5, each) for each in self.series)]
        )


def snappy(message: bytes) -> bytes:
    return pa.Codec("snappy").compress(message, asbytes=True)
