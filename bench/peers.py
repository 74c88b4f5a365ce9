"""What two peers, VictoriaMetrics and Prometheus, take for the same points and the same baseline.

Each peer loads a slice by the fastest of the ways it documents, puts it on disk as it would lie there for
weeks, and answers the 30-day baseline: for every series mean and standard deviation (of the population)
over all its points. Nothing is installed: a peer whose program is not there is absent.

Both keep times in milliseconds. What VictoriaMetrics keeps of a value is less than a double: a block of up
to 8192 values is integers times one power of ten, and a value is cut to 12 to 16 digits on the way there
(``-precisionBits=64``, its default, says only that the integers lose nothing more). Counters, and gauges of
few digits, come back exactly. Noisy doubles of full precision do not, and take fewer bytes for it: the bits
that are gone are those that do not compress. Prometheus returns the very double, as kubestray does.
"""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from bench.served import Deadline, Server, Stopped, best_of, running, seconds_of

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Mapping[str, str], NDArray[np.uint64], NDArray[np.float64]]
Slice = Callable[[], Iterable[Series]]
Statistics = tuple[float, float]

SELECTION = '{__name__=~"tcp_.*|udp_.*"}'
BATCH = (
    100_000  # points a request: few enough for its body to stay small, enough for requests to cost nothing
)
LINE = 1000  # points a JSON line: VictoriaMetrics reads lines of ten thousand at less than half the speed
BLOCK_HOURS = 54  # the longest block of a Prometheus that keeps 30 days: 2 h × 3ⁿ, a tenth of them at most
WINDOW = BLOCK_HOURS * 3_600_000 // 2  # how many ms a point may lie behind the newest when it is written
NAME = "name"  # a second label for the name: functions drop it, and series that differ in it alone collide
SIX_BYTES = range(2**35, 2**42)  # times (in ms, from 1971 to 2109) that take six bytes of seven bits
VARINT = np.arange(6) * 7
SAMPLE = np.dtype(
    [("field", "u1"), ("size", "u1"), ("f1", "u1"), ("value", "<f8"), ("f2", "u1"), ("time", "u1", 6)]
)


