"""Which entity a risk event is about, what that belongs to, and by what it is known to be related to others.

A detection of ours names its entity as it is written (``workload:prod/shop/cart``). Published ones name a
risk object by a bare name in a field; the field, the rest of the row and the directory then tell what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubestray.model.entity import Entity
from kubestray.model.workload import workload_of_pod
from kubestray.risk import directory as known
from kubestray.risk.directory import Directory

Row = dict[str, Any]

_KINDS = {
    **dict.fromkeys((known.CLUSTER,), "cluster"),
    **dict.fromkeys((known.NODE, known.HOST), "node"),
    **dict.fromkeys((known.NAMESPACE,), "namespace"),
    **dict.fromkeys((known.POD,), "pod"),
    **dict.fromkeys((*known.OWNERS, known.REPLICA_SET, "workload"), "workload"),
    **dict.fromkeys(("source.workload.name", "dest.workload.name"), "workload"),
    **dict.fromkeys(("container.image.name", "container.image"), "image"),
    **dict.fromkeys(("k8s.container.name", "container.name"), "container"),
    **dict.fromkeys(("process.executable.name", "process.executable.path", "source.process.name"), "process"),
}
"""The kind of what a field names."""

_CLUSTERS = (known.CLUSTER,)
_NAMESPACES = ("source.namespace.name", known.NAMESPACE)
_WORKLOADS = ("source.workload.name", "workload.name", *known.OWNERS)
_NODES = (known.NODE, known.HOST)
_PROCESSES = ("source.process.name", "process.executable.name", "process.executable.path", "process.name")

_UNKNOWN = frozenset(("unknown", "(unknown)"))


@dataclass(frozen=True, slots=True)
class Place:
    """An entity, everything it is part of (the nearest first), and what it is known by to be related.

    ``related``: whoever has one of these too is related. ``reaches``: whoever is known by one of these is
    related from now on. ``near``: whoever has one of these too is related if it is close in time.
    """

    entity: Entity
    parents: tuple[Entity, ...]
    related: tuple[str, ...]
    reaches: tuple[str, ...]
    near: tuple[str, ...]


def place(risk_object: str, field: str, kind: str, row: Row, who: Directory, time: int) -> Place:
    """Find the place of a risk object by its name, field, type and row; the time in nanoseconds."""
    entity = Entity.parse(risk_object) or _by_name(risk_object, field, kind, row, who)
    if entity.kind == "node":
        entity = Entity("node", entity.cluster or who.cluster_of(entity.name), "", who.node(entity.name))
    parents = tuple(_parents(entity, row, who, time))
    return Place(entity, parents, *_relations(entity, parents, row, who, time))


def _by_name(name: str, field: str, kind: str, row: Row, who: Directory) -> Entity:
    """Return the entity of a bare name."""
    what = _KINDS.get(field) or who.kind_of(name) or ("node" if kind == "system" else "workload")
    cluster = _first(row, _CLUSTERS) or who.cluster_of(name) or who.cluster_of(_first(row, _NODES))
    if what == "cluster":
        return Entity("cluster", name, "", "")
    if what == "namespace":
        return Entity("namespace", cluster, name, "")
    if what in ("node", "image"):
        return Entity(what, cluster, "", name)
    namespace = _first(row, ("dest.namespace.name",) if field.startswith("dest.") else _NAMESPACES)
    if what == "process":
        owner = _first(row, _WORKLOADS) if namespace else who.node(_first(row, _NODES))
        return Entity("process", cluster, namespace, f"{owner}/{name}")
    if what == "container" and (pod := _first(row, (known.POD,))):
        name = f"{pod}/{name}"
    return Entity(what, cluster, namespace, name)


def _parents(entity: Entity, row: Row, who: Directory, time: int) -> list[Entity]:
    """Return what an entity is part of, the nearest first, each once."""
    found: dict[Entity, None] = {}
    waiting = [entity]
    while waiting:
        for parent in _above(waiting.pop(0), row, who, time):
            if parent != entity and parent not in found:
                found[parent] = None
                waiting.append(parent)
    return list(found)


def above(entity: Entity) -> list[Entity]:
    """Return what an entity is part of as far as its name says it, the nearest first, each once."""
    return _parents(entity, {}, Directory(), 0)


def _above(entity: Entity, row: Row, who: Directory, time: int) -> list[Entity]:
    cluster, namespace, name = entity.cluster, entity.namespace, entity.name
    match entity.kind:
        case "process":
            owner = name.partition("/")[0]
            if namespace:
                return [Entity("workload", cluster, namespace, owner)]
            return [Entity("node", cluster, "", who.node(owner))] if owner else _cluster(cluster)
        case "container":
            return [Entity("pod", cluster, namespace, name.partition("/")[0])]
        case "edge":
            return [Entity("workload", cluster, namespace, name.partition(">")[0])]
        case "pod":
            there = who.pod(name, time)
            owner = (there and there.workload) or _first(row, known.OWNERS) or workload_of_pod(name)
            node = (there and there.node) or who.node(_first(row, _NODES))
            above = [Entity("workload", cluster, namespace, owner)]
            return [*above, Entity("node", cluster, "", who.node(node))] if node else above
        case "workload":
            return [Entity("namespace", cluster, namespace, "")] if namespace else _cluster(cluster)
        case "cluster":
            return []
        case _:
            return _cluster(cluster)


def _cluster(name: str) -> list[Entity]:
    return [Entity("cluster", name, "", "")] if name else []


def _relations(
    entity: Entity, parents: tuple[Entity, ...], row: Row, who: Directory, time: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return by what an entity is related to others: at any time, from now on, and close in time.

    Hostmetrics know the process and the node, network metrics the process and the workload: a process of one
    name on a node of a workload's pods is taken for the same. Namespaces and clusters relate nobody.
    """
    if entity.kind in ("namespace", "cluster"):
        return (str(entity),), (), ()
    workload = next((e for e in (entity, *parents) if e.kind == "workload"), None)
    node = next((e for e in (entity, *parents) if e.kind == "node"), None)
    process = _process(entity, row)
    related, reaches, near = [], [], []
    if workload is not None:
        related.append(str(workload))
        nodes = who.nodes_of(workload.cluster, workload.namespace, workload.name, time)
    else:
        related += [str(entity)] if entity.kind == "image" else []
        nodes = [node.name] if node is not None else []
    cluster = entity.cluster
    if process:
        related += [f"process:{cluster}//{name}/{process}" for name in nodes]
        near += [f"node:{cluster}//{name}" for name in nodes if workload is None]
    elif entity.kind == "node":
        related.append(str(entity))
    if target := _target(entity, row):
        reaches.append(str(target))
    return tuple(related), tuple(reaches), tuple(near)


def _target(entity: Entity, row: Row) -> Entity | None:
    """Return the workload at the other end of an edge; what is outside of the cluster is none."""
    if entity.kind == "edge":
        namespace, _, name = entity.name.partition(">")[2].rpartition("/")
    else:
        namespace, name = _first(row, ("dest.namespace.name",)), _first(row, ("dest.workload.name",))
    told = namespace and name and _UNKNOWN.isdisjoint((namespace, name))
    return Entity("workload", entity.cluster, namespace, name) if told else None


def _process(entity: Entity, row: Row) -> str:
    """Return the name of the process that a row is about, without the folder it is in."""
    told = entity.name.partition("/")[2] if entity.kind == "process" else _first(row, _PROCESSES)
    return told.rpartition("/")[2]


def _first(row: Row, names: tuple[str, ...]) -> str:
    """Return the first of these fields that a row has as one text."""
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name]), "")
