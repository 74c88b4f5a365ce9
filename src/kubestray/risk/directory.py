"""Who is who in the clusters: which pod is of which workload on which node, and which name is of what kind.

Made of the catalog's attributes, as far as they name parts of a cluster. Names change hands, so everything is
asked for a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubestray.model.workload import workload_of_pod, workload_of_replica_set

CLUSTER, NODE, HOST = "k8s.cluster.name", "k8s.node.name", "host.name"
NAMESPACE, POD = "k8s.namespace.name", "k8s.pod.name"
OWNERS = (
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
)
REPLICA_SET = "k8s.replicaset.name"

ATTRIBUTES = (CLUSTER, NODE, HOST, NAMESPACE, POD, *OWNERS, REPLICA_SET)
"""What of the catalog's attributes matters here."""

_STILL_THERE = 2 * 3600 * 10**9  # the catalog renews a last sight once an hour


@dataclass(frozen=True, slots=True)
class PodPlace:
    """A pod, its workload, and the node it is on, from ``first`` to ``last`` (ns)."""

    cluster: str
    namespace: str
    pod: str
    workload: str
    node: str
    first: int
    last: int

    def lives(self, time: int) -> bool:
        """Return whether it was there at a time (ns); an hour's doubt is to its favour."""
        return self.first - _STILL_THERE <= time <= self.last + _STILL_THERE


class Directory:
    """What the catalog says of the parts of clusters."""

    def __init__(self, entries: Iterable[tuple[Mapping[str, str], int, int]] = ()) -> None:
        """Take in ``(attributes, first seen, last seen)`` of the catalog, times in nanoseconds."""
        self._clusters: set[str] = set()
        self._namespaces: dict[str, str] = {}
        self._nodes: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._pods: dict[str, list[PodPlace]] = defaultdict(list)
        self._by_workload: dict[tuple[str, str, str], list[PodPlace]] = defaultdict(list)
        for attributes, first, last in entries:
            self._take(attributes, first, last)

    def kind_of(self, name: str) -> str:
        """Return the kind of what bears this name, the widest; nothing if nobody does."""
        if name in self._clusters:
            return "cluster"
        if name in self._nodes or name in self._hosts:
            return "node"
        if name in self._namespaces:
            return "namespace"
        return "pod" if name in self._pods else ""

    def node(self, name: str) -> str:
        """Return the node's name for that of a node or of its host."""
        return self._hosts.get(name, name)

    def cluster_of(self, name: str) -> str:
        """Return the cluster of a node, host, namespace or pod; nothing if it is not known."""
        known = self._nodes.get(self.node(name)) or self._namespaces.get(name)
        return known or next((place.cluster for place in self._pods.get(name, ())), "")

    def pod(self, name: str, time: int) -> PodPlace | None:
        """Return where a pod is at a time."""
        return next((place for place in self._pods.get(name, ()) if place.lives(time)), None)

    def nodes_of(self, cluster: str, namespace: str, workload: str, time: int) -> list[str]:
        """Return the nodes that pods of a workload are on at a time."""
        places = self._by_workload.get((cluster, namespace, workload), ())
        return sorted({place.node for place in places if place.node and place.lives(time)})

    def _take(self, attributes: Mapping[str, str], first: int, last: int) -> None:
        cluster, namespace = attributes.get(CLUSTER, ""), attributes.get(NAMESPACE, "")
        node, host = attributes.get(NODE, ""), attributes.get(HOST, "")
        if cluster:
            self._clusters.add(cluster)
        if node and host and host != node:
            self._hosts[host] = node
        if node or host:
            self._note(self._nodes, node or host, cluster)
        if namespace:
            self._note(self._namespaces, namespace, cluster)
        if pod := attributes.get(POD, ""):
            place = PodPlace(cluster, namespace, pod, _owner(attributes), node or host, first, last)
            self._pods[pod].append(place)
            self._by_workload[cluster, namespace, place.workload].append(place)

    @staticmethod
    def _note(known: dict[str, str], name: str, cluster: str) -> None:
        if cluster or name not in known:
            known[name] = cluster


def _owner(attributes: Mapping[str, str]) -> str:
    """Return the workload by what names it, the widest owner first."""
    for owner in OWNERS:
        if name := attributes.get(owner):
            return name
    if name := attributes.get(REPLICA_SET):
        return workload_of_replica_set(name)
    return workload_of_pod(attributes[POD])
