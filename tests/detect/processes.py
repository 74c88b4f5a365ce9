"""Words of the tests of processes' resources."""

from __future__ import annotations

from typing import Any

from awkward import train

from helpers import DAY, HOUR, MINUTE, NOW, Point, series
from kubestray.model.metric import Kind, Series

Row = dict[str, Any]

RESOURCES = "Kubernetes Process with Anomalous Resource Utilisation"
RATIOS = "Kubernetes Process with Resource Ratio Anomalies"
RESOURCE_BASELINE = "Baseline Of Kubernetes Process Resource"
RATIO_BASELINE = "Baseline Of Kubernetes Process Resource Ratio"
SHELL = "Kubernetes Shell Running on Worker Node"
SHELL_CPU = "Kubernetes Shell Running on Worker Node with CPU Activity"

CPU, MEMORY = "process.cpu.utilization", "process.memory.utilization"
DISK, THREADS = "process.disk.operations", "process.threads"

MIDNIGHT = NOW // DAY * DAY
FIRST, END = MIDNIGHT - 30 * DAY, MIDNIGHT - DAY
"""The month of the baselines."""
HOUR_FIRST, HOUR_END = NOW - 70 * MINUTE, NOW - 10 * MINUTE
"""The hour of the detections; now is the start of a minute."""
BEFORE, RECENT = FIRST + 5 * DAY, NOW - HOUR


def process(
    metric: str = CPU,
    name: str = "nginx",
    kind: Kind = Kind.GAUGE,
    *,
    host: str = "h1",
    cluster: str = "c1",
    node: str = "n1",
    pid: str = "7",
) -> Series:
    names = {"host.name": host, "k8s.cluster.name": cluster, "k8s.node.name": node, "process.pid": pid}
    return series(metric, kind, **names, **{"process.executable.name": name})


def steps(of: Series, start: int, *values: float) -> list[Point]:
    """A value every ten seconds."""
    return [(of, time, 0, value) for time, value in zip(train(start, len(values)), values, strict=True)]


def usual(of: Series, *values: float) -> list[Point]:
    return steps(of, BEFORE, *values)


def hits(of: Series, count: int, value: float = 1000.0) -> list[Point]:
    return steps(of, RECENT, *[value] * count)


def who(rows: list[Row]) -> list[tuple[str, str, str, str, int]]:
    names = ("host", "k8s.cluster.name", "k8s.node.name", "process.executable.name", "count")
    return sorted(tuple(row[name] for name in names) for row in rows)  # type: ignore[misc]


def said(rows: list[Row]) -> list[str]:
    texts = [row["anomalies"] for row in rows]
    return [text for one in texts for text in (one if isinstance(one, list) else [one])]
