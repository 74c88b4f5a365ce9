"""`ResourceMetrics` that differ from known ones in nothing but the numbers of their points.

A process, a pod or a node sends the same message again and again: the same resource, metrics and
attributes in the same order, with other times and values. A `Layout` knows where in such a message the
numbers are and which series each point belongs to. It is found by the resource and the length of the message;
that the message is one of its kind is told by its digest with all numbers set to zero. Then the numbers go to
columns as they stand, those of all messages of a request at once, and nothing is parsed.

That the places are right is proved once for each layout, by parsing the message with known numbers in
these places. As the digest fixes every other byte, what holds for these numbers holds for all.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from kubestray.receive.catalog import SeriesCache, series_cache
from kubestray.receive.digest import Digest, digest
from kubestray.receive.otlp_wire import wire
from kubestray.receive.points import DOUBLE_TAG, HEAD, INT_TAG, START_TAG, TIME_TAG, Gathering
from kubestray.receive.remembered import Remembered

_LARGEST = 256 * 1024
"""Bytes of a message: with thousands of points it is rarely twice the same, and not worth its memory."""

_RESOURCE_TAG = 0x0A

_LONGEST_HEAD = 4
"""Bytes at the beginning of a message that tell how long its resource is."""

_START_BYTES = 9
"""Of a point before the tag of its time: a tag and the number."""

_UNGUESSABLE = 2**48 + secrets.randbits(47)
"""Where the numbers of probes begin: were they known, a message could be made that holds them already."""

_WITH_START = re.compile(rb"(\x11.{8}\x19.{8}[\x21\x31].{8})", re.DOTALL).split
"""Cuts out start, time and value: for points that all have a start time."""

_WITHOUT_START = re.compile(rb"(\x19.{8}[\x21\x31].{8})", re.DOTALL).split
"""Cuts out time and value; a start time, which rarely changes, is a part of what is digested."""

_NUMBERS = np.dtype([("_", "u1"), ("time", "<u8"), ("tag", "u1"), ("value", "<u8")])
"""What a point is made of from the tag of its time on: 18 bytes."""

_PLACE = np.dtype("<i4")

_START = np.dtype("<u8")

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a message of n points and of ``length`` bytes.

    ``ids`` are those of their series (see `points.ID`, n times), ``places`` where the tag of each time is
    (`_PLACE`, n times). ``starts`` are the start times (u64, n times) where these are a part of what is
    digested; empty where they are numbers like the others, in the eight bytes before each place.
    """

    length: int
    digest: Digest
    ids: bytes
    places: bytes
    starts: bytes = b""


class Recognised(NamedTuple):
    """The points of messages whose layout is known, in columns: see `Gathering.add_columns`.

    ``ids`` and ``messages`` are by message; ``others`` are the messages that are not recognised.
    """

    series_id: U64
    time: U64
    start: U64
    value: npt.NDArray[np.float64]
    ids: Sequence[bytes]
    messages: Sequence[bytes]
    others: Sequence[bytes]


