"""Request bodies with many points, made from whole arrays: JSON lines and Prometheus' remote write."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from bench.served import Stopped
from bench.slices import MILLISECOND, Kept, labels_of, milliseconds

BATCH = 100_000  # points a request, more or less: its cost is spread, its body stays small
LINE = 1000  # points a JSON line: VictoriaMetrics reads lines of ten thousand at less than half the speed
SIX_BYTES = range(2**35, 2**42)  # times (in ms, from 1971 to 2109) that take six bytes of seven bits
VARINT = np.arange(6) * 7
SAMPLE = np.dtype(
    [("field", "u1"), ("size", "u1"), ("f1", "u1"), ("value", "<f8"), ("f2", "u1"), ("time", "u1", 6)]
)


def json_lines(data: Kept) -> Iterator[tuple[bytes, int]]:
    """Yield bodies for /api/v1/import, each with the number of its points."""
    for name, labels, times, values in data.series():
        metric = orjson.dumps(dict(labels_of(name, labels)))
        stamps = milliseconds(times)
        for start in range(0, len(times), BATCH):
            stop = min(start + BATCH, len(times))
            cuts = (slice(at, min(at + LINE, stop)) for at in range(start, stop, LINE))
            lines = (
                b'{"metric":%b,"values":%b,"timestamps":%b}\n'
                % (metric, _json(values[cut]), _json(stamps[cut]))
                for cut in cuts
            )
            yield b"".join(lines), stop - start


def _json(numbers: NDArray[np.float64] | NDArray[np.int64]) -> bytes:
    return orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY)


def remote_writes(data: Kept, window: int, name_label: str) -> Iterator[tuple[bytes, int]]:
    """Yield bodies for /api/v1/write, each with the number of its points, in windows of so many ms.

    A second label, with the name, keeps series apart whose name a function drops.
    """
    if data.first not in SIX_BYTES or data.last not in SIX_BYTES:
        raise Stopped("there are times before 1971 or after 2109")
    for start in range(data.first, data.last + 1, window):
        waiting, count = [], 0
        for name, labels, times, values in data.series():
            bounds = np.array([start, start + window], np.uint64) * np.uint64(MILLISECOND)
            begin, end = (int(at) for at in np.searchsorted(times, bounds))
            if begin < end:
                spelled = labels_of(name, labels)
                named = sorted([*spelled, (name_label, dict(spelled)["__name__"])])
                waiting.append(_time_series(named, times[begin:end], values[begin:end]))
                count += end - begin
            if count >= BATCH:
                yield _snappy(waiting), count
                waiting, count = [], 0
        if count:
            yield _snappy(waiting), count


def _snappy(messages: list[bytes]) -> bytes:
    packed: bytes = pa.compress(b"".join(messages), codec="snappy", asbytes=True)
    return packed


def _time_series(
    labels: list[tuple[str, str]], times: NDArray[np.uint64], values: NDArray[np.float64]
) -> bytes:
    """Return one TimeSeries of a WriteRequest, the whole array of its samples made at once."""
    pairs = [_field(1, _field(1, label.encode()) + _field(2, value.encode())) for label, value in labels]
    samples = np.empty(len(times), SAMPLE)
    samples["field"], samples["size"], samples["f1"], samples["f2"] = 0x12, SAMPLE.itemsize - 2, 0x09, 0x10
    samples["value"] = values
    samples["time"] = (milliseconds(times)[:, None] >> VARINT) & 0x7F
    samples["time"][:, :-1] |= 0x80
    return _field(1, b"".join(pairs) + samples.tobytes())


def _field(number: int, content: bytes) -> bytes:
    """Return a field of protobuf that holds bytes."""
    size, rest = bytearray(), len(content)
    while rest > 0x7F:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([number << 3 | 2, *size, rest]) + content
