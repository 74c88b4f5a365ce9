"""Points written by hand, for tests of detections: one series a line.

A line is ``NAME{attribute="value", …} [gauge|delta|cumulative] VALUES``. Values are apart by blanks: ``5``
is one, ``5x30`` is thirty of them, ``5+2x30`` is thirty that rise by 2 (``5-2x30``: fall), ``_`` and ``_x30``
are none. The last value of every line is one step before the end, so lines of different lengths end together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from kubestray.model.errors import UsageError
from kubestray.model.metric import Batch, Kind, Series

MOST = 5_000_000
"""How many values a line may stand for."""

_LINE = re.compile(
    r"\s*(?P<name>[^\s{]+)\s*(?:\{(?P<attributes>.*?)\})?\s+(?:(?P<kind>[a-z]+)\s+)?(?P<values>[^{}]+)"
)
_ATTRIBUTE = re.compile(r'\s*([^\s=",]+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|\Z)')
_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
_VALUE = re.compile(
    rf"(?:(?P<none>_)|(?P<first>{_NUMBER})(?P<step>[+-]{_NUMBER.removeprefix('-?')})?)(?:x(?P<count>\d+))?"
)
_KINDS = {kind.value: kind for kind in Kind}


def read_points(lines: Iterable[str], end: int, step: int) -> Batch:
    """Return the points of all lines; ``end`` and ``step`` in nanoseconds. A bad line raises `UsageError`."""
    return Batch.concat([_points(line, end, step) for line in lines])


def _points(line: str, end: int, step: int) -> Batch:
    found = _LINE.fullmatch(line.rstrip())
    kind = _KINDS.get(found["kind"] or "gauge") if found else None
    if not found or kind is None:
        raise UsageError(
            f'{line!r} is no series: write NAME{{attribute="value"}} [gauge|delta|cumulative] 5x30 9x6'
        )
    values = _values(found["values"].split(), line)
    series = Series.of(found["name"], kind, "", _attributes(found["attributes"] or "", line))
    times = end - step * np.arange(len(values), 0, -1, dtype=np.int64)
    there = np.isfinite(values)
    time = times[there].astype(np.uint64)
    start = np.zeros(len(time), dtype=np.uint64)
    if kind is Kind.DELTA:
        start = time - np.uint64(step)
    elif kind is Kind.CUMULATIVE and len(time):
        start[:] = time[0] - np.uint64(step)
    ids = np.full(len(time), series.id, dtype=np.uint64)
    return Batch({series.id: series} if len(time) else {}, ids, time, start, values[there])


def _attributes(text: str, line: str) -> dict[str, str]:
    found, place = {}, 0
    while text[place:].strip():
        pair = _ATTRIBUTE.match(text, place)
        if not pair:
            raise UsageError(f'{line!r}: expected attribute="value" at {text[place : place + 30]!r}')
        found[pair[1]] = re.sub(r"\\(.)", r"\1", pair[2])
        place = pair.end()
    return found


def _values(words: Sequence[str], line: str) -> npt.NDArray[np.float64]:
    parts: list[npt.NDArray[np.float64]] = []
    total = 0
    for word in words:
        found = _VALUE.fullmatch(word)
        if not found:
            raise UsageError(f"{line!r}: {word!r} is no value; write 5, 5x30, 5+2x30 or _x30")
        count = int(found["count"] or 1)
        total += count
        if total > MOST:
            raise UsageError(f"{line!r} stands for more than {MOST:,} values")
        first = float("nan") if found["none"] else float(found["first"])
        parts.append(first + float(found["step"] or 0) * np.arange(count, dtype=np.float64))
    return np.concatenate(parts)
