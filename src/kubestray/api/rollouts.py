"""When a workload was rolled out or scaled: images and pods that were first seen, and pods that went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from kubestray.api.charts import Row
from kubestray.api.hierarchy import NAMESPACE, POD, WORKLOAD, first_of
from kubestray.model.entity import Entity
from kubestray.model.workload import workload_of_pod
from kubestray.pipeline.running import Running
from kubestray.store.points import Span
from kubestray.store.trees import all_of, call, column, named, one_of, select, text, unsigned

_VERSIONS = ("source.image_version", "container.image.tag", "k8s.container.image.tag", "container.image.name")
_PODS = (*POD, "source.pod")
_TOGETHER = 5 * 60_000
"""Milliseconds: pods that begin or end so soon one after the other are of one event, which lasts no longer
than `_LONGEST`."""
_LONGEST = 30 * 60_000
_GONE = 10 * 60_000
"""Milliseconds without a point, after which a pod counts as gone."""
_HOUR = 3600 * 10**9
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Pod:
    """A pod, and when its first and its last point were (ms); ``last`` is None while it goes on."""

    name: str
    first: int
    last: int | None


def marks(running: Running, entity: Entity, span: Span) -> list[Row]:
    """Return what was rolled out or scaled in a time range; ``time`` in milliseconds, ``what`` in words.

    What was there first is no news: of it nobody can tell when it began.
    """
    if not entity.namespace:
        return []
    workload = entity.name.split("/")[0].split(">")[0]
    workload = workload_of_pod(workload) if entity.kind in ("pod", "container") else workload
    begin, end = span.earliest // 10**6, (span.latest or running.clock()) // 10**6
    found = _images(running, entity.namespace, workload) + _pods(running, entity.namespace, workload, span)
    return sorted((one for one in found if begin < one["time"] <= end), key=lambda one: int(one["time"]))


def _images(running: Running, namespace: str, workload: str) -> list[Row]:
    chosen = [_equal(NAMESPACE, namespace), _equal(WORKLOAD, workload)]
    seen = _read(running, _by_value(_VERSIONS, chosen))
    first = min((row["first"] for row in seen), default=0)
    return [
        {"time": row["first"] // 10**6, "what": f"first seen with the image {row['value']}"}
        for row in seen
        if row["first"] > first
    ]


def _pods(running: Running, namespace: str, workload: str, span: Span) -> list[Row]:
    """Return when pods began or ended, those together that did together, and what that was."""
    pods = _lives(running, namespace, workload, span)
    first = min((pod.first for pod in pods), default=0)
    known = {_template(pod.name, workload) for pod in pods if pod.first <= first + _TOGETHER}
    running_ones = {pod.name for pod in pods if pod.first <= first + _TOGETHER}
    told = []
    for group in _groups(pods, first + _TOGETHER):
        began = [pod.name for _, pod, begins in group if begins]
        ended = [pod.name for _, pod, begins in group if not begins]
        before = len(running_ones)
        running_ones = (running_ones | set(began)) - set(ended)
        templates = {_template(name, workload) for name in began}
        what = _told(began, ended, before, len(running_ones), new=bool(templates - known))
        known |= templates
        told.append({"time": group[0][0], "what": what})
    return told


def _groups(pods: list[_Pod], since: int) -> Iterator[list[tuple[int, _Pod, bool]]]:
    """Yield what happened to pods after a time, together what was soon one after the other."""
    happened = [(pod.first, pod, True) for pod in pods if pod.first > since]
    happened += [(pod.last, pod, False) for pod in pods if pod.last is not None]
    group: list[tuple[int, _Pod, bool]] = []
    for one in sorted(happened, key=lambda one: (one[0], one[1].name)):
        if group and (one[0] - group[-1][0] > _TOGETHER or one[0] - group[0][0] > _LONGEST):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _lives(running: Running, namespace: str, workload: str, span: Span) -> list[_Pod]:
    """Return the pods of a workload, in the order in which they began.

    The catalog notes the last sight of a series once an hour: of those that may have ended in the range,
    the points themselves tell, as long as they are kept.
    """
    prefix = call("startsWith", first_of(_PODS), text(f"{workload}-"))
    last = call("max", column("last_seen"))
    series = call("argMax", call("tuple", column("metric"), column("series_id")), column("last_seen"))
    tree = _by_value(_PODS, [_equal(NAMESPACE, namespace), prefix], named(last, "last"), named(series, "one"))
    rows = [row for row in _read(running, tree) if workload_of_pod(row["value"]) == workload]
    # Pods are gone if others still send: where points end, nobody knows.
    newest = running.newest() or _newest(running, namespace)
    end = min(span.latest or running.clock(), newest)
    ended = [row for row in rows if row["last"] < end - _GONE * 10**6]
    near = {row["value"]: row for row in ended if row["last"] + _HOUR >= span.earliest}
    exact = _last_points(running, [tuple(row["one"].values()) for row in near.values()], span.earliest, end)
    pods = []
    for row in rows:
        seen = max(row["last"], exact.get(row["one"]["2"], 0)) // 10**6
        gone = row in ended and seen < end // 10**6 - _GONE
        pods.append(_Pod(row["value"], row["first"] // 10**6, seen if gone else None))
    return pods


def _newest(running: Running, namespace: str) -> int:
    """Return when a namespace was last seen (ns), as the catalog notes it."""
    last = named(call("max", column("last_seen")), "last")
    rows = running.store.query(
        select(last).from_("series").where(_equal(NAMESPACE, namespace)), running.limits
    )
    return int(rows.column("last")[0].as_py() or 0)


def _last_points(running: Running, series: list[tuple[str, int]], begin: int, end: int) -> dict[int, int]:
    """Return the time (ns) of the last point that series had in a range and an hour before, by series."""
    if not series:
        return {}
    within = Span(max(0, begin - _HOUR), end)
    chosen = [
        one_of(column("metric"), map(text, sorted({metric for metric, _ in series}))),
        one_of(column("series_id"), (unsigned(identity) for _, identity in series)),
        within.holds_stored(column("time")),
    ]
    tree = (
        select(column("series_id"), named(call("max", column("time")), "last"))
        .from_("samples")
        .where(all_of(chosen))
        .group_by(column("series_id"))
    )
    return {row["series_id"]: row["last"] for row in running.store.query(tree, running.limits).to_pylist()}


def _template(pod: str, workload: str) -> str:
    """Return the hash of the ReplicaSet in a pod's name; pods of a DaemonSet or a StatefulSet have none."""
    parts = pod[len(workload) + 1 :].split("-")
    return parts[0] if len(parts) > 1 else ""


def _told(began: list[str], ended: list[str], before: int, after: int, *, new: bool) -> str:
    if new:
        return f"rollout, new template: {_shown(began)}"
    if after > before:
        return f"scaled up from {before} to {after}: {_shown(began)}"
    if after < before:
        return f"scaled down from {before} to {after}: {_shown(ended)} gone"
    return f"restarted: {_shown(began)} in place of {_shown(ended)}"


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _by_value(names: Iterable[str], chosen: list[exp.Expr], *more: exp.Expr) -> exp.Select:
    """Select the values of the first of some attributes with when each was first seen (ns), in that order."""
    return (
        select(named(first_of(names), "value"), named(call("min", column("first_seen")), "first"), *more)
        .from_("series")
        .where(all_of(chosen))
        .group_by(column("value"))
        .order_by(column("first"), column("value"))
        .limit(5_000)
    )


def _read(running: Running, tree: exp.Select) -> list[Row]:
    return [row for row in running.store.query(tree, running.limits).to_pylist() if row["value"]]


def _equal(names: Iterable[str], value: str) -> exp.Expr:
    return exp.EQ(this=first_of(names), expression=text(value))
