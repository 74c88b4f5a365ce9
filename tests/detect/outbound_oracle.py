"""What the published detection of outbound process traffic finds, recounted with numpy.

Written from the text of the search and the manual of SPL, line by line; shares no code with the product.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers import DAY, HOUR, SECOND, Observation, Point, observations

BY = ("k8s.cluster.name", "source.workload.name", "source.process.name")


@dataclass
class Verdict:
    """The rows, and whether any comparison is so close that rounding decides it."""

    rows: list[dict[str, Any]]
    close: bool = field(default=False)


def verdict(points: Iterable[Point], now: int) -> Verdict:
    """Run the search over points in the order in which they were sent."""
    seen = observations(points)
    close = False
    rows: list[tuple[tuple[str, str, str], list[str]]] = []
    usual = _history([o for o in seen if now - 30 * DAY <= o[1] < now - HOUR])
    for (bin_, cluster, workload, process), metrics in _recent(
        [o for o in seen if now - HOUR <= o[1] < now]
    ).items():
        del bin_
        matched = usual.get(f"{workload}:{process}")
        text = ""
        if matched is not None:
            # The fields of the subsearch overwrite those of the row.
            workload, process = matched.workload, matched.process
            for metric in matched.metrics:
                value = metrics.get(metric)
                average, deviation = matched.average.get(metric), matched.deviation.get(metric)
                if value is None or average is None or deviation is None:
                    continue
                limit = average + 3 * deviation
                close |= bool(deviation) and math.isclose(value, limit, rel_tol=1e-9, abs_tol=1e-12)
                if value > limit:
                    text += _sentence(metric, value, average, deviation)
        values = re.sub(r",\s\Z", "", text).split(", ")
        if "" not in values:
            rows.append(((cluster, workload, process), values))
    return Verdict(_grouped(rows), close)


def _recent(
    seen: list[Observation],
) -> dict[tuple[int, str, str, str], dict[str, float]]:
    """``avg(tcp.*) avg(udp.*) by cluster workload process span=10s``."""
    cells: dict[tuple[int, str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for series, time, value in seen:
        attributes = dict(series.attributes)
        if _wanted(series.metric) and all(name in attributes for name in BY):
            cluster, workload, process = (attributes[name] for name in BY)
            cells[time // (10 * SECOND), cluster, workload, process][series.metric].append(value)
    return {
        key: {metric: float(np.mean(values)) for metric, values in metrics.items()}
        for key, metrics in cells.items()
    }


@dataclass
class _Usual:
    workload: str
    process: str
    metrics: list[str]
    average: dict[str, float]
    deviation: dict[str, float]


def _history(seen: list[Observation]) -> dict[str, _Usual]:
    """The subsearch: over all clusters, and for UDP the mean in the place of the deviation."""
    groups: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    names: set[str] = set()
    for series, _, value in seen:
        attributes = dict(series.attributes)
        if _wanted(series.metric) and all(name in attributes for name in BY[1:]):
            names.add(series.metric)
            groups[attributes[BY[1]], attributes[BY[2]]][series.metric].append(value)
    metrics = sorted(names, key=lambda name: (name.startswith("udp."), name.encode()))
    found: dict[str, _Usual] = {}
    # Rows come in the order of the BY fields, and the first one with a key is the one that joins.
    for workload, process in sorted(groups, key=lambda pair: (pair[0].encode(), pair[1].encode())):
        group = groups[workload, process]
        average = {metric: float(np.mean(values)) for metric, values in group.items()}
        deviation = {
            metric: average[metric] if metric.startswith("udp.") else _deviation(values)
            for metric, values in group.items()
        }
        found.setdefault(f"{workload}:{process}", _Usual(workload, process, metrics, average, deviation))
    return found


def _wanted(metric: str) -> bool:
    return metric.startswith(("tcp.", "udp."))


def _deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _sentence(metric: str, value: float, average: float, deviation: float) -> str:
    sigmas = (
        "Null" if deviation == 0 else _number(math.floor((value - average) / deviation * 100 + 0.5) / 100)
    )
    return (
        f"{metric} higher than average by {sigmas} Standard Deviations. {metric}={_number(value)}"
        f" avg_{metric}={_number(average)} 'stdev_{metric}'={_number(deviation)}, "
    )


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _grouped(rows: list[tuple[tuple[str, str, str], list[str]]]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for key, values in rows:
        groups[key] += values
    found = []
    for (cluster, workload, process), values in sorted(groups.items()):
        if len(values) > 5:
            distinct = sorted(set(values), key=str.encode)
            found.append(
                {
                    "host": cluster,
                    "source.workload.name": workload,
                    "source.process.name": process,
                    "count": len(values),
                    "anomalies": distinct if len(distinct) > 1 else distinct[0],
                }
            )
    return found


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def assert_same_rows(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Compare rows; numbers inside the texts may differ by the last digits of a double."""
    assert [_without_texts(row) for row in found] == [_without_texts(row) for row in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(_texts(ours), _texts(theirs), strict=True):
            assert _NUMBER.sub("#", one) == _NUMBER.sub("#", other)
            for a, b in zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True):
                assert math.isclose(float(a), float(b), rel_tol=1e-9), (one, other)


def _without_texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "anomalies"}


def _texts(row: dict[str, Any]) -> list[str]:
    texts = row["anomalies"] if isinstance(row["anomalies"], list) else [row["anomalies"]]
    return sorted(texts, key=lambda text: _NUMBER.sub(lambda found: f"{float(found[0]):.9g}", text))
