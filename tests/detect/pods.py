"""Words of the tests of pod traffic."""

from __future__ import annotations

from typing import Any

from awkward import train

from helpers import DAY, HOUR, MINUTE, NOW, Point, series
from kubestray.model.metric import Kind, Series

Row = dict[str, Any]

IO = "Kubernetes Anomalous Inbound Outbound Network IO"
RATIO = "Kubernetes Anomalous Inbound to Outbound Network IO Ratio"
IO_BASELINE = "Baseline Of Kubernetes Container Network IO"
RATIO_BASELINE = "Baseline Of Kubernetes Container Network IO Ratio"

MIDNIGHT = NOW // DAY * DAY
FIRST, END = MIDNIGHT - 30 * DAY, MIDNIGHT - DAY
"""The month of the baselines."""
HOUR_FIRST, HOUR_END = NOW - 70 * MINUTE, NOW - 10 * MINUTE
"""The hour of the detections; now is the start of a minute."""
BEFORE, RECENT = FIRST + 5 * DAY, NOW - HOUR


def pod(
    name: str = "web-7d9f8b6c5-abcde",
    way: str = "transmit",
    kind: Kind = Kind.GAUGE,
    *,
    cluster: str = "c1",
    node: str = "n1",
    **more: str,
) -> Series:
    names = {"k8s.cluster.name": cluster, "k8s.pod.name": name, "k8s.node.name": node, "direction": way}
    return series("k8s.pod.network.io", kind, **names, **more)


def steps(of: Series, start: int, *values: float) -> list[Point]:
    """A value every ten seconds."""
    return [(of, time, 0, value) for time, value in zip(train(start, len(values)), values, strict=True)]


def usual(of: Series, *values: float) -> list[Point]:
    return steps(of, BEFORE, *values)


def hits(of: Series, count: int, value: float = 1000.0) -> list[Point]:
    return steps(of, RECENT, *[value] * count)


def both(name: str, start: int, *pairs: tuple[float, float], **more: Any) -> list[Point]:
    """A pair of inbound and outbound every ten seconds."""
    points = steps(pod(name, "receive", **more), start, *(one for one, _ in pairs))
    return points + steps(pod(name, "transmit", **more), start, *(other for _, other in pairs))


def who(rows: list[Row]) -> list[tuple[str, str, str, str, int]]:
    names = ("k8s.cluster.name", "host", "k8s.pod.name", "k8s.service", "count")
    return sorted(tuple(row[name] for name in names) for row in rows)  # type: ignore[misc]


def said(rows: list[Row]) -> list[str]:
    texts = [row["anomalies"] for row in rows]
    return [text for one in texts for text in (one if isinstance(one, list) else [one])]
