"""The hierarchy of entities: every part of a cluster that series tell of, and what is above what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlglot import exp

from kubestray.api.remembering import remembered
from kubestray.model.entity import Entity
from kubestray.model.workload import workload_of_pod
from kubestray.pipeline.running import Running
from kubestray.store.trees import Tree, call, column, named, select, text

_KEEP = 60.0  # seconds
MOST = 200_000
"""So many entities are told apart."""
CLUSTER = ("k8s.cluster.name",)
NAMESPACE = ("k8s.namespace.name", "source.namespace.name")
NODE = ("k8s.node.name", "host.name")
POD = ("k8s.pod.name",)
WORKLOAD = (
    "source.workload.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
)


@dataclass(slots=True)
class Known:
    """What the catalog tells of an entity."""

    first: int = 0
    last: int = 0
    series: int = 0
    above: set[Entity] = field(default_factory=set)

    def met(self, first: int, last: int, series: int) -> None:
        """Take note of series that name it, and when these were seen first and last (ns)."""
        self.first = min(self.first or first, first)
        self.last = max(self.last, last)
        self.series += series


Catalog = dict[Entity, Known]


def first_of(names: Iterable[str]) -> Tree:
    """Return the first of some attributes that a series has; an empty text if it has none."""
    values = [call("arrayElement", column("attributes"), text(name)) for name in names]
    return call(
        "arrayFirst",
        exp.Lambda(this=exp.NEQ(this=column("x"), expression=text("")), expressions=[exp.to_identifier("x")]),
        call("array", *values),
    )


def catalog(running: Running) -> Catalog:
    """Return every entity that series tell of, and those above it."""
    return remembered(running, "entities", _KEEP, lambda: _catalog(running), of=("series",))


def _catalog(running: Running) -> Catalog:
    parts = {"cluster": CLUSTER, "namespace": NAMESPACE, "node": NODE, "pod": POD, "workload": WORKLOAD}
    tree = (
        select(
            *(named(first_of(names), part) for part, names in parts.items()),
            named(call("min", column("first_seen")), "first"),
            named(call("max", column("last_seen")), "last"),
            named(call("count"), "series"),
        )
        .from_("series")
        .group_by(*map(column, parts))
        .limit(MOST)
    )
    found: Catalog = defaultdict(Known)
    for row in running.store.query(tree, running.limits).to_pylist():
        own = list(_named(**{part: row[part] for part in parts}))
        for entity in own:
            found[entity].met(row["first"], row["last"], row["series"])
            found[entity].above.update(one for one in own if _over(one, entity))
    return dict(found)


def _named(cluster: str, namespace: str, node: str, pod: str, workload: str) -> Iterable[Entity]:
    """Yield the entities that the attributes of a series name, the widest first."""
    if cluster:
        yield Entity("cluster", cluster, "", cluster)
    if node:
        yield Entity("node", cluster, "", node)
    if namespace:
        yield Entity("namespace", cluster, namespace, namespace)
    if owner := workload or (workload_of_pod(pod) if namespace and pod else ""):
        yield Entity("workload", cluster, namespace, owner)
    if pod:
        yield Entity("pod", cluster, namespace, pod)


_ABOVE = {
    "node": ("cluster",),
    "namespace": ("cluster",),
    "workload": ("namespace",),
    "pod": ("workload", "node"),
    "container": ("pod",),
    "process": ("workload",),
    "edge": ("workload",),
    "image": ("workload",),
}


def _over(upper: Entity, lower: Entity) -> bool:
    return upper.kind in _ABOVE.get(lower.kind, ())


def above(entity: Entity, known: Catalog) -> set[Entity]:
    """Return what is right above an entity: as its name says, and as the catalog does."""
    found = set(known[entity].above) if entity in known else set()
    cluster, namespace = entity.cluster, entity.namespace
    head = entity.name.split(">" if entity.kind == "edge" else "/")[0]
    if entity.kind in ("process", "image", "edge"):
        kind = "workload" if namespace else "node"
        found.add(Entity(kind, cluster, namespace, head))
    elif entity.kind == "container":
        found.add(Entity("pod", cluster, namespace, head))
    elif entity.kind == "workload" or (entity.kind == "pod" and not found):
        upper = Entity("namespace", cluster, namespace, namespace)
        found.add(upper if namespace else Entity("cluster", cluster, "", cluster))
    elif entity.kind in ("namespace", "node"):
        found.add(Entity("cluster", cluster, "", cluster))
    return found


def normal(name: str) -> Entity | None:
    """Read the name of an entity; that of a namespace or cluster may be left out at its end."""
    found = Entity.parse(name)
    if found and not found.name:
        own = {"cluster": found.cluster, "namespace": found.namespace}.get(found.kind, "")
        return Entity(found.kind, found.cluster, found.namespace, own)
    return found


def all_above(entity: Entity, known: Catalog) -> set[Entity]:
    """Return everything above an entity."""
    found: set[Entity] = set()
    waiting = [entity]
    while waiting:
        fresh = above(waiting.pop(), known) - found
        found |= fresh
        waiting += fresh
    return found
