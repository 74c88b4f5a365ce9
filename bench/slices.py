"""The points a benchmark is about, and how they are kept so that going through them again costs little."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.served import Deadline, Stopped

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Mapping[str, str], NDArray[np.uint64], NDArray[np.float64]]
Slice = Callable[[], Iterable[Series]]

MILLISECOND = 1_000_000  # in ns


def labels_of(name: str, labels: Mapping[str, str]) -> Labels:
    """Return labels and name in the peers' spelling (no dots): the key of a series' answer."""
    spelled = {re.sub(r"\W", "_", label, flags=re.ASCII): value for label, value in labels.items()}
    return key_of({**spelled, "__name__": re.sub(r"[^\w:]", "_", name, flags=re.ASCII)})


def key_of(labels: Mapping[str, str], but: str = "") -> Labels:
    """Return labels in the order that makes them comparable, without one of them."""
    return tuple(sorted((label, value) for label, value in labels.items() if label != but))


@dataclass(frozen=True, slots=True)
class Kept:
    """A slice in a file: how many points, the times (in ms) of the first and the last, and the points."""

    points: int
    first: int
    last: int
    series: Slice


def kept(data: Slice, file: Path, deadline: Deadline) -> Kept:
    """Write a slice's arrays to a file, 16 bytes a point, and return it: making points anew may take long."""
    heads: list[tuple[str, Mapping[str, str], int]] = []
    first, last = 2**63, 0
    with file.open("wb") as output:
        for name, labels, times, values in data():
            deadline.left("making the points")
            if len(times) == 0:
                continue
            heads.append((name, labels, len(times)))
            first, last = min(first, int(times[0])), max(last, int(times[-1]))
            times.astype(np.uint64, copy=False).tofile(output)
            values.astype(np.float64, copy=False).tofile(output)
    if not heads:
        raise Stopped("there are no points")

    def series() -> Iterator[Series]:
        start = 0
        for name, labels, count in heads:
            both = np.memmap(file, np.uint64, "r", start, (2, count))
            yield name, labels, both[0], both[1].view(np.float64)
            start += both.nbytes

    points = sum(count for _, _, count in heads)
    return Kept(points, first // MILLISECOND, last // MILLISECOND, series)


def milliseconds(times: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return times as the peers keep them."""
    return (times // np.uint64(MILLISECOND)).astype(np.int64)
