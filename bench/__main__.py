"""``make bench``: what the main job costs on this machine, as JSON on stdout and in ``results/latest.json``.

One run, one process; each figure is the best of a few repetitions, so that other work on the machine
disturbs it least. Data: the simulator's network edges and processes, seed 7.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bench.estate import Shape, estate
from bench.receiving import receiving
from bench.sizes import sizes
from bench.thirty_days import PUBLISHED, best, bytes_per_point, history, peers
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
ESTATE = Path(__file__).parents[1] / ".bench"
RECORD = Path(__file__).parent / "results" / "latest.json"
_BUDGET = 150.0  # seconds for a peer to load and answer
_RECEIVING = 60.0  # seconds of OTLP; of each further way a quarter
_PEER_KEYS = 110  # of the estate's 500 workloads and processes: 114 M points
METRICS = ("tcp.bytes", "tcp.packets", "tcp.new_sockets", "udp.bytes", "udp.packets")


def main() -> None:
    """Make the data (``--data``), or measure, print, and keep the record."""
    if "--data" in sys.argv[1:]:
        store, loaded = estate(ESTATE, Shape())
        store.close()
        print(json.dumps(asdict(loaded)))
        return
    simulation = simulate(SimulationConfig(start_ns=START, end_ns=NOW, scenario="exfiltration"))
    folder = Path(tempfile.mkdtemp(prefix="kubestray-bench-"))
    try:
        figures: dict[str, Any] = {**_start_up(), **_decoding(simulation), **_store(simulation, folder)}
        figures["receiving"] = receiving(folder / "receiving", _RECEIVING)
        figures["sizes"] = sizes(folder, _BUDGET)
        figures["peers"] = peers(Shape(), _PEER_KEYS, folder, _BUDGET)
        figures["history"] = _history()
    finally:
        shutil.rmtree(folder)
    record = {"machine": _machine(), "commit": _commit(), "date": time.strftime("%Y-%m-%d"), **figures}
    text = json.dumps(record, indent=2)
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(text + "\n", encoding="utf-8")
    print(text)
    for name, value in _flat(record):
        print(f"{name:<60} {value}", file=sys.stderr)


def _history() -> dict[str, Any]:
    if not PUBLISHED.is_dir():
        return {"skipped": f"the published searches are not at {PUBLISHED.parent.name}/{PUBLISHED.name}"}
    if not (ESTATE / "loaded.json").exists():
        return {"skipped": "there is no data for this part: make bench-data makes it, in ten minutes or so"}
    store, loaded = estate(ESTATE, Shape())
    figures = {"loaded": asdict(loaded), **history(store)}
    store.close()
    figures["resident_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return figures


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}


def _commit() -> str:
    told = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(told, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _flat(record: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the figures of a record with their whole names."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


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
    figures: dict[str, Any] = {
        "append_points_per_second": round(points / append),
        "bytes_per_point": round(bytes_per_point(store), 2),
    }
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


if __name__ == "__main__":
    main()
