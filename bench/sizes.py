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

KINDS: dict[str, Callable[[np.random.Generator], Values]] = {
    # name: the values of a series
    "integer_valued": lambda dice: dice.poisson(200, _POINTS).astype(np.float64),
    "slowly_changing": lambda dice: np.floor(100 + np.cumsum(dice.random(_POINTS) < 0.01)),
    "noisy": lambda dice: dice.lognormal(0.0, 1.0, _POINTS),
    "load_average": lambda dice: np.round(dice.normal(5, 1, _POINTS), 2),
    "cores_in_use": lambda dice: np.round(dice.lognormal(-4, 0.5, _POINTS), 9),
    "counter_of_bytes": lambda dice: np.cumsum(np.floor(dice.lognormal(8.0, 1.5, _POINTS))),
    "counter_of_packets": lambda dice: np.cumsum(dice.poisson(200, _POINTS)).astype(np.float64),
    "counter_of_seconds": lambda dice: np.cumsum(dice.poisson(30, _POINTS)) / 100,
}
_METRICS = {
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
