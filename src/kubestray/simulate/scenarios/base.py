"""What a scenario is: a function from a cluster to the traces that an attacker leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kubestray.simulate.catalog import Program
from kubestray.simulate.cluster import Cluster, Pod
from kubestray.simulate.edges import Edge, Endpoint, episodic
from kubestray.simulate.episode import Episode
from kubestray.simulate.labels import Attack
from kubestray.simulate.noise import key
from kubestray.simulate.rhythm import HOUR

UNDER_WAY: Final = 6 * HOUR
"""How long an attack that is under way at the end of the labels goes on, for who keeps generating."""


@dataclass(frozen=True, slots=True, eq=False)
class Intruder:
    """A process that an attacker starts inside a pod.

    ``busy`` is CPU time in microseconds beside its program's own appetite.
    """

    key: int
    pod: Pod
    program: Program
    born: int
    died: int
    busy: Episode | None = None


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
            if pod.owner.name in names and pod.born <= self.end < pod.died and not pod.is_extra
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


def _restarts(pod: Pod, begin: int, end: int) -> bool:
    return any(begin < second < end for second in pod.restarts)


def conversation(
    own: int, ends: tuple[Endpoint, Endpoint], sent: Episode, received: Episode, sockets: float = 0.6
) -> tuple[Edge, Edge]:
    """Return the edges from the first end to the second, and back."""
    return (
        episodic(own, *ends, sent.mean, (sent,), sockets),
        episodic(key(own, "back"), *ends[::-1], received.mean, (received,), sockets),
    )


def upload(own: int, ends: tuple[Endpoint, Endpoint], sent: Episode) -> tuple[Edge, Edge]:
    """Return the edges of a transfer that is only acknowledged."""
    return conversation(own, ends, sent, sent.scaled(ACKNOWLEDGED))


def crossing(pod: Pod, sent: Episode, received: Episode | None = None) -> PodTraffic:
    """Return what a transfer out of a pod adds to its interface; without ``received``, acknowledgements."""
    back = received or sent.scaled(ACKNOWLEDGED)
    return PodTraffic(pod, sent.scaled(OVERHEAD), back.scaled(OVERHEAD))


OVERHEAD: Final = 1.04
"""Headers, which a pod's interface counts and an edge does not."""
ACKNOWLEDGED: Final = 1 / 70
"""Bytes that come back for each that is sent."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line about a scenario, and its plan."""

    summary: str
    plan: Callable[[Stage], Footprint]
