"""When a workload was rolled out or scaled, as the catalog tells: images and pods that were first seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlglot import exp

from kubestray.api.charts import Row
from kubestray.api.entities import NAMESPACE, POD, WORKLOAD, first_of
from kubestray.model.entity import Entity
from kubestray.model.workload import workload_of_pod
from kubestray.pipeline.running import Running
from kubestray.store.points import Span
from kubestray.store.trees import all_of, call, column, named, select, text

_VERSIONS = ("source.image_version", "container.image.tag", "k8s.container.image.tag", "container.image.name")
_PODS = (*POD, "source.pod")
_TOGETHER = 5 * 60_000
"""Milliseconds: pods that begin so close together are one event."""
_NAMED = 3


def marks(running: Running, entity: Entity, span: Span) -> list[Row]:
    """Return what was rolled out or scaled in a time range; ``time`` in milliseconds, ``what`` in words.

    What was there first is no news: of it nobody can tell when it began.
    """
    if not entity.namespace:
        return []
    workload = entity.name.split("/")[0].split(">")[0]
    workload = workload_of_pod(workload) if entity.kind in ("pod", "container") else workload
    begin, end = span.earliest // 10**6, (span.latest or running.clock()) // 10**6
    found = _images(running, entity.namespace, workload) + _pods(running, entity.namespace, workload)
    return sorted((one for one in found if begin < one["time"] <= end), key=lambda one: int(one["time"]))


def _images(running: Running, namespace: str, workload: str) -> list[Row]:
    chosen = [_equal(NAMESPACE, namespace), _equal(WORKLOAD, workload)]
    seen = _first_seen(running, _VERSIONS, chosen)
    first = min((time for _, time in seen), default=0)
    return [
        {"time": time, "what": f"first seen with the image {image}"} for image, time in seen if time > first
    ]


def _pods(running: Running, namespace: str, workload: str) -> list[Row]:
    """Return when pods began, those together that began together: of a new template, or more of the same."""
    prefix = call("startsWith", first_of(_PODS), text(f"{workload}-"))
    seen = _first_seen(running, _PODS, [_equal(NAMESPACE, namespace), prefix])
    pods = [(pod, time) for pod, time in seen if workload_of_pod(pod) == workload]
    first = min((time for _, time in pods), default=0)
    known = {_template(pod, workload) for pod, time in pods if time <= first + _TOGETHER}
    begun = {True: 0, False: 0}
    groups: dict[tuple[int, bool], list[str]] = defaultdict(list)
    rolled: dict[str, int] = {}
    for pod, time in pods:
        if time <= first + _TOGETHER:
            continue
        template = _template(pod, workload)
        # Pods of a template belong to its rollout while that is under way.
        new = template not in known and time - rolled.setdefault(template, time) <= _TOGETHER
        if time - begun[new] > _TOGETHER:
            begun[new] = time
        groups[begun[new], new].append(pod)
    return [{"time": time, "what": _told(names, new)} for (time, new), names in groups.items()]


def _template(pod: str, workload: str) -> str:
    """Return the hash of the ReplicaSet in a pod's name; pods of a DaemonSet or a StatefulSet have none."""
    parts = pod[len(workload) + 1 :].split("-")
    return parts[0] if len(parts) > 1 else ""


def _told(names: list[str], new: bool) -> str:
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return f"rollout, new template: {shown}" if new else f"scaled or restarted, new pods: {shown}"


def _first_seen(running: Running, names: Iterable[str], chosen: list[exp.Expr]) -> list[tuple[str, int]]:
    """Return the values of the first of some attributes with when each was first seen (ms), in that order."""
    tree = (
        select(named(first_of(names), "value"), named(call("min", column("first_seen")), "first"))
        .from_("series")
        .where(all_of(chosen))
        .group_by(column("value"))
        .order_by(column("first"), column("value"))
        .limit(5_000)
    )
    rows = running.store.query(tree, running.limits).to_pylist()
    return [(row["value"], row["first"] // 10**6) for row in rows if row["value"]]


def _equal(names: Iterable[str], value: str) -> exp.Expr:
    return exp.EQ(this=first_of(names), expression=text(value))
