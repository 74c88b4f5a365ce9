"""`ResourceMetrics` that differ from known ones in nothing but the numbers of their points.

A process, a pod or a node sends the same message again and again: the same resource, metrics and
attributes in the same order, with other times and values. Cut at the numbers (which have a fixed
size), such a message falls into *pieces* that are the same each time. Their digest is the key of a
`Layout`, which knows the series of every point by id; the numbers go to columns as they stand. Nothing is
parsed, whatever the number of points, and little is remembered: some 500 bytes a process, attributes of
any length.

That the cuts were made at the right places is proved once for each layout, by parsing the message
with known numbers put between the pieces. As the pieces fix every other byte and its place, what
holds for these numbers holds for all.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from kubestray.receive.catalog import SeriesCache, series_cache
from kubestray.receive.otlp_wire import wire
from kubestray.receive.points import DOUBLE_TAG, HEAD, START_TAG, TIME_TAG, Gathering
from kubestray.receive.remembered import Remembered

Digest = bytes
"""Of the pieces of a message: 128 bits of BLAKE2b, as a sender chooses what is in them (decision 4)."""

_LARGEST = 256 * 1024
"""Bytes of a message: with thousands of points it is rarely twice the same, and not worth its memory."""

_START_BYTES = 9

_UNGUESSABLE = 2**48 + secrets.randbits(47)
"""Where the numbers of probes begin: were they known, a message could be made that holds them already."""

_WITH_START = re.compile(rb"(\x11.{8}\x19.{8}[\x21\x31].{8})", re.DOTALL).split
"""Cuts out start, time and value: for points that all have a start time."""

_WITHOUT_START = re.compile(rb"(\x19.{8}[\x21\x31].{8})", re.DOTALL).split
"""Cuts out time and value; a start time, which rarely changes, stays in the piece before."""


_SEAM = secrets.token_bytes(16)
"""Put between pieces before they are digested: no sender can know it, so no two messages look alike."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the pieces say of their n points: ``ids`` are those of their series (see `points.ID`, n times).

    ``starts`` are the first bytes of the points' `HEAD` that are not cut out; empty if all is.
    """

    ids: bytes
    starts: Sequence[bytes] = ()

    def heads(self, cut: Sequence[bytes]) -> Sequence[bytes]:
        """Return the points' `HEAD` from the numbers cut out of a message."""
        return (
            [start + numbers for start, numbers in zip(self.starts, cut, strict=True)] if self.starts else cut
        )


class Layouts:
    """Layouts by the digest of their pieces; one is learned when its pieces come for the second time."""

    def __init__(self, max_entries: int = 4_000_000, max_bytes: int = 512 * 1024 * 1024) -> None:
        self.learned: Remembered[Digest, Layout] = Remembered(_size, max_entries, max_bytes)
        self._once: Remembered[Digest, bool] = Remembered(lambda *_: 200, max_entries, max_bytes // 4)

    def __len__(self) -> int:
        return len(self.learned)

    def seen_before(self, digest: Digest) -> bool:
        """Tell whether these pieces came before, and note that they came."""
        before = self._once.get(digest) is not None
        self._once.put(digest, True)
        return before


def _size(digest: Digest, layout: Layout) -> int:
    return 350 + len(digest) + len(layout.ids) + 50 * len(layout.starts)


def _digest(pieces: Sequence[bytes]) -> Digest:
    return hashlib.blake2b(_SEAM.join(pieces), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class OtlpCache:
    """All that decoding remembers between requests. It belongs to one set of `Limits`."""

    series: SeriesCache = field(default_factory=series_cache)
    layouts: Layouts = field(default_factory=Layouts)


def find_layout(message: bytes, known: Layouts) -> tuple[Layout, Sequence[bytes]] | None:
    """Return the layout of an encoded `ResourceMetrics` and its points' heads, if it is known."""
    if len(message) > _LARGEST:
        return None
    for split in (_WITH_START, _WITHOUT_START):
        pieces = split(message)
        layout = known.learned.get(_digest(pieces[::2]))
        if layout is not None:
            return layout, layout.heads(pieces[1::2])
    return None


def learn_layout(message: bytes, points: Gathering, known: Layouts) -> None:
    """Remember the layout of a message, all of whose data points are plain and in ``points``."""
    if len(message) > _LARGEST:
        return
    for split, offset in ((_WITH_START, 0), (_WITHOUT_START, _START_BYTES)):
        parts = split(message)
        if len(parts) == 2 * len(points.heads) + 1:
            digest = _digest(parts[::2])
            if known.seen_before(digest) and _is_cut_right(parts, points.heads, offset):
                starts = [head[:offset] for head in points.heads] if offset else ()
                known.learned.put(digest, Layout(b"".join(points.ids), starts))
            return


def _is_cut_right(parts: Sequence[bytes], heads: Sequence[bytes], offset: int) -> bool:
    """Tell whether what was cut out are the numbers of the points, in order, and nothing else."""
    probes = [head[:offset] + _probe(number)[offset:] for number, head in enumerate(heads)]
    message = list(parts)
    message[1::2] = [probe[offset:] for probe in probes]
    try:
        return _numbers(b"".join(message)) == probes
    except DecodeError:
        return False


def _probe(number: int) -> bytes:
    """Return the head of a point as no other number gives it, nor anything that a sender can know."""
    first = _UNGUESSABLE + 3 * number
    return HEAD.pack(START_TAG, first, TIME_TAG, first + 1, DOUBLE_TAG, first + 2)


def _numbers(message: bytes) -> list[bytes]:
    """Return the head of every number data point that parsing finds."""
    return [
        HEAD.pack(
            START_TAG, point.start_time_unix_nano, TIME_TAG, point.time_unix_nano, DOUBLE_TAG, point.as_double
        )
        for scope_metrics in wire().resource_metrics.FromString(message).scope_metrics
        for metric in scope_metrics.metrics
        if metric.WhichOneof("data") in ("gauge", "sum")
        for point in getattr(metric, metric.WhichOneof("data")).data_points
    ]
