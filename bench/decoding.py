"""How fast requests become batches, and how soon the command line is there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.estate import NOW, SECOND
from bench.served import best
from kubestray.receive.otlp import decode_json, decode_protobuf
from kubestray.receive.points import Bounds
from kubestray.simulate import SimulationConfig, simulate

_DAY = 86_400 * SECOND


def start_up() -> dict[str, float]:
    """Return the seconds until ``--help`` has been printed, and what Python alone takes of them."""
    help_command = [sys.executable, "-m", "kubestray", "--help"]
    nothing = [sys.executable, "-c", "pass"]
    taken = best(lambda: subprocess.run(help_command, check=True, stdout=subprocess.DEVNULL), 5)
    bare = best(lambda: subprocess.run(nothing, check=True), 5)
    return {"help_seconds": round(taken, 3), "bare_python_seconds": round(bare, 3)}


def decoding() -> dict[str, Any]:
    """Decode ten minutes of requests from processes and edges, as they come over the wire."""
    simulation = simulate(SimulationConfig(start_ns=NOW - _DAY, end_ns=NOW, scenario="exfiltration"))
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
        **start_up(),
        "decode_protobuf_points_per_second": round(points / seconds),
        "decode_json_points_per_second": round(json_points / json_seconds),
    }
