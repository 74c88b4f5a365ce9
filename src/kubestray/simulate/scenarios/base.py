"""What a scenario is: a function from a cluster to the traces that an attacker leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kubestray.simulate.catalog import Program
from kubestray.simulate.cluster import Cluster, Pod
from kubestray.simulate.edges import Edge, Endpoint, episodic, inside
from kubestray.simulate.episode import Episode
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.rhythm import HOUR

UNDER_WAY: Final = 6 * HOUR
"""How long an attack that is under way at the end of the labels goes on, for who keeps generating."""


@dataclass(frozen=True, slots=True, eq=False)
class Intruder:
    """A process that an attacker starts inside a pod; ``cpu`` is cores while ``busy`` says so."""

    key: int
    pod: Pod
    program: Program
    born: int
    died: int
    busy: Episode | None = None
    """CPU microseconds it uses besides its program's own appetite."""


@dataclass(frozen=True, slots=True, eq=False)
class PodTraffic:
    """Bytes that cross a pod's interface besides its usual ones."""

    pod: Pod
    sent: Episode
    received: Episode


@dataclass(frozen=True, slots=True)
class Footprint:
    """The traces of one attack, and their labels."""

    attacks: tuple[Attack, ...] = ()
    edges: tuple[Edge, ...] = ()
    intruders: tuple[Intruder, ...] = ()
    traffic: tuple[PodTraffic, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario has to work with; ``end`` is when the labels end, in seconds since the epoch."""

    cluster: Cluster
    edges: tuple[Edge, ...]
    """The benign edges."""
    end: int

    def target(self, names: tuple[str, ...], begin: int) -> Pod:
        """Return the pod to attack: of one of these workloads, and alive from ``begin`` to the end.

        The seed chooses among them; if there is none, any of the pods that live at the end.
        """
        living = [
            pod
            for pod in self.cluster.pods
            if pod.owner.name in names and pod.born <= self.end < pod.died and not _is_extra(pod)
        ]
        return min(living, key=lambda pod: (pod.born > begin or _restarts(pod, begin, self.end), pod.key))

    def usual_volume(self, pod: Pod) -> float:
        """Return the bytes in a tick that the pod's workload sends, at a rhythm's level 1."""
        owner = pod.owner
        return sum(
            edge.stream.base
            for edge in self.edges
            if (edge.source.workload, edge.source.namespace) == (owner.name, owner.namespace) and not edge.udp
        )

    def entities(self, pod: Pod) -> tuple[str, ...]:
        """Return the entities that everything done in a pod touches."""
        name = self.cluster.name
        return (pod.owner.entity(name), pod.entity(name), self.node(pod))

    def node(self, pod: Pod) -> str:
        """Return the entity of the pod's node."""
        return f"node:{self.cluster.name}//{pod.machine.name}"


def _is_extra(pod: Pod) -> bool:
    workload = pod.owner.workload
    return workload is not None and pod.slot >= workload.replicas


def _restarts(pod: Pod, begin: int, end: int) -> bool:
    return any(begin < second < end for second in pod.restarts)


def theft(own: int, pod: Pod, dest: Endpoint, process: str, stolen: Episode) -> tuple[Edge, ...]:
    """Return the edges of a transfer out of a pod, and of the answers to it."""
    source = inside(pod.owner, pod.machine.zone, process, pod.tag)
    back = stolen.scaled(ACKNOWLEDGED)
    usual = float(stolen.totals[-1]) / max(len(stolen.totals) - 1, 1)
    return (
        episodic(own, source, dest, usual, (stolen,)),
        episodic(key(own, "back"), dest, source, usual * ACKNOWLEDGED, (back,)),
    )


def crossing(pod: Pod, stolen: Episode) -> PodTraffic:
    """Return what a transfer out of a pod adds to its interface."""
    return PodTraffic(pod, stolen.scaled(OVERHEAD), stolen.scaled(ACKNOWLEDGED * OVERHEAD))


OVERHEAD: Final = 1.04
"""Headers, which a pod's interface counts and an edge does not."""
ACKNOWLEDGED: Final = 1 / 70
"""Bytes that come back for each that is sent."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line about a scenario, and its plan."""

    summary: str
    plan: Callable[[Stage], Footprint]
