"""What two peers, VictoriaMetrics and Prometheus, take for the same points and the same baseline.

Each peer loads a slice by the fastest of the ways it documents, puts it on disk as it would lie there for
weeks, and answers the 30-day baseline: for every series mean and standard deviation (of the population)
over all its points. Nothing is installed: a peer whose program is not there is absent.

Both keep times in milliseconds. What VictoriaMetrics keeps of a value is less than a double: a block of up
to 8192 values is integers times one power of ten, and a value is cut to 12 or 13 digits on the way there
if it has more (``-precisionBits=64``, its default, says only that the integers lose nothing after that).
Counters, and values of few decimal digits, come back exactly, and take the least. Doubles of full precision
come back up to 1e-12 of themselves away, and take 7 to 8 bytes all the same, since what is left of noise does
not compress. In a block whose values differ by many orders of magnitude the small ones lose more (of values
from 1e-9 to 1e9 some lose half), and there the bytes are fewer because digits are gone. Prometheus returns
the very double, as kubestray does.
"""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from bench.served import Deadline, Server, Stopped, best_of, running, seconds_of
from bench.slices import Kept, Labels, Slice, kept, key_of
from bench.wire import json_lines, remote_writes

SELECTION = '{__name__=~"tcp_.*|udp_.*"}'
BLOCK_HOURS = 54  # the longest block of a Prometheus that keeps 30 days: 2 h × 3ⁿ, a tenth of them at most
WINDOW = BLOCK_HOURS * 3_600_000 // 2  # how many ms a point may lie behind the newest when it is written
NAME = (
    "kept_name"  # a second label for the name: functions drop it, and series that differ in it alone collide
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
    client_seconds: float  # making the requests: the time of this program, not of the peer
    load_seconds: float  # what all requests took, until everything can be read
    baseline_seconds: float
    baseline_runs: int  # the seconds are the best of so many: fewer than three where time ran out
    bytes_per_sample: float
    answers: Mapping[Labels, tuple[float, float]]


def victoria_metrics(data: Slice, folder: Path, budget: float = 900) -> Peer | Absent:
    """Measure VictoriaMetrics: JSON lines in, parts merged, both statistics in one pass over the points.

    Its native import is left out: that takes blocks compressed already, so this file would do the work.
    """
    return _measured("VictoriaMetrics", victoria_metrics_program(), _victoria_metrics, data, folder, budget)


def prometheus(data: Slice, folder: Path, budget: float = 900) -> Peer | Absent:
    """Measure Prometheus: remote write in, everything in blocks, the two statistics asked side by side.

    Remote write takes a third or less of the time of ``promtool tsdb create-blocks-from openmetrics``, which
    reads its whole text again for each block. It wants points roughly in order of time, so they are sent in
    windows of 27 hours.
    """
    return _measured("Prometheus", shutil.which("prometheus"), _prometheus, data, folder, budget)


def _measured(
    name: str,
    program: str | None,
    measure: Callable[[str, Kept, Path, Deadline], Peer],
    data: Slice,
    folder: Path,
    budget: float,
) -> Peer | Absent:
    if program is None:
        return Absent(name, "its program is not installed")
    deadline, points = Deadline(budget), folder / "points"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return measure(program, kept(data, points, deadline), folder, deadline)
    except (Stopped, OSError, http.client.HTTPException) as error:
        return Absent(name, str(error) or type(error).__name__)
    finally:
        points.unlink(missing_ok=True)


def _points_of(data: Kept) -> str:
    """Return the selection with every point of a slice, whether a window includes its start or not."""
    return f"{SELECTION}[{data.last - data.first + 1}ms]"


@dataclass(frozen=True, slots=True)
class Filled:
    """What it took to load a slice into VictoriaMetrics, and the bytes a sample takes there."""

    client_seconds: float
    load_seconds: float
    bytes_per_sample: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What VictoriaMetrics took for the baseline, the best of so many runs, and what it said."""

    seconds: float
    runs: int
    answers: Mapping[Labels, tuple[float, float]]


def victoria_metrics_program() -> str | None:
    """Return the program of VictoriaMetrics, if it is installed."""
    return shutil.which("victoria-metrics-prod") or shutil.which("victoria-metrics")


def fill_victoria_metrics(program: str, data: Kept, folder: Path, deadline: Deadline) -> Filled:
    """Load a slice into a folder, and merge its parts."""
    with _serving_victoria_metrics(program, folder, deadline) as server:
        client, load = _load(json_lines(data), partial(server.post, "/api/v1/import"), deadline)
        flush = seconds_of(lambda: server.get("/internal/force_flush"))
        size = _merged_size(server, folder / "victoria-metrics", deadline)
    return Filled(client, load + flush, size / data.points)


def ask_victoria_metrics(program: str, data: Kept, folder: Path, deadline: Deadline) -> Answer:
    """Ask for the baseline over a slice that a folder holds already."""
    both = f'aggr_over_time(("avg_over_time", "stddev_over_time"), {_points_of(data)}) keep_metric_names'
    with _serving_victoria_metrics(program, folder, deadline) as server:
        seconds, runs, body = best_of(lambda: server.query(both, data.last), deadline)
    vector = _vector(body)
    means, spreads = (
        {key_of(labels, but="rollup"): value for labels, value in vector if labels["rollup"] == function}
        for function in ("avg_over_time", "stddev_over_time")
    )
    return Answer(seconds, runs, {key: (mean, spreads[key]) for key, mean in means.items()})


def _serving_victoria_metrics(
    program: str, folder: Path, deadline: Deadline
) -> AbstractContextManager[Server]:
    def command(port: int) -> list[str]:
        return [
            program,
            f"-storageDataPath={folder / 'victoria-metrics'}",
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

    return running(command, "/health", folder / "victoria-metrics.log", deadline)


def _victoria_metrics(program: str, data: Kept, folder: Path, deadline: Deadline) -> Peer:
    filled = fill_victoria_metrics(program, data, folder, deadline)
    answer = ask_victoria_metrics(program, data, folder, deadline)
    return Peer(
        name="VictoriaMetrics",
        version=version_of(program),
        points=data.points,
        client_seconds=filled.client_seconds,
        load_seconds=filled.load_seconds,
        baseline_seconds=answer.seconds,
        baseline_runs=answer.runs,
        bytes_per_sample=filled.bytes_per_sample,
        answers=answer.answers,
    )


def _prometheus(program: str, data: Kept, folder: Path, deadline: Deadline) -> Peer:
    """Fill one Prometheus, have it write all it holds as blocks, and ask another that has only these."""
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
        client, load = _load(remote_writes(data, WINDOW, NAME), write, deadline)
        flush = seconds_of(lambda: server.post("/api/v1/admin/tsdb/snapshot", b""))
    (snapshot,) = (head / "snapshots").iterdir()
    snapshot.rename(blocks)
    shutil.rmtree(head)
    size = _bytes(blocks)
    asked = [f"{function}({_points_of(data)})" for function in ("avg_over_time", "stddev_over_time")]
    with (
        running(partial(command, blocks), "/-/ready", log, deadline) as server,
        ThreadPoolExecutor(len(asked)) as threads,
    ):
        ask = partial(server.query, at=data.last)
        seconds, runs, bodies = best_of(lambda: list(threads.map(ask, asked)), deadline)
    means, spreads = (
        {key_of({**labels, "__name__": labels[NAME]}, but=NAME): value for labels, value in _vector(body)}
        for body in bodies
    )
    return Peer(
        name="Prometheus",
        version=version_of(program),
        points=data.points,
        client_seconds=client,
        load_seconds=load + flush,
        baseline_seconds=seconds,
        baseline_runs=runs,
        bytes_per_sample=size / data.points,
        answers={key: (mean, spreads[key]) for key, mean in means.items()},
    )


def _load(
    bodies: Iterable[tuple[bytes, int]], send: Callable[[bytes], object], deadline: Deadline
) -> tuple[float, float]:
    """Send every body; return the seconds that making them took, and those that sending them took."""
    client = peer = 0.0
    points = 0
    start = time.perf_counter()
    for body, count in bodies:
        made = time.perf_counter()
        try:
            deadline.left("loading")
            send(body)
        except Stopped as error:
            so_far = f"{points:,} points were loaded in {peer:.1f} s, and requests made in {client:.1f} s"
            raise Stopped(f"{error} ({so_far})") from None
        client, peer = client + made - start, peer + time.perf_counter() - made
        points += count
        start = time.perf_counter()
    return client, peer


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


def version_of(program: str) -> str:
    """Return what a program says of itself, or else what its package does."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    if number := re.search(r"\d+\.\d+\.\d+\S*", said.stdout + said.stderr):
        return number[0]
    if shutil.which("dpkg-query") is None:
        return "unknown"
    asked = ["dpkg-query", "--show", "--showformat=${Version}", Path(program).name]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stdout or "unknown"
