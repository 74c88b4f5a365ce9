"""Bytes a sample on disk, beside VictoriaMetrics, on values of several kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.estate import NOW, SECOND
from bench.peers import Absent, victoria_metrics
from bench.slices import Series
from bench.thirty_days import bytes_per_point, load
from kubestray.model.metric import Kind
from kubestray.store.open import open_store

_SERIES, _POINTS, _STEP = 24, 86_400, 10

Values = npt.NDArray[np.float64]


def _now_and_then(dice: np.random.Generator, spread: float, share: float) -> Values:
    """Return changes of which this share is not zero."""
    changes: Values = dice.normal(0, spread, _POINTS) * (dice.random(_POINTS) < share)
    return changes


KINDS: dict[str, Callable[[np.random.Generator], Values]] = {
    # name: the values of a series
    "integer_valued": lambda dice: dice.poisson(200, _POINTS).astype(np.float64),
    "slowly_changing": lambda dice: np.floor(100 + np.cumsum(dice.random(_POINTS) < 0.01)),
    "noisy": lambda dice: dice.lognormal(0.0, 1.0, _POINTS),
    "amounts_of_bytes": lambda dice: np.floor(dice.lognormal(10.0, 1.5, _POINTS)),
    "memory": lambda dice: np.floor(3e8 + np.cumsum(dice.normal(0, 5e4, _POINTS))),
    "pages_of_memory": lambda dice: 4096 * np.floor(20_000 + np.cumsum(_now_and_then(dice, 3, 0.3))),
    "few": lambda dice: dice.poisson(2, _POINTS).astype(np.float64),
    "percentages": lambda dice: np.round(dice.normal(50, 10, _POINTS), 1),
    "load_average": lambda dice: np.round(dice.normal(5, 1, _POINTS), 2),
    "cores_in_use": lambda dice: np.round(dice.lognormal(-4, 0.5, _POINTS), 9),
    "counter_of_bytes": lambda dice: np.cumsum(np.floor(dice.lognormal(8.0, 1.5, _POINTS))),
    "counter_of_packets": lambda dice: np.cumsum(dice.poisson(200, _POINTS)).astype(np.float64),
    "counter_of_seconds": lambda dice: np.cumsum(dice.poisson(30, _POINTS)) / 100,
}
_METRICS = {
    "amounts_of_bytes": "tcp.bytes",
    "memory": "k8s.pod.memory.rss",
    "pages_of_memory": "process.memory.usage",
    "few": "tcp.active",
    "percentages": "system.disk.used_percent",
    "load_average": "system.cpu.load_average.1m",
    "cores_in_use": "k8s.pod.cpu.usage",
    "counter_of_bytes": "process.disk.io",
    "counter_of_packets": "k8s.pod.network.io",
    "counter_of_seconds": "process.cpu.time",
}
"""The kinds that real metrics are of, with one for each; they are not in the figure of all kinds together."""


def sizes(folder: Path, budget: float) -> dict[str, Any]:
    """Return the bytes a sample takes here and in VictoriaMetrics, by kind, and of the first three."""
    figures: dict[str, Any] = {}
    both: list[tuple[float, float]] = []
    for kind in KINDS:
        data = partial(_series, kind)
        store = open_store(str(folder / f"ours-{kind}"))
        load(store, data(), Kind.CUMULATIVE if kind.startswith("counter") else Kind.GAUGE)
        ours = bytes_per_point(store)
        store.close()
        theirs = victoria_metrics(data, folder / f"theirs-{kind}", budget)
        if isinstance(theirs, Absent):
            figures[kind] = {"kubestray": round(ours, 3), "absent": theirs.reason}
            continue
        if kind not in _METRICS:
            both.append((ours, theirs.bytes_per_sample))
        figures[kind] = {
            "kubestray": round(ours, 3),
            "victoriametrics": round(theirs.bytes_per_sample, 3),
            "ratio": round(ours / theirs.bytes_per_sample, 2),
        }
    if both:
        here, there = map(sum, zip(*both, strict=True))
        figures["bytes_per_sample_over_victoriametrics"] = round(here / there, 3)
    return figures


def _series(kind: str) -> Iterator[Series]:
    times = np.arange(NOW - _POINTS * _STEP * SECOND, NOW, _STEP * SECOND, dtype=np.uint64)
    for place in range(_SERIES):
        dice = np.random.default_rng([place, list(KINDS).index(kind)])
        labels = {"source.workload.name": f"workload-{place}"}
        yield _METRICS.get(kind, "tcp.bytes"), labels, times, KINDS[kind](dice)
