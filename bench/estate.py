"""The estate that the benchmark measures: made and loaded once, kept in a folder, the same every time.

Network edges as the story's searches read them (2,000 series: 500 workloads and processes, four metrics, a
point every 10 s for 30 days, 518 M points), and beside them the processes, pods and containers of a simulated
cluster at a point a minute. A series is integer-valued and noisy, with a rhythm of the day.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kubestray.model.metric import Batch, Kind, Series
from kubestray.simulate import SimulationConfig, simulate
from kubestray.store.open import open_store
from kubestray.store.point_tables import DAY_NS, HOUR_NS
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

ESTATE = Path(__file__).parents[1] / ".bench"
"""Where the data of 30 days is kept between runs."""

SECOND = 10**9
NOW = 1_795_046_400 * SECOND  # 2026-11-19T00:00:00Z
METRICS = ("tcp.bytes", "tcp.packets", "udp.bytes", "udp.packets")
WITHOUT = ("process.pid", "process.command_line", "container.id", "k8s.pod.uid")


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the estate is."""

    keys: int = 500
    days: int = 30
    step: int = 10
    nodes: int = 10
    version: int = 1

    @property
    def start(self) -> int:
        """When it begins, in nanoseconds."""
        return NOW - self.days * DAY_NS


def edge_series(shape: Shape) -> list[Series]:
    """Return the series of network edges."""
    return [
        Series.of(
            metric,
            Kind.GAUGE,
            "",
            {
                "k8s.cluster.name": "bench",
                "source.workload.name": f"workload-{key // 5}",
                "source.process.name": f"process-{key % 5}",
                "dest.workload.name": f"workload-{(key + 7) % shape.keys // 5}",
            },
        )
        for key in range(shape.keys)
        for metric in METRICS
    ]


def values(place: int, times: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Return what the series at this place measures at these times (ns): the same whenever it is asked."""
    dice = np.random.default_rng([place, int(times[0] // SECOND)])
    hours = (times % DAY_NS).astype(np.float64) / HOUR_NS
    level = np.exp(6.0 + place % 7 + 0.8 * np.sin((hours - place % 24) / 24 * 2 * np.pi))
    return np.floor(level * dice.lognormal(0.0, 0.4, len(times)))


def edges(shape: Shape, start: int, end: int) -> Iterator[Batch]:
    """Yield the points of the edges between two times, a part of the series at a time."""
    made = edge_series(shape)
    times = np.arange(start, end, shape.step * SECOND, dtype=np.uint64)
    at_once = max(1, 2_000_000 // max(1, len(times)))
    for first in range(0, len(made), at_once):
        part = made[first : first + at_once]
        yield Batch(
            {one.id: one for one in part},
            np.repeat(np.array([one.id for one in part], dtype=np.uint64), len(times)),
            np.tile(times, len(part)),
            np.zeros(len(times) * len(part), dtype=np.uint64),
            np.concatenate([values(first + n, times) for n in range(len(part))]),
        )


def others(shape: Shape, start: int, end: int) -> Iterator[Batch]:
    """Yield the points of processes, pods and containers between two times."""
    config = SimulationConfig(start_ns=shape.start, end_ns=NOW, scenario="calm", nodes=shape.nodes)
    yield from simulate(config).batches(start, end, 60, ("process", "pod", "container"))


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading took."""

    points: int
    append_seconds: float
    summarise_seconds: float
    merge_seconds: float


def estate(folder: Path, shape: Shape) -> tuple[Store, Loaded]:
    """Return the store of an estate and what loading it took; it is made where it is not there yet."""
    done = folder / "loaded.json"
    if done.exists() and (known := json.loads(done.read_text()))["shape"] == asdict(shape):
        return open_store(str(folder / "store")), Loaded(**known["loaded"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = open_store(str(folder / "store"))
    loaded = _load(store, shape)
    done.write_text(json.dumps({"shape": asdict(shape), "loaded": asdict(loaded)}))
    return store, loaded


def _load(store: Store, shape: Shape) -> Loaded:
    points, begun = 0, time.perf_counter()
    for day in range(shape.start, NOW, DAY_NS):
        for batch in (*edges(shape, day, day + DAY_NS), *others(shape, day, day + DAY_NS)):
            store.append(batch)
            points += len(batch)
    appended = time.perf_counter()
    Summariser(store, WITHOUT).catch_up()
    summarised = time.perf_counter()
    for table in ("samples_local", "summaries_local", "series_local", "groups_local"):
        store.engine.execute(f"OPTIMIZE TABLE {table} FINAL")
    merged = time.perf_counter()
    return Loaded(
        points, round(appended - begun, 1), round(summarised - appended, 1), round(merged - summarised, 1)
    )
