"""What the published detections of pod traffic and their baselines find and keep, recounted."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spl_oracle import (
    Judge,
    Verdict,
    between,
    deviation_or_null,
    divided,
    mean,
    mean_or_null,
    measured,
    mstats,
    often,
    scheduled_hour,
    scheduled_month,
    without_comma,
    without_nulls,
)

from helpers import Observation, Point

Row = dict[str, Any]

METRIC = "k8s.pod.network.io"
BY = ("k8s.cluster.name", "k8s.pod.name", "k8s.node.name", "direction")
OUT, IN = "outbound_network_io", "inbound_network_io"
IN_OUT, OUT_IN = "inbound:outbound", "outbound:inbound"

# Five word characters after the last dash, and before them perhaps a part of eight to ten hex digits.
_TAIL = re.compile(r"-(?:[0-9a-f]{8,10}-)?\w{5}$", re.ASCII)


@dataclass(frozen=True)
class _Step:
    """One row of ``mstats``: ten seconds of one pod in one direction."""

    cluster: str
    pod: str
    node: str
    direction: str
    time: int
    io: float

    @property
    def service(self) -> str:
        return _TAIL.sub("", self.pod)

    @property
    def key(self) -> str:
        return f"{self.cluster}:{self.service}"


def _steps(seen: Iterable[Observation]) -> Iterator[_Step]:
    for key, metrics in mstats(seen, lambda name: name == METRIC, BY, bins=True).items():
        yield _Step(*key.values, key.time, mean(metrics[METRIC]))


def _going(steps: Iterable[_Step], direction: str) -> list[float]:
    return [step.io for step in steps if step.direction == direction]


def io_baseline(points: Iterable[Point], now: int) -> list[Row]:
    """Mean and deviation of the steps of all pods of a service."""
    groups: dict[str, list[_Step]] = defaultdict(list)
    for step in _steps(between(measured(points), *scheduled_month(now))):
        groups[step.key].append(step)
    rows = []
    for key, steps in groups.items():
        out, in_ = _going(steps, "transmit"), _going(steps, "receive")
        row = {
            "key": key,
            f"avg_{OUT}": mean_or_null(out),
            f"avg_{IN}": mean_or_null(in_),
            f"stdev_{OUT}": deviation_or_null(out),
            f"stdev_{IN}": deviation_or_null(in_),
            "count": len(steps),
            "last_seen": max(step.time for step in steps),
        }
        rows.append(without_nulls(row))
    return rows


def ratio_baseline(points: Iterable[Point], now: int) -> list[Row]:
    """Mean and deviation of the ratios of the means of a service's pods, step by step."""
    groups: dict[str, dict[int, list[_Step]]] = defaultdict(lambda: defaultdict(list))
    for step in _steps(between(measured(points), *scheduled_month(now))):
        groups[step.key][step.time].append(step)
    rows = []
    for key, by_time in groups.items():
        row: Row = {"key": key, "count": len(by_time), "last_seen": max(by_time)}
        ratios = [_ratios(steps) for steps in by_time.values()]
        for name in (IN_OUT, OUT_IN):
            known = [ratio[name] for ratio in ratios if ratio[name] is not None]
            row[f"avg_{name}"], row[f"stdev_{name}"] = mean_or_null(known), deviation_or_null(known)
        rows.append(without_nulls(row))
    return rows


def _ratios(steps: Sequence[_Step]) -> Row:
    out, in_ = mean_or_null(_going(steps, "transmit")), mean_or_null(_going(steps, "receive"))
    return {IN_OUT: divided(in_, out), OUT_IN: divided(out, in_)}


def _traffic(steps: Sequence[_Step]) -> Row:
    return {name: mean_or_null(_going(steps, way)) for name, way in ((OUT, "transmit"), (IN, "receive"))}


def io(points: Iterable[Point], now: int, usual: Sequence[Row]) -> Verdict:
    """Pods whose steps lie above the baseline of their service."""
    return _above(points, now, usual, Judge(4), _traffic, (OUT, IN))


def ratio(points: Iterable[Point], now: int, usual: Sequence[Row]) -> Verdict:
    """Pods whose ratios lie above the baseline of their service."""
    judge = Judge(4, "ratio higher than average by")
    return _above(points, now, usual, judge, _ratios, (IN_OUT, OUT_IN))


def _above(
    points: Iterable[Point],
    now: int,
    usual: Sequence[Row],
    judge: Judge,
    values_of: Callable[[Sequence[_Step]], Row],
    names: Sequence[str],
) -> Verdict:
    by_key = {row["key"]: row for row in usual}
    rows: dict[tuple[str, int], list[_Step]] = defaultdict(list)
    for step in _steps(between(measured(points), *scheduled_hour(now))):
        rows[(step.cluster, step.node, step.pod, step.service, step.time)].append(step)  # type: ignore[index]
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for group, steps in rows.items():
        values, known = values_of(steps), by_key.get(steps[0].key, {})
        text = "".join(
            judge.sentence(name, values[name], known.get(f"avg_{name}"), known.get(f"stdev_{name}"))
            for name in names
        )
        if text:
            found[group[:-1]].append(without_comma(text))  # type: ignore[index]
    fields = ("k8s.cluster.name", "host", "k8s.pod.name", "k8s.service")
    return Verdict(often(fields, found), judge.close)
