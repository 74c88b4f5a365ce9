"""What the three published detections of network traffic find, recounted.

They are one search over different attributes: the mean of ten seconds against a month of points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from spl_oracle import (
    Judge,
    Names,
    Verdict,
    between,
    deviation,
    hour_before,
    mean,
    means,
    measured,
    month_before_the_hour,
    mstats,
    often,
    without_comma,
)

from helpers import Observation, Point

CLUSTER = "k8s.cluster.name"
OUTBOUND = (CLUSTER, "source.workload.name", "source.process.name")
INBOUND = (CLUSTER, "dest.workload.name", "dest.process.name")
EDGE = (CLUSTER, "source.workload.name", "dest.workload.name")


def verdict(points: Iterable[Point], now: int, by: Names = OUTBOUND) -> Verdict:
    """Run the search over points in the order in which they were sent."""
    seen = measured(points)
    judge = Judge(3)
    usual = _history(between(seen, *month_before_the_hour(now)), by)
    rows: list[tuple[Names, list[str]]] = []
    for key, metrics in mstats(between(seen, *hour_before(now)), _wanted, by, bins=True).items():
        cluster, *names = key.values
        matched, text = usual.get(":".join(names)), ""
        if matched is not None:
            # The fields of the subsearch overwrite those of the row.
            names, values = list(matched.names), means(metrics)
            for metric in matched.metrics:
                text += judge.sentence(
                    metric,
                    values.get(metric),
                    matched.average.get(metric),
                    matched.spread.get(metric),
                )
        anomalies = without_comma(text).split(", ")
        if "" not in anomalies:
            rows.append(((cluster, *names), anomalies))
    return Verdict(_grouped(rows, ("host", *by[1:])), judge.close)


@dataclass
class _Usual:
    names: Names
    metrics: list[str]
    average: dict[str, float]
    spread: dict[str, float]


def _history(seen: list[Observation], by: Names) -> dict[str, _Usual]:
    """The subsearch: over all clusters, and for UDP the mean in the place of the deviation."""
    groups = mstats(seen, _wanted, by[1:])
    # Rows come in the order of the BY fields, and the first one with a key is the one that joins.
    found: dict[str, _Usual] = {}
    for key in sorted(groups, key=lambda key: [name.encode() for name in key.values]):
        average = means(groups[key])
        spread = {
            metric: mean(values) if metric.startswith("udp.") else deviation(values)
            for metric, values in groups[key].items()
        }
        found.setdefault(":".join(key.values), _Usual(key.values, list(average), average, spread))
    return found


def _wanted(metric: str) -> bool:
    return metric.startswith(("tcp.", "udp."))


def _grouped(rows: list[tuple[Names, list[str]]], names: Names) -> list[dict[str, object]]:
    groups: dict[Names, list[str]] = defaultdict(list)
    for key, anomalies in rows:
        groups[key] += anomalies
    return often(names, groups)