@dataclass(frozen=True, slots=True)
class Absent:
    """A peer without figures, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Peer:
    """What a peer took, and what it answered (so that the caller can see that all mean the same)."""

    name: str
    version: str
    points: int
    client_seconds: float  # making points and requests: the time of this program, not of the peer
    load_seconds: float  # what all requests took, until everything can be read
    baseline_seconds: float
    baseline_runs: int  # the seconds are the best of so many: fewer than three where time ran out
    bytes_per_sample: float
    answers: Mapping[Labels, Statistics]


@dataclass(frozen=True, slots=True)
class _Extent:
    """How many points a slice has, and the times (in ms) of the first and the last."""

    points: int
    first: int
    last: int

    def selected(self) -> str:
        """Return the selection with every point of the slice, where a window includes its start or not."""
        return f"{SELECTION}[{self.last - self.first + 1}ms]"


def labels_of(name: str, labels: Mapping[str, str]) -> Labels:
    """Return labels and name in the peers' spelling (no dots): the key of a series' answer."""
    spelled = {re.sub(r"\W", "_", label, flags=re.ASCII): value for label, value in labels.items()}
    return _key({**spelled, "__name__": re.sub(r"[^\w:]", "_", name, flags=re.ASCII)})


def victoria_metrics(data: Slice, folder: Path, budget: float = 900) -> Peer | Absent:
    """Measure VictoriaMetrics: JSON lines in, parts merged, both statistics in one pass over the points.

    Its native import is left out: that takes blocks compressed already, so this file would do the work.
    """
    program = shutil.which("victoria-metrics-prod") or shutil.which("victoria-metrics")
    return _measured("VictoriaMetrics", program, _victoria_metrics, data, folder, budget)


def prometheus(data: Slice, folder: Path, budget: float = 900) -> Peer | Absent:
    """Measure Prometheus: remote write in, everything in blocks, the two statistics asked side by side.

    Remote write takes a third or less of the time of ``promtool tsdb create-blocks-from openmetrics``, which
    reads its whole text again for each block. It wants points roughly in order of time, so the slice is
    iterated once for every 27 hours of it.
    """
    return _measured("Prometheus", shutil.which("prometheus"), _prometheus, data, folder, budget)


def _measured(
    name: str,
    program: str | None,
    measure: Callable[[str, Slice, Path, Deadline], Peer],
    data: Slice,
    folder: Path,
    budget: float,
) -> Peer | Absent:
    if program is None:
        return Absent(name, "its program is not installed")
    try:
        return measure(program, data, folder, Deadline(budget))
    except (Stopped, OSError, http.client.HTTPException) as error:
        return Absent(name, str(error) or type(error).__name__)


def _victoria_metrics(program: str, data: Slice, folder: Path, deadline: Deadline) -> Peer:
    extent = _extent(data, deadline)
    store = folder / "victoria-metrics"

    def command(port: int) -> list[str]:
        return [
            program,
            f"-storageDataPath={store}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=100y",
            "-loggerLevel=WARN",
            "-search.disableCache",
            "-search.latencyOffset=0s",
            "-search.maxQueryDuration=1h",
            "-search.maxSamplesPerQuery=100000000000",
            "-search.maxSamplesPerSeries=10000000000",
            "-search.maxUniqueTimeseries=10000000",
        ]

    both = f'aggr_over_time(("avg_over_time", "stddev_over_time"), {extent.selected()}) keep_metric_names'
    with running(command, "/health", folder / "victoria-metrics.log", deadline) as server:
        client, load = _load(_json_lines(data), partial(server.post, "/api/v1/import"), deadline)
        flush = seconds_of(lambda: server.get("/internal/force_flush"))
        size = _merged_size(server, store, deadline)
        seconds, runs, body = best_of(lambda: server.query(both, extent.last), deadline)
    vector = _vector(body)
    means, spreads = (
        {_key(labels, but="rollup"): value for labels, value in vector if labels["rollup"] == function}
        for function in ("avg_over_time", "stddev_over_time")
    )
    return Peer(
        name="VictoriaMetrics",
        version=_version(program),
        points=extent.points,
        client_seconds=client,
        load_seconds=load + flush,
        baseline_seconds=seconds,
        baseline_runs=runs,
        bytes_per_sample=size / extent.points,
        answers={key: (mean, spreads[key]) for key, mean in means.items()},
    )


def _prometheus(program: str, data: Slice, folder: Path, deadline: Deadline) -> Peer:
    """Fill one Prometheus, have it write all it holds as blocks, and ask another that has only these."""
    extent = _extent(data, deadline)
    if extent.first not in SIX_BYTES or extent.last not in SIX_BYTES:
        raise Stopped("there are times before 1971 or after 2109")
    settings, log = folder / "prometheus.yml", folder / "prometheus.log"
    settings.write_text("global: {}\n", encoding="utf-8")
    head, blocks = folder / "prometheus-head", folder / "prometheus"

    def command(store: Path, port: int) -> list[str]:
        return [
            program,
            f"--config.file={settings}",
            f"--storage.tsdb.path={store}",
            f"--storage.tsdb.min-block-duration={BLOCK_HOURS}h",
            f"--storage.tsdb.max-block-duration={BLOCK_HOURS}h",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--web.enable-admin-api",
            "--query.max-samples=100000000000",
            "--query.timeout=1h",
            "--log.level=warn",
        ]

    with running(partial(command, head), "/-/ready", log, deadline) as server:
        coding = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        write = partial(server.post, "/api/v1/write", headers=coding)
        client, load = _load(_remote_writes(data, extent), write, deadline)
        flush = seconds_of(lambda: server.post("/api/v1/admin/tsdb/snapshot", b""))
    (snapshot,) = (head / "snapshots").iterdir()
    snapshot.rename(blocks)
    shutil.rmtree(head)
    size = _bytes(blocks)
    asked = [f"{function}({extent.selected()})" for function in ("avg_over_time", "stddev_over_time")]
    with (
        running(partial(command, blocks), "/-/ready", log, deadline) as server,
        ThreadPoolExecutor(len(asked)) as threads,
    ):
        ask = partial(server.query, at=extent.last)
        seconds, runs, bodies = best_of(lambda: list(threads.map(ask, asked)), deadline)
    means, spreads = (
        {_key({**labels, "__name__": labels[NAME]}, but=NAME): value for labels, value in _vector(body)}
        for body in bodies
    )
    return Peer(
        name="Prometheus",
        version=_version(program),
        points=extent.points,
        client_seconds=client,
        load_seconds=load + flush,
        baseline_seconds=seconds,
        baseline_runs=runs,
        bytes_per_sample=size / extent.points,
        answers={key: (mean, spreads[key]) for key, mean in means.items()},
    )


def _extent(data: Slice, deadline: Deadline) -> _Extent:
    points, first, last = 0, 2**63, 0
    for _, _, times, _ in data():
        deadline.left("counting the points")
        points += len(times)
        if len(times):
            first, last = min(first, int(times[0]) // 1_000_000), max(last, int(times[-1]) // 1_000_000)
    if points == 0:
        raise Stopped("there are no points")
    return _Extent(points, first, last)


def _load(
    bodies: Iterable[tuple[bytes, int]], send: Callable[[bytes], object], deadline: Deadline
) -> tuple[float, float]:
    """Send every body; return the seconds that making them took, and those that sending them took."""
    client = peer = 0.0
    points = 0
    start = time.perf_counter()
    for body, count in bodies:
        made = time.perf_counter()
        deadline.left(f"loading, {points:,} points in {peer:.0f} s (and {client:.0f} s to make them)")
        send(body)
        client, peer = client + made - start, peer + time.perf_counter() - made
        points += count
        start = time.perf_counter()
    return client, peer


def _json_lines(data: Slice) -> Iterator[tuple[bytes, int]]:
    """Yield bodies for /api/v1/import, each with the number of its points."""
    for name, labels, times, values in data():
        metric = orjson.dumps(dict(labels_of(name, labels)))
        milliseconds = _milliseconds(times)
        for start in range(0, len(times), BATCH):
            stop = min(start + BATCH, len(times))
            cuts = (slice(at, min(at + LINE, stop)) for at in range(start, stop, LINE))
            lines = (
                b'{"metric":%b,"values":%b,"timestamps":%b}\n'
                % (metric, _json(values[cut]), _json(milliseconds[cut]))
                for cut in cuts
            )
            yield b"".join(lines), stop - start


def _json(numbers: NDArray[np.float64] | NDArray[np.int64]) -> bytes:
    return orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY)


def _remote_writes(data: Slice, extent: _Extent) -> Iterator[tuple[bytes, int]]:
    """Yield bodies for /api/v1/write, window after window, each with the number of its points."""
    for start in range(extent.first, extent.last + 1, WINDOW):
        waiting, count = [], 0
        for name, labels, times, values in data():
            begin, end = np.searchsorted(times, np.array([start, start + WINDOW], np.uint64) * 1_000_000)
            if begin < end:
                waiting.append(_time_series(labels_of(name, labels), times[begin:end], values[begin:end]))
            count += int(end - begin)
            if count >= BATCH:
                yield _snappy(waiting), count
                waiting, count = [], 0
        if count:
            yield _snappy(waiting), count


def _snappy(messages: list[bytes]) -> bytes:
    packed: bytes = pa.compress(b"".join(messages), codec="snappy", asbytes=True)
    return packed


def _time_series(labels: Labels, times: NDArray[np.uint64], values: NDArray[np.float64]) -> bytes:
    """Return one TimeSeries of a WriteRequest, the whole array of its samples made at once."""
    named = sorted([*labels, (NAME, dict(labels)["__name__"])])
    pairs = [_field(1, _field(1, label.encode()) + _field(2, value.encode())) for label, value in named]
    samples = np.empty(len(times), SAMPLE)
    samples["field"], samples["size"], samples["f1"], samples["f2"] = 0x12, SAMPLE.itemsize - 2, 0x09, 0x10
    samples["value"] = values
    samples["time"] = (_milliseconds(times)[:, None] >> VARINT) & 0x7F
    samples["time"][:, :-1] |= 0x80
    return _field(1, b"".join(pairs) + samples.tobytes())


def _field(number: int, content: bytes) -> bytes:
    """Return a field of protobuf that holds bytes."""
    size, rest = bytearray(), len(content)
    while rest > 0x7F:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([number << 3 | 2, *size, rest]) + content


def _milliseconds(times: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (times // np.uint64(1_000_000)).astype(np.int64)


def _merged_size(server: Server, store: Path, deadline: Deadline) -> int:
    """Return the bytes of parts and index, once merging them has ended."""
    server.get("/internal/force_merge")
    size, before = 0, -1
    while size != before or b"\nvm_active_force_merges 0\n" not in server.get("/metrics"):
        deadline.left("merging")
        time.sleep(0.3)
        size, before = _bytes(store, but="cache"), size
    return size


def _bytes(folder: Path, but: str = "") -> int:
    """Return the size of all files of a folder that programs may be changing, without one folder in it."""
    size = 0
    for file in folder.rglob("*"):
        try:
            inside = file.is_file() and file.relative_to(folder).parts[0] != but
            size += file.stat().st_size if inside else 0
        except FileNotFoundError:
            continue  # merged away since it was listed
    return size


def _vector(body: bytes) -> list[tuple[dict[str, str], float]]:
    return [(row["metric"], float(row["value"][1])) for row in orjson.loads(body)["data"]["result"]]


def _key(labels: Mapping[str, str], but: str = "") -> Labels:
    return tuple(sorted((label, value) for label, value in labels.items() if label != but))


def _version(program: str) -> str:
    """Return what a program says of itself, or else what its package does."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    if number := re.search(r"\d+\.\d+\.\d+\S*", said.stdout + said.stderr):
        return number[0]
    if shutil.which("dpkg-query") is None:
        return "unknown"
    asked = ["dpkg-query", "--show", "--showformat=${Version}", Path(program).name]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stdout or "unknown"
