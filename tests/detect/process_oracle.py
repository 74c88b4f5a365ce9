"""What the published detections of processes' resources and their baselines find and keep, recounted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from spl_oracle import (
    Judge,
    Key,
    Verdict,
    between,
    deviation,
    divided,
    mean,
    mean_or_null,
    means,
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

BY = ("host.name", "k8s.cluster.name", "k8s.node.name", "process.executable.name")
SHELL_BY = (*BY[:3], "process.pid", "process.executable.name")
CPU, MEMORY = "process.cpu.utilization", "process.memory.utilization"
DISK, THREADS = "process.disk.operations", "process.threads"
RATIOS = ("cpu:mem", "cpu:disk", "mem:disk", "cpu:threads", "disk:threads")


def _of_a_process(metric: str) -> bool:
    return metric.startswith("process.")


def _any(_metric: str) -> bool:
    return True


def _key(host: str, cluster: str, _node: str, name: str) -> str:
    return f"{cluster}:{host}:{name}"


def _filled(rows: Iterable[Row]) -> list[Row]:
    """``fillnull``: 0 for every field that any row has."""
    known = list(rows)
    names = {name for row in known for name, value in row.items() if value is not None}
    return [{name: 0.0 if row.get(name) is None else row[name] for name in names} for row in known]


def resource_baseline(points: Iterable[Point], now: int) -> list[Row]:
    """Mean of the metrics of processes and deviation of all metrics, over points."""
    rows = []
    for key, metrics in mstats(between(measured(points), *scheduled_month(now)), _any, BY).items():
        row: Row = {**dict(zip(BY, key.values, strict=True)), "key": _key(*key.values)}
        row |= {f"avg_{name}": mean(values) for name, values in metrics.items() if _of_a_process(name)}
        row |= {f"stdev_{name}": deviation(values) for name, values in metrics.items()}
        rows.append(row)
    return _filled(rows)


def ratio_baseline(points: Iterable[Point], now: int) -> list[Row]:
    """Mean and deviation of ratios over steps; a ratio that is null counts as 0 if any is known."""
    steps = []
    seen = between(measured(points), *scheduled_month(now))
    for key, metrics in mstats(seen, _of_a_process, BY, bins=True).items():
        values = means(metrics)
        # The published baseline divides memory by itself.
        ratios = _ratios(values) | {"mem:disk": divided(values.get(MEMORY), values.get(MEMORY))}
        steps.append({"key": _key(*key.values), "_time": key.time, **ratios})
    groups: dict[str, list[Row]] = defaultdict(list)
    for step in _filled(steps):
        groups[step["key"]].append(step)
    rows = []
    for name, found in groups.items():
        row: Row = {"key": name, "count": len(found), "last_seen": max(step["_time"] for step in found)}
        for ratio in RATIOS:
            known = [step[ratio] for step in found if ratio in step]
            row[f"avg_{ratio}"] = mean_or_null(known)
            row[f"stdev_{ratio}"] = deviation(known) if known else None
        rows.append(without_nulls(row))
    return rows


def _ratios(values: Mapping[str, float]) -> dict[str, float | None]:
    cpu, memory, disk, threads = (values.get(name) for name in (CPU, MEMORY, DISK, THREADS))
    return {
        "cpu:mem": divided(cpu, memory),
        "cpu:disk": divided(cpu, disk),
        "mem:disk": divided(memory, disk),
        "cpu:threads": divided(cpu, threads),
        "disk:threads": divided(disk, threads),
    }


def resources(points: Iterable[Point], now: int, usual: Sequence[Row]) -> Verdict:
    """Processes with steps above their baseline, most steps first."""
    fields = {name for row in usual for name in row}
    names = sorted(name.removeprefix("stdev_") for name in fields if name.startswith("stdev_"))
    judge = Judge(4)
    found = _above(points, now, usual, judge, lambda metrics: dict(means(metrics)), names)
    return Verdict(sorted(found.rows, key=lambda row: -row["count"]), found.close)


def ratios(points: Iterable[Point], now: int, usual: Sequence[Row]) -> Verdict:
    """Processes with ratios above their baseline."""
    judge = Judge(4, "ratio higher than average by")
    return _above(points, now, usual, judge, lambda metrics: _ratios(means(metrics)), RATIOS)


def _above(
    points: Iterable[Point],
    now: int,
    usual: Sequence[Row],
    judge: Judge,
    values_of: Callable[[Mapping[str, list[float]]], Mapping[str, float | None]],
    names: Sequence[str],
) -> Verdict:
    by_key = {row["key"]: row for row in usual}
    assert len(by_key) == len(usual), "several rows of one key make multivalue fields"
    rows: list[Row] = []
    seen = between(measured(points), *scheduled_hour(now))
    for key, metrics in mstats(seen, _of_a_process, BY, bins=True).items():
        row: Row = {**dict(zip(BY, key.values, strict=True)), "key": _key(*key.values), **values_of(metrics)}
        # All fields of the lookup come in, also those that the row has.
        rows.append(row | by_key.get(row["key"], {}))
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in _filled(rows):
        text = "".join(
            judge.sentence(name, row.get(name), row.get(f"avg_{name}"), row.get(f"stdev_{name}"))
            for name in names
        )
        if text:
            found[tuple(row[name] for name in BY)].append(without_comma(text))
    return Verdict(often(("host", *BY[1:]), found), judge.close)


def shells(points: Iterable[Point], now: int, *, cpu_only: bool) -> list[Row]:
    """Shells that did anything: with ``cpu_only`` those that used the processor."""
    groups: dict[Key, list[dict[str, float]]] = defaultdict(list)
    seen = [one for one in between(measured(points), *scheduled_hour(now)) if _is_shell(one)]
    for key, metrics in mstats(seen, lambda name: name in (CPU, MEMORY), SHELL_BY, bins=True).items():
        values = means(metrics)
        active = values.get(CPU, 0.0) > 0 or (not cpu_only and values.get(MEMORY, 0.0) > 0)
        if active:
            groups[Key(key.values)].append(values)
    return [
        without_nulls(
            {
                **dict(zip(("host", *SHELL_BY[1:]), key.values, strict=True)),
                **{
                    name: mean_or_null([step[name] for step in steps if name in step])
                    for name in (CPU, MEMORY)
                },
            }
        )
        for key, steps in groups.items()
    ]


def _is_shell(one: Observation) -> bool:
    return dict(one[0].attributes).get("process.executable.name") in ("sh", "bash", "csh", "tcsh")
