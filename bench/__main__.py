"""``make bench``: what the main job costs on this machine, as JSON on stdout and in ``results/latest.json``.

Each part is a process of its own with an end to its time, so that none pays for another's memory; the whole
takes ten minutes at most. A part that fails or takes too long says so in the record, and the others go
on; the exit code is 1 then. ``python -m bench PART …`` measures some of them and leaves the record alone, or
with ``--keep`` renews these parts of it, which say then when that was; ``python -m bench --data`` makes the
data of 30 days. Figures are the best of a few repetitions, so that other work on the machine disturbs them
least.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.estate import ESTATE, Shape, estate
from bench.parts import PARTS, Part, measured
from bench.peers import Absent
from bench.thirty_days import edges_of
from bench.whole import load_whole

RECORD = Path(__file__).parent / "results" / "latest.json"
_SECONDS = 600.0  # of all parts together
_ENDING = 20.0  # seconds that a part has to end what it started


def main() -> int:
    """Make the data, or measure, print, and keep the record; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(part.name for part in PARTS))
    parser.add_argument("--keep", action="store_true", help="renew the parts in the record")
    parser.add_argument("--data", action="store_true", help="make the data of 30 days")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.data:
        return _data()
    if asked.alone:
        print(json.dumps(measured(asked.alone)))
        return 0
    if unknown := set(asked.parts) - {part.name for part in PARTS}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if asked.parts:
        return _some([part for part in PARTS if part.name in asked.parts], asked.keep)
    return _show(_measured(PARTS), keep=True)


def _data() -> int:
    """Make the data of 30 days, and load VictoriaMetrics with its edges; print what that took."""
    store, loaded = estate(ESTATE, Shape())
    store.close()
    peer = load_whole(ESTATE, Shape(), edges_of(Shape()))
    print(json.dumps(asdict(loaded) | {"victoriametrics": asdict(peer)}))
    if isinstance(peer, Absent):
        print(f"{peer.name} has no data: {peer.reason}", file=sys.stderr)
    return 0


def _some(parts: Sequence[Part], keep: bool) -> int:
    """Measure some parts; into the record each goes with when and of what it was measured."""
    found = _measured(parts)
    if not keep:
        return _show(found, keep=False)
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    when = {name: found[name] for name in ("commit", "date", "load_before")}
    return _show(record | {part.name: when | found[part.name] for part in parts}, keep=True)


def _measured(parts: Sequence[Part]) -> dict[str, Any]:
    began = time.monotonic()
    record: dict[str, Any] = {
        "machine": _machine(),
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d"),
        "load_before": [round(one, 2) for one in os.getloadavg()],
    }
    for part in parts:
        before = time.monotonic()
        record[part.name] = _alone(part, _SECONDS - _ENDING - (before - began))
        record[part.name]["part_seconds"] = round(time.monotonic() - before, 1)
        print(f"{part.name}: {record[part.name]['part_seconds']} s", file=sys.stderr)
    record["seconds"] = round(time.monotonic() - began, 1)
    return record


def _show(record: dict[str, Any], *, keep: bool) -> int:
    """Print a record, and keep it if that is wanted; return 1 if a part has failed."""
    text = json.dumps(record, indent=2)
    if keep:
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(text + "\n", encoding="utf-8")
    print(text)
    for name, value in _flat(record):
        print(f"{name:<72} {value}", file=sys.stderr)
    return int(any("failed" in record.get(part.name, {}) for part in PARTS))


def _alone(part: Part, left: float) -> dict[str, Any]:
    """Measure a part in a process group of its own, and end all of it when its time is over."""
    if (seconds := min(left, part.seconds)) <= 0:
        return {"failed": f"the {_SECONDS:g} s of all parts were over"}
    command = [sys.executable, "-m", "bench", "--alone", part.name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"failed": f"it took more than the {seconds:.0f} s that it had"}
    finally:
        if process.poll() is None:  # its time is over, or somebody has interrupted this
            _end(process)
    if process.returncode:
        return {"failed": f"it ended with code {process.returncode}: what it said is above"}
    figures: dict[str, Any] = json.loads(output)
    return figures


def _end(process: subprocess.Popen[str]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(_ENDING)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


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


if __name__ == "__main__":
    sys.exit(main())
