"""Series that a batch names by id alone: their attributes lie in the messages they came in, still unread.

A steady stream names the same series again and again, and whoever stores it knows nearly all of them. So
a decoder that recognises a message keeps its bytes, and reads them if somebody asks after all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt


class Identified(Protocol):
    """What has the id of a series: `metric.Series`, whose module uses this one."""

    @property
    def id(self) -> int:
        """The 64-bit identity."""
        ...


S = TypeVar("S", bound=Identified)


@dataclass(frozen=True, slots=True)
class Unread(Generic[S]):
    """Messages that were recognised and not read.

    ``ids`` are the series of the points of each of the ``messages``, as little-endian u64; ``read`` gives
    all the series of a message.
    """

    ids: Sequence[bytes]
    messages: Sequence[bytes]
    read: Callable[[bytes], Iterable[S]]

    def find(self, wanted: npt.NDArray[np.uint64]) -> Iterator[S]:
        """Yield the series of the messages that hold any of the wanted ones."""
        ends = np.cumsum([len(ids) // 8 for ids in self.ids])
        places = np.flatnonzero(np.isin(np.frombuffer(b"".join(self.ids), "<u8"), wanted))
        for number in np.unique(np.searchsorted(ends, places, side="right")).tolist():
            yield from self.read(self.messages[number])


class SeriesOfBatch(Mapping[int, S]):
    """The series of a batch by id: those that were read, and those that are read when asked for.

    `find` reads the messages it needs; any other question reads all of them, once.
    ``only`` are the ids there are, if messages hold more.
    """

    def __init__(
        self, told: dict[int, S], unread: Sequence[Unread[S]], only: frozenset[int] | None = None
    ) -> None:
        self._told, self._unread, self._only = told, tuple(unread), only

    def find(self, wanted: Collection[int]) -> dict[int, S]:
        """Return the wanted series; others of the same messages may be among them."""
        found = {key: self._told[key] for key in wanted if key in self._told}
        missing = [key for key in wanted if key not in found]
        if missing:
            ids = np.array(missing, np.uint64)
            found.update(
                (one.id, one) for each in self._unread for one in each.find(ids) if self._has(one.id)
            )
        return found

    @property
    def unread_bytes(self) -> int:
        """How many bytes of messages are held."""
        return sum(sum(map(len, each.messages)) for each in self._unread)

    def limited_to(self, ids: Collection[int]) -> SeriesOfBatch[S]:
        """Return the same with just these series."""
        told = {key: series for key, series in self._told.items() if key in ids}
        return SeriesOfBatch(told, self._unread, frozenset(ids))

    @classmethod
    def union(cls, parts: Sequence[Mapping[int, S]]) -> SeriesOfBatch[S]:
        """Return the series of several batches, and perhaps some of which they have no point."""
        told: dict[int, S] = {}
        unread: list[Unread[S]] = []
        for part in parts:
            if isinstance(part, SeriesOfBatch):
                told.update(part._told)
                unread += part._unread
            else:
                told.update(part)
        return cls(told, unread)

    def _has(self, key: int) -> bool:
        return self._only is None or key in self._only

    def _all(self) -> dict[int, S]:
        for each in self._unread:
            for message in each.messages:
                self._told.update((one.id, one) for one in each.read(message) if self._has(one.id))
        self._unread = ()
        return self._told

    def __getitem__(self, key: int) -> S:
        return self._told[key] if key in self._told else self._all()[key]

    def __iter__(self) -> Iterator[int]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def series_of(series: Mapping[int, S], wanted: Collection[int]) -> dict[int, S]:
    """Return the wanted series of a batch; perhaps others of it too, that came in the same messages."""
    if isinstance(series, SeriesOfBatch):
        return series.find(wanted)
    return {key: series[key] for key in wanted}
