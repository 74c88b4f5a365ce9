"""What `ResourceMetrics` of different resources have in common: all behind the resource, but its numbers.

The processes of a node, or the pods, differ in their resource and in the numbers of their points. Behind the
resource each has the same metrics, attributes of points and descriptions in the same places. A `Shape` is
that: where the numbers are, and what each point is. Of a resource that was never seen only the resource is
parsed then.

A message is of a shape if what follows its resource has the shape's length, and its digest with all numbers
set to zero. That the places are right is proved once for each shape, by parsing it with known numbers in
these places. As the digest fixes every other byte, what holds for these numbers holds for all.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from kubestray.model.metric import Kind
from kubestray.receive.catalog import Encoded
from kubestray.receive.digest import Digest, digest
from kubestray.receive.otlp_wire import wire
from kubestray.receive.points import DOUBLE_TAG, INT_TAG, START_TAG, TIME_TAG, kind_of_sum

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

PLACE = np.dtype("<i4")

_RESOURCE_TAG = b"\x0a"

_START = np.dtype("<u8")
_START_BYTES = 1 + _START.itemsize

_NUMBERS = np.dtype([("_", "u1"), ("time", "<u8"), ("tag", "u1"), ("value", "<u8")])
"""What a point is made of from the tag of its time on: 18 bytes."""

_CUT = re.compile(rb"(\x19.{8}[\x21\x31].{8})", re.DOTALL).split
"""Cuts out time and value, as every known exporter writes them: fields in ascending order."""

_UNGUESSABLE = 2**48 + secrets.randbits(47)
"""Where the numbers of probes begin: were they known, a message could be made that holds them already."""


class PointShape(NamedTuple):
    """A point without its numbers."""

    metric: str
    unit: str
    kind: Kind
    attributes: Encoded


@dataclass(frozen=True, slots=True)
class Shape:
    """What follows the resource in a message: n points in so many bytes (``length``).

    ``places`` are where the tags of the times are (`PLACE`, n times), ``starts`` tells which points have a
    start time before it (a byte each). ``digest`` is with all these numbers set to zero.
    """

    length: int
    digest: Digest
    places: bytes
    starts: bytes
    points: tuple[PointShape, ...]


def resource_of(message: bytes) -> tuple[int, int]:
    """Return where the resource lies that a message begins with; 0 and 0 if that is another field."""
    if message[:1] != _RESOURCE_TAG:
        return 0, 0
    size = 0
    for place, byte in enumerate(message[1:4]):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return place + 2, place + 2 + size
    return 0, 0


def shape_key(rest: bytes) -> int:
    """Return a number that what follows a resource has in common with others of its shape."""
    return hash(rest[:64]) ^ len(rest)


class Numbers(NamedTuple):
    """The numbers of points: `_NUMBERS` and start times, 0 where there is none."""

    told: npt.NDArray[Any]
    start: U64

    @property
    def time(self) -> U64:
        """The times."""
        return np.asarray(self.told["time"])

    @property
    def value(self) -> npt.NDArray[np.float64]:
        """The values; integers as the doubles that are nearest."""
        held = self.told["value"]
        integers = self.told["tag"] == INT_TAG
        if not integers.any():
            return np.asarray(held.view("<f8"))
        return np.where(integers, held.astype(np.int64).astype(np.float64), held.view("<f8"))


def take_numbers(content: bytearray, places: I64, with_start: npt.NDArray[np.bool_]) -> Numbers:
    """Take the numbers of points out of messages: zero is left in their places.

    The tag of a value is a number here too if it is that of a double or an integer; others stay.
    """
    everywhere = _window(content, _NUMBERS)
    told = everywhere[places]
    blank = np.zeros_like(told)
    blank["_"] = told["_"]
    tags = told["tag"]
    blank["tag"] = np.where((tags == DOUBLE_TAG) | (tags == INT_TAG), 0, tags)
    everywhere[places] = blank
    start = np.zeros(len(places), np.uint64)
    before = places[with_start] - _START.itemsize
    if len(before):
        everywhere = _window(content, _START)
        start[with_start] = everywhere[before]
        everywhere[before] = 0
    return Numbers(told, start)


def _window(buffer: bytearray, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return what lies at every place of a buffer if it is taken for an item of this kind."""
    return np.ndarray((max(len(buffer) - kind.itemsize + 1, 0),), kind, buffer, strides=(1,))


