"""``make bench``: what the main job costs on this machine, as JSON on stdout.

One run, one process; each figure is the best of a few repetitions, so that other work on the machine
disturbs it least. Data: the simulator's network edges and processes, seed 7.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import sqlglot

from kubestray.config import Config, load_config
from kubestray.detect.runner import Times, macros_of
from kubestray.pipeline.detecting import Detector, wanted_searches
from kubestray.pipeline.setting_up import content_of, lookups_of, searching
from kubestray.receive.otlp import decode_json, decode_protobuf
from kubestray.receive.points import Bounds
from kubestray.search.run import compile_search
from kubestray.simulate import SimulationConfig, simulate
from kubestray.store.open import open_store
from kubestray.store.points import Span
from kubestray.store.store import Store

SECOND = 10**9
DAY = 86_400 * SECOND
NOW = 1_795_000_000 * SECOND
START = NOW - 30 * DAY
PUBLISHED = Path(__file__).parents[2] / "shared" / "escu"
METRICS = ("tcp.bytes", "tcp.packets", "tcp.new_sockets", "udp.bytes", "udp.packets")


def best(work: Callable[[], Any], times: int = 3) -> float:
    """Return the seconds of the fastest of some runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Measure and print."""
    simulation = simulate(SimulationConfig(start_ns=START, end_ns=NOW, scenario="exfiltration"))
    folder = Path(tempfile.mkdtemp(prefix="kubestray-bench-"))
    try:
        figures = {**_start_up(), **_decoding(simulation), **_store(simulation, folder)}
    finally:
        shutil.rmtree(folder)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    print(json.dumps({"machine": machine, **figures}, indent=2))


def _start_up() -> dict[str, float]:
    help_command = [sys.executable, "-m", "kubestray", "--help"]
    nothing = [sys.executable, "-c", "pass"]
    taken = best(lambda: subprocess.run(help_command, check=True, stdout=subprocess.DEVNULL), 5)
    bare = best(lambda: subprocess.run(nothing, check=True), 5)
    return {"help_seconds": round(taken, 3), "bare_python_seconds": round(bare, 3)}


def _decoding(simulation: Any) -> dict[str, float]:
    """Decode ten minutes of requests from processes and edges, as they come over the wire."""
    families = ("process", "network")
    payloads = [raw for _, raw in simulation.payloads(NOW - 600 * SECOND, NOW, 10, families)]
    everything = Bounds.everything()
    points = sum(decode_protobuf(raw, everything).data_points for raw in payloads)
    seconds = best(lambda: [decode_protobuf(raw, everything) for raw in payloads])
    with tempfile.TemporaryDirectory() as folder:
        files = simulation.write(Path(folder), NOW - 120 * SECOND, NOW, 10, families)
        lines = [line for file in files if file.suffix == ".jsonl" for line in file.read_bytes().splitlines()]
    json_points = sum(decode_json(line, everything).data_points for line in lines)
    json_seconds = best(lambda: [decode_json(line, everything) for line in lines])
    return {
        "decode_protobuf_points_per_second": round(points / seconds),
        "decode_json_points_per_second": round(json_points / json_seconds),
    }


def _store(simulation: Any, folder: Path) -> dict[str, Any]:
    """Append 30 days of edges at a point a minute, then run the published method over them."""
    store = open_store(str(folder / "store"))
    batches = list(simulation.batches(START, NOW - 3600 * SECOND, 60, ("network",), METRICS))
    points = sum(map(len, batches))
    start = time.perf_counter()
    for batch in batches:
        store.append(batch)
    append = time.perf_counter() - start
    for batch in simulation.batches(NOW - 3600 * SECOND, NOW, 10, ("network",), METRICS):
        store.append(batch)
    figures: dict[str, Any] = {"append_points_per_second": round(points / append), **_size(store)}
    config = load_config({"store": str(folder / "store")}, {}, None)
    content = content_of(config)
    detector = Detector(store, content, searching(config))
    search = wanted_searches(content, ["Process sending far more than usual"])[0]
    figures["detection_seconds"] = round(best(lambda: detector.run(search, Times(NOW, "-1h", "now"))), 3)
    figures["detection_points"] = points
    figures["compile_milliseconds"] = _compiling(store, config)
    store.close()
    return figures


def _compiling(store: Store, config: Config) -> dict[str, float]:
    """Return what compiling each search takes: ours, and the published ones where they are at hand."""
    content = content_of(config, [PUBLISHED] if PUBLISHED.is_dir() else [])
    request = partial(
        searching(config),
        now=NOW,
        span=Span(),
        macros=macros_of(content),
        lookups=lookups_of(store, content),
        dollars=True,
    )
    figures = {}
    for search in (*content.detections.values(), *content.baselines.values()):
        taken = best(lambda: compile_search(request(search.search), store.query))  # noqa: B023 (called at once)
        figures[search.name] = round(1000 * taken, 1)
    return figures


def _size(store: Store) -> dict[str, float]:
    """Return the bytes a point takes on disk, once parts are merged."""
    store.engine.execute("OPTIMIZE TABLE samples_local FINAL")
    tree = sqlglot.parse_one(
        "SELECT sum(bytes_on_disk) / sum(rows) AS size FROM system.parts "
        "WHERE active AND table = 'samples_local'",
        dialect="clickhouse",
    )
    return {"bytes_per_point": round(store.query(tree).to_pylist()[0]["size"], 2)}


if __name__ == "__main__":
    main()
