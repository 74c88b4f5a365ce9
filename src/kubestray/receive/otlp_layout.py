"""`ResourceMetrics` that differ from known ones in nothing but the numbers of their points.

A process, a pod or a node sends the same message again and again: the same resource, metrics and
attributes in the same order, with other times and values. A `Layout` is that of one resource: where the
numbers are in such a message, and which series each point belongs to. It is found by the resource and the
length of the message; that the message is one of its kind is told by its digest with all numbers set to
zero. Then the numbers go to columns as they stand, those of all messages of a request at once, and nothing is
parsed.

That the places are right was proved for the `Shape` that the layout was made with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import NamedTuple

import numpy as np

from kubestray.receive.catalog import SeriesCache, series_cache
from kubestray.receive.digest import Digest, digest
from kubestray.receive.otlp_shape import (
    PLACE,
    U64,
    Numbers,
    Shape,
    is_right,
    numbers_of,
    resource_of,
    shape_key,
    shape_of,
    take_numbers,
)
from kubestray.receive.points import ID
from kubestray.receive.remembered import Remembered

_LARGEST = 256 * 1024
"""Bytes of a message: with thousands of points it is rarely twice the same, and not worth its memory."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a message of n points and of ``length`` bytes; see `Shape`.

    ``ids`` are those of their series (see `points.ID`, n times).
    """

    length: int
    digest: Digest
    places: bytes
    starts: bytes
    ids: bytes


class Recognised(NamedTuple):
    """The points of messages whose layout is known.

    ``ids`` and ``messages`` are by message; ``others`` are the messages that are not recognised.
    """

    series_id: U64
    numbers: Numbers
    ids: Sequence[bytes]
    messages: Sequence[bytes]
    others: Sequence[bytes]


class Layouts:
    """Layouts by resource and length, and shapes; a shape is learned when it comes for the second time."""

    def __init__(self, max_entries: int = 4_000_000, max_bytes: int = 512 * 1024 * 1024) -> None:
        self.learned: Remembered[int, Layout] = Remembered(_size, max_entries, max_bytes)
        self.shapes: Remembered[int, Shape] = Remembered(_size_of_shape, max_entries, max_bytes // 4)
        self.requests: Remembered[Digest, bool] = Remembered(lambda *_: 200, max_entries, max_bytes // 16)
        """Digests of layouts and messages, one after the other, each of which had that of its layout."""
        self._once: Remembered[Digest, bool] = Remembered(lambda *_: 200, max_entries, max_bytes // 8)

    def __len__(self) -> int:
        return len(self.learned)

    def seen_before(self, shape: Shape) -> bool:
        """Tell whether this shape came before, and note that it came."""
        before = self._once.get(shape.digest) is not None
        self._once.put(shape.digest, True)
        return before

    def learn(self, message: bytes, shape: Shape, content: bytes | bytearray, ids: bytes) -> None:
        """Remember the layout of a message of this shape.

        ``content`` is what follows its resource, with all numbers set to zero.
        """
        _, end = resource_of(message)
        places = (np.frombuffer(shape.places, PLACE) + end).astype(PLACE).tobytes()
        whole = digest(places, message[:end] + content)
        self.learned.put(_key(message, end), Layout(len(message), whole, places, shape.starts, ids))


def _size(_key: int, layout: Layout) -> int:
    return 500 + len(layout.digest) + len(layout.ids) + len(layout.places) + len(layout.starts)


def _size_of_shape(_key: int, shape: Shape) -> int:
    texts = sum(
        len(point.metric) + len(point.unit) + sum(map(len, point.attributes)) for point in shape.points
    )
    return 500 + 5 * len(shape.places) + 300 * len(shape.points) + texts


@dataclass(frozen=True, slots=True)
class OtlpCache:
    """All that decoding remembers between requests. It belongs to one set of `Limits`."""

    series: SeriesCache = field(default_factory=series_cache)
    layouts: Layouts = field(default_factory=Layouts)


def recognise(messages: Sequence[bytes], known: Layouts) -> Recognised | None:
    """Return the points of those encoded `ResourceMetrics` that are known; None if there are none."""
    found = known.learned.get_all([_key(message, resource_of(message)[1]) for message in messages])
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
    ids = [layout.ids for layout in cut.layouts]
    others = [message for message, fits in zip(messages, fit, strict=True) if not fits]
    return Recognised(np.frombuffer(b"".join(ids), "<u8"), cut.numbers, ids, cut.messages, others)


def _key(message: bytes, end: int) -> int:
    """Return a number that messages of one resource and length have in common, and hardly any others."""
    return hash(message[:end]) ^ len(message)


class _Cut(NamedTuple):
    """Messages one after the other, each with a layout; their numbers are taken out, zero in ``content``."""

    layouts: Sequence[Layout]
    messages: Sequence[bytes]
    content: bytearray
    numbers: Numbers

    @staticmethod
    def of(layouts: Sequence[Layout], messages: Sequence[bytes]) -> _Cut:
        content = bytearray().join(messages)
        points = [len(layout.starts) for layout in layouts]
        begins = np.cumsum([0, *map(len, messages[:-1])])
        places = np.frombuffer(b"".join([layout.places for layout in layouts]), PLACE)
        starts = np.frombuffer(b"".join([layout.starts for layout in layouts]), np.bool_)
        numbers = take_numbers(content, places + np.repeat(begins, points), starts)
        return _Cut(layouts, messages, content, numbers)

    def right(self, known: Layouts) -> Sequence[bool]:
        """Tell of each message whether it is what its layout says."""
        sizes = [(layout.length, len(layout.starts)) for layout in self.layouts]
        # What is remembered is that these messages are of these layouts: of one resource and length there may
        # be others, whose numbers are in the same places.
        written = [part for layout in self.layouts for part in (layout.digest, layout.places, layout.starts)]
        whole = digest(b"".join((*written, np.array(sizes).tobytes())), self.content)
        if known.requests.get(whole):
            return [True] * len(self.layouts)
        right, begin, content = [], 0, memoryview(self.content)
        for layout in self.layouts:
            end = begin + layout.length
            right.append(digest(layout.places, content[begin:end]) == layout.digest)
            begin = end
        if all(right):
            known.requests.put(whole, True)
        return right


def known_shape(message: bytes, known: Layouts) -> Shape | None:
    """Return the shape that a message may be of; `otlp_shape.numbers_of` tells whether it is."""
    if len(message) > _LARGEST:
        return None
    return known.shapes.get(shape_key(message[resource_of(message)[1] :]))


def learn_shape(message: bytes, ids: bytes, known: Layouts) -> None:
    """Remember the shape of a message, and its layout, when the shape comes for the second time.

    All of its data points are plain, and of series ``ids``.
    """
    if len(message) > _LARGEST:
        return
    rest = message[resource_of(message)[1] :]
    shape = shape_of(rest)
    if (
        shape is not None
        and len(shape.starts) * ID.size == len(ids)
        and known.seen_before(shape)
        and is_right(rest, shape)
    ):
        known.shapes.put(shape_key(rest), shape)
        taken = numbers_of(rest, shape)
        if taken is not None:
            known.learn(message, shape, taken[1], ids)
