"""Measures the built-in detections on simulated clusters: what they find, how soon, and what for nothing.

``python -m bench.detections attacks --seed N`` runs as scheduled over each attack of ``all-attacks``, of
twice the size that is promised to be found, until a detection that is enough by itself names who is attacked.
``python -m bench.detections calm --seed N`` runs over a week in which nobody attacks. Both print JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from kubestray.config import load_config
from kubestray.detect.runner import Times
from kubestray.detect.scheduler import due
from kubestray.model.content import Detection
from kubestray.pipeline.assessing import is_rule
from kubestray.pipeline.detecting import Detector, wanted_searches
from kubestray.pipeline.setting_up import content_of, searching
from kubestray.simulate import Simulation, SimulationConfig, simulate
from kubestray.store.open import open_store
from kubestray.store.store import Store

SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
END = 1_760_000_400 * SECOND  # Thursday 9 October 2025, 09:00:00 UTC
WITHIN = 10  # minutes in which an attack has to be found
METRICS = (
    *("tcp.bytes", "tcp.new_sockets", "tcp.syn_timeouts", "tcp.resets", "udp.bytes", "udp.packets"),
    *("process.cpu.time", "process.disk.io", "process.memory.usage"),
    *("k8s.pod.network.io", "k8s.container.ready"),
)  # fmt: skip


def fill(store: Store, simulation: Simulation, fine: int) -> int:
    """Write a simulation, a point a minute, from ``fine`` (ns) on every ten seconds; return how many."""
    start, end = simulation.config.start_ns, simulation.config.end_ns
    count = 0
    for begin, until, step in ((start, fine, 60), (fine, end, 10)):
        if begin < until:
            for batch in simulation.batches(begin, until, step, metrics=METRICS):
                store.append(batch)
                count += len(batch)
    return count


def attacks(
    seed: int, days: float, nodes: int, size: float, only: list[str], keep: str | None
) -> Iterator[dict[str, Any]]:
    """Yield what became of each attack: the first detection that found it, and after how many minutes."""
    config = SimulationConfig(
        start_ns=END - int(days * DAY), end_ns=END, seed=seed, scenario="all-attacks", nodes=nodes, size=size
    )
    with _Filled(simulate(config), END - 25 * HOUR, keep) as detecting:
        for attack in detecting.labels["attacks"]:
            if not only or attack["name"] in only:
                (step,) = attack["steps"]
                yield {"attack": attack["name"], "size": step["size"], "unit": step["unit"]} | _found(
                    detecting, step
                )


def _found(detecting: _Detecting, step: dict[str, Any]) -> dict[str, Any]:
    begin = int(datetime.fromisoformat(step["time"]).timestamp())
    for minute in range(1, WITHIN + 1):
        now = (begin // 60 + minute) * 60 * SECOND
        names = {name for name, at_risk in detecting.direct(now) if at_risk & set(step["entities"])}
        if names:
            return {"minutes": round((now / SECOND - begin) / 60, 1), "by": sorted(names)}
    return {"minutes": None, "by": []}


def calm(
    seed: int, days: float, nodes: int, length: float, hours: int, keep: str | None, only: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield every risk event of the last ``length`` days of a calm cluster, each run over some ``hours``.

    ``only`` restricts it to detections of these types.
    """
    config = SimulationConfig(
        start_ns=END - int(days * DAY), end_ns=END, seed=seed, scenario="calm", nodes=nodes
    )
    with _Filled(simulate(config), END, keep) as detecting:
        owners = detecting.simulation.cluster.owners
        yield {"workloads": len(owners), "points": detecting.points, "twins": len(detecting.labels["benign"])}
        for hour in range(hours, round(length * 24) + 1, hours):
            now = END - int(length * DAY) + hour * HOUR
            for search in detecting.searches:
                if only and search.type not in only:
                    continue
                score = max(risk.score for risk in search.risk_objects)
                for entity in sorted(detecting.run(search, Times(now, f"-{hours}h", "now"))):
                    told = {"hour": hour, "detection": search.name, "entity": entity}
                    yield told | {"direct": _is_direct(search), "score": score}


def _is_direct(search: Detection) -> bool:
    return search.type.lower() == "ttp"


class _Detecting:
    """A filled store, and detections that run over it."""

    def __init__(self, folder: str, simulation: Simulation, fine: int) -> None:
        self.simulation, self.labels = simulation, simulation.labels
        config = load_config({"store": folder, "retention_raw": "400d"}, {}, None)
        there = Path(folder).is_dir() and any(Path(folder).iterdir())
        self._store = open_store(folder)
        self.points = 0 if there else fill(self._store, simulation, fine)
        self._content = content = content_of(config)
        found = wanted_searches(content, [])
        self.searches = [one for one in found if isinstance(one, Detection) and not is_rule(one)]
        self._detector = Detector(self._store, content, searching(config))

    def run(self, search: Detection, times: Times) -> set[str]:
        """Return who is at risk by one run."""
        run = self._detector.run(search, times)
        if run.outcome.error:
            print(search.name, run.outcome.error, file=sys.stderr)
        return {str(event.fields["risk_object"]) for event in run.events}

    def direct(self, now: int) -> Iterator[tuple[str, set[str]]]:
        """Run the detections that are due and enough by themselves; yield their names and who is at risk."""
        for search in self.searches:
            schedule = self._content.schedule_of(search)
            if _is_direct(search) and schedule and list(due(schedule.cron, now - 60 * SECOND, now)):
                yield search.name, self.run(search, Times(now))

    def close(self) -> None:
        """Close the store."""
        self._store.close()


class _Filled:
    """Opens a filled store: in ``keep``, where it may be from before, or in a folder that is taken away."""

    def __init__(self, simulation: Simulation, fine: int, keep: str | None) -> None:
        self._simulation, self._fine, self._keep = simulation, fine, keep
        self._folder = keep or tempfile.mkdtemp(prefix="kubestray-bench-")

    def __enter__(self) -> _Detecting:
        self._detecting = _Detecting(self._folder, self._simulation, self._fine)
        return self._detecting

    def __exit__(self, *_: object) -> None:
        self._detecting.close()
        if not self._keep:
            shutil.rmtree(self._folder)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("attacks", "calm"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=float, default=8, help="how much history there is [8]")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--size", type=float, default=2.0, help="multiples of the smallest attack [2]")
    parser.add_argument("--length", type=float, default=7, help="how many days of calm [7]")
    parser.add_argument("--hours", type=int, default=1, help="how long a window of calm is [1]")
    parser.add_argument("--keep", metavar="DIR", help="keep the store there, or use the one that is there")
    parser.add_argument("only", nargs="*", help="these attacks, or types of detections, only")
    told = parser.parse_args()
    began = time.process_time()
    if told.what == "attacks":
        found = attacks(told.seed, told.days, told.nodes, told.size, told.only, told.keep)
    else:
        found = calm(told.seed, told.days, told.nodes, told.length, told.hours, told.keep, told.only)
    for line in found:
        print(json.dumps(line), flush=True)
    print(json.dumps({"cpu_seconds": round(time.process_time() - began)}))


if __name__ == "__main__":
    main()