class Layouts:
    """Layouts by resource and length; one is learned when its message comes for the second time."""

    def __init__(self, max_entries: int = 4_000_000, max_bytes: int = 512 * 1024 * 1024) -> None:
        self.learned: Remembered[int, Layout] = Remembered(_size, max_entries, max_bytes)
        self.requests: Remembered[Digest, bool] = Remembered(lambda *_: 200, max_entries, max_bytes // 16)
        """Digests of messages, one after the other, each of which had the digest of its layout."""
        self._once: Remembered[Digest, bool] = Remembered(lambda *_: 200, max_entries, max_bytes // 4)

    def __len__(self) -> int:
        return len(self.learned)

    def seen_before(self, found: Digest) -> bool:
        """Tell whether such a message came before, and note that it came."""
        before = self._once.get(found) is not None
        self._once.put(found, True)
        return before


def _size(_key: int, layout: Layout) -> int:
    return 500 + len(layout.digest) + len(layout.ids) + len(layout.places) + len(layout.starts)


@dataclass(frozen=True, slots=True)
class OtlpCache:
    """All that decoding remembers between requests. It belongs to one set of `Limits`."""

    series: SeriesCache = field(default_factory=series_cache)
    layouts: Layouts = field(default_factory=Layouts)


def recognise(messages: Sequence[bytes], known: Layouts) -> Recognised | None:
    """Return the points of those encoded `ResourceMetrics` that are known; None if there are none."""
    found = known.learned.get_all(list(map(_key, messages)))
    fit = [
        layout is not None and layout.length == len(message)
        for layout, message in zip(found, messages, strict=True)
    ]
    layouts = [layout for layout, fits in zip(found, fit, strict=True) if layout is not None and fits]
    if not layouts:
        return None
    cut = _Cut.of(layouts, list(compress(messages, fit)))
    right = cut.right(known)
    if not all(right):
        if not any(right):
            return None
        cut = _Cut.of(list(compress(layouts, right)), list(compress(cut.messages, right)))
        verdict = iter(right)
        fit = [fits and next(verdict) for fits in fit]
    return cut.recognised([message for message, fits in zip(messages, fit, strict=True) if not fits])


def _key(message: bytes) -> int:
    """Return a number that messages of one resource and length have in common, and hardly any others."""
    end = 256
    if len(message) > _LONGEST_HEAD and message[0] == _RESOURCE_TAG:
        # The resource comes first; its length has one byte, or else is taken for one of two.
        end = message[1] + 2 if message[1] < 0x80 else (message[1] & 0x7F) + (message[2] << 7) + 3
    return hash(message[:end]) ^ len(message)


class _Cut(NamedTuple):
    """Messages one after the other, each with a layout; their numbers are taken out, zero in ``rest``."""

    layouts: Sequence[Layout]
    messages: Sequence[bytes]
    rest: bytearray
    numbers: npt.NDArray[Any]
    """Of each point, see `_NUMBERS`."""
    start: U64

    @staticmethod
    def of(layouts: Sequence[Layout], messages: Sequence[bytes]) -> _Cut:
        rest = bytearray().join(messages)
        points = np.array([len(layout.places) for layout in layouts]) // _PLACE.itemsize
        begins = np.cumsum([0, *map(len, messages[:-1])])
        written = b"".join([layout.places for layout in layouts])
        places = np.frombuffer(written, _PLACE) + np.repeat(begins, points)
        moving = np.repeat([not layout.starts for layout in layouts], points)
        start = np.empty(len(places), np.uint64)
        start[~moving] = np.frombuffer(b"".join([layout.starts for layout in layouts]), _START)
        start[moving] = _take_starts(rest, places[moving])
        return _Cut(layouts, messages, rest, _take_numbers(rest, places), start)

    def right(self, known: Layouts) -> Sequence[bool]:
        """Tell of each message whether it is what its layout says."""
        shapes = [(layout.length, len(layout.places), bool(layout.starts)) for layout in self.layouts]
        written = [layout.places for layout in self.layouts]
        whole = digest(b"".join((*written, np.array(shapes).tobytes())), self.rest)
        if known.requests.get(whole):
            return [True] * len(self.layouts)
        right, begin, rest = [], 0, memoryview(self.rest)
        for layout in self.layouts:
            end = begin + layout.length
            right.append(digest(layout.places, rest[begin:end]) == layout.digest)
            begin = end
        if all(right):
            known.requests.put(whole, True)
        return right

    def recognised(self, others: Sequence[bytes]) -> Recognised:
        """Return the points in columns."""
        ids = [layout.ids for layout in self.layouts]
        held = self.numbers["value"]
        value = held.view("<f8")
        integers = self.numbers["tag"] == INT_TAG
        if integers.any():
            value = np.where(integers, held.astype(np.int64).astype(np.float64), value)
        return Recognised(
            np.frombuffer(b"".join(ids), "<u8"),
            self.numbers["time"],
            self.start,
            value,
            ids,
            self.messages,
            others,
        )


def _take_numbers(rest: bytearray, places: I64) -> npt.NDArray[Any]:
    """Return the numbers that lie at these places, and set them to zero; tags only if they are a value's."""
    everywhere = _window(rest, _NUMBERS)
    numbers = everywhere[places]
    blank = np.zeros_like(numbers)
    blank["_"] = numbers["_"]
    tags = numbers["tag"]
    blank["tag"] = np.where((tags == DOUBLE_TAG) | (tags == INT_TAG), 0, tags)
    everywhere[places] = blank
    return numbers


def _take_starts(rest: bytearray, places: I64) -> U64:
    """Return the start times before these places, and set them to zero."""
    everywhere = _window(rest, _START)
    before = places - _START.itemsize
    starts = everywhere[before]
    everywhere[before] = 0
    return starts


def _window(buffer: bytearray, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return what lies at every place of a buffer if it is taken for an item of this kind."""
    return np.ndarray((max(len(buffer) - kind.itemsize + 1, 0),), kind, buffer, strides=(1,))


def learn_layout(message: bytes, points: Gathering, known: Layouts) -> None:
    """Remember the layout of a message, all of whose data points are plain and in ``points``."""
    if len(message) > _LARGEST:
        return
    for split, offset in ((_WITH_START, 0), (_WITHOUT_START, _START_BYTES)):
        parts = split(message)
        if len(parts) == 2 * len(points.heads) + 1:
            layout = _layout(message, parts, points, offset)
            if known.seen_before(layout.digest) and _is_cut_right(parts, points.heads, offset):
                known.learned.put(_key(message), layout)
            return


def _layout(message: bytes, parts: Sequence[bytes], points: Gathering, offset: int) -> Layout:
    """Return the layout of a message that was cut into parts, of which each second one is a point's."""
    ends = np.cumsum([len(part) for part in parts])
    places = ends[1::2] - _NUMBERS.itemsize
    rest = bytearray(message)
    _take_numbers(rest, places)
    if not offset:
        _take_starts(rest, places)
    starts = b"".join(head[1:offset] for head in points.heads) if offset else b""
    written = places.astype(_PLACE).tobytes()
    return Layout(len(message), digest(written, rest), b"".join(points.ids), written, starts)


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
