"""What the five published detections of things not seen before find, recounted.

Each compares the keys of two windows. A key was seen in a window if a point of one metric has its
attributes there; of a counter, a point counts once its increase is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spl_oracle import (
    Names,
    between,
    day_before,
    hour_before,
    measured,
    month_before_the_hour,
    mstats,
)

from helpers import Observation, Point

Row = dict[str, Any]

CLUSTER, HOST, NODE = "k8s.cluster.name", "host.name", "k8s.node.name"
EDGE = (CLUSTER, "source.workload.name", "dest.workload.name")
IMAGE = (HOST, CLUSTER, NODE, "container.image.name")
PROCESS = (HOST, CLUSTER, NODE, "process.executable.name")
PATH = (HOST, CLUSTER, NODE, "process.pid", "process.executable.path", "process.executable.name")

READY = "k8s.container.ready"
MEMORY = "process.memory.utilization"


def new_edges(points: Iterable[Point], now: int, metric: str) -> list[Row]:
    """Edges of the last hour, by cluster, that no cluster had in the month before it."""
    seen = measured(points)
    recent = _counts(between(seen, *hour_before(now)), metric, EDGE)
    history = _counts(between(seen, *month_before_the_hour(now)), metric, EDGE[1:])
    return [
        {**_named(("host", *EDGE[1:]), key), f"{metric}_count": count, "current": "True"}
        for key, count in recent.items()
        if key[1:] not in history
    ]


def new_images(points: Iterable[Point], now: int) -> list[Row]:
    """Images of the last day that were not there in the month before the last hour."""
    seen = measured(points)
    recent = _counts(between(seen, *day_before(now)), READY, IMAGE)
    history = _counts(between(seen, *month_before_the_hour(now)), READY, IMAGE)
    return [{**_named(("host", *IMAGE[1:]), key), "current": "True"} for key in recent if key not in history]


def new_processes(points: Iterable[Point], now: int, by: Names = PROCESS) -> list[Row]:
    """Processes of the last hour that were not there in the month before it; with `PATH`, by path and id."""
    seen = measured(points)
    recent = _counts(between(seen, *hour_before(now)), MEMORY, by)
    history = _counts(between(seen, *month_before_the_hour(now)), MEMORY, by)
    return [
        {**_named(("host", *by[1:]), key), "count": 1, "current": "True"}
        for key in recent
        if key not in history
    ]


def _counts(seen: Iterable[Observation], metric: str, by: Names) -> dict[Names, int]:
    return {
        key.values: len(values[metric])
        for key, values in mstats(seen, lambda name: name == metric, by).items()
    }


def _named(names: Names, values: Names) -> Row:
    return dict(zip(names, values, strict=True))