def numbers_of(rest: bytes, shape: Shape) -> tuple[Numbers, bytearray] | None:
    """Return the numbers in what follows a resource, and it without them; None if it is not of the shape."""
    if len(rest) != shape.length:
        return None
    content = bytearray(rest)
    places = np.frombuffer(shape.places, PLACE).astype(np.int64)
    numbers = take_numbers(content, places, np.frombuffer(shape.starts, np.bool_))
    return (numbers, content) if digest(shape.places, content) == shape.digest else None


def shape_of(rest: bytes) -> Shape | None:
    """Return the shape of what follows a resource, if numbers are where they usually are; it is not proved.

    All data points are of gauges and sums, and have values. Raises `DecodeError`.
    """
    found = plain_points(wire().resource_metrics.FromString(rest))
    parts = _CUT(rest)
    if len(parts) != 2 * len(found) + 1:
        return None
    places = np.array(list(accumulate(map(len, parts)))[1::2], np.int64) - _NUMBERS.itemsize
    with_start = [
        bool(point.start_time_unix_nano)
        and rest[place - _START_BYTES : place] == b"\x11" + point.start_time_unix_nano.to_bytes(8, "little")
        for (_, point), place in zip(found, places.tolist(), strict=True)
    ]
    content = bytearray(rest)
    take_numbers(content, places, np.array(with_start, np.bool_))
    written = places.astype(PLACE).tobytes()
    return Shape(len(rest), digest(written, content), written, bytes(with_start), _shapes(found))


def is_right(rest: bytes, shape: Shape) -> bool:
    """Tell whether the numbers of the points are in the places of their shape, in order, and nowhere else."""
    content = bytearray(rest)
    places = np.frombuffer(shape.places, PLACE).tolist()
    probes = []
    for number, (place, with_start) in enumerate(zip(places, shape.starts, strict=True)):
        start, time, value = (_UNGUESSABLE + 3 * number + further for further in range(3))
        content[place : place + _NUMBERS.itemsize] = (
            bytes([TIME_TAG]) + time.to_bytes(8, "little") + bytes([INT_TAG]) + value.to_bytes(8, "little")
        )
        if with_start:
            content[place - _START_BYTES : place] = bytes([START_TAG]) + start.to_bytes(8, "little")
        probes.append((start if with_start else 0, time, value))
    try:
        found = wire().resource_metrics.FromString(bytes(content))
    except DecodeError:
        return False
    points = plain_points(found)
    told = [(point.start_time_unix_nano, point.time_unix_nano, point.as_int) for _, point in points]
    return not found.resource and told == probes and _shapes(points) == shape.points


def plain_points(message: Any) -> list[tuple[Any, Any]]:
    """Return the points of gauges and sums of a `ResourceMetrics`, each with its metric."""
    return [
        (metric, point)
        for scope_metrics in message.scope_metrics
        for metric in scope_metrics.metrics
        if metric.WhichOneof("data") in ("gauge", "sum")
        for point in getattr(metric, metric.WhichOneof("data")).data_points
    ]


def _shapes(points: Sequence[tuple[Any, Any]]) -> tuple[PointShape, ...]:
    return tuple(
        PointShape(metric.name, metric.unit, _kind(metric), tuple(point.attributes))
        for metric, point in points
    )


def _kind(metric: Any) -> Kind:
    if metric.WhichOneof("data") == "gauge":
        return Kind.GAUGE
    return kind_of_sum(metric.sum.is_monotonic, metric.sum.aggregation_temporality)
