"""What a scenario is: a function from a cluster to the traces that an attacker leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

from kubestray.simulate.catalog import Program
from kubestray.simulate.cluster import Cluster, Machine, Pod
from kubestray.simulate.edges import Edge, Endpoint, episodic
from kubestray.simulate.episode import Episode
from kubestray.simulate.labels import Attack, Twin
from kubestray.simulate.noise import key
from kubestray.simulate.rhythm import HOUR

UNDER_WAY: Final = 6 * HOUR
"""How long an attack that is under way at the end of the labels goes on, for who keeps generating."""


@dataclass(frozen=True, slots=True, eq=False)
class Intruder:
    """A process that somebody starts inside a pod, or (with ``machine``) beside all pods of a machine.

    ``busy`` is CPU time in microseconds beside its program's own appetite. With ``by_runtime`` the container
    runtime is its parent, as of a probe, and not the container's main process; ``cgroup`` is its control
    group if that is not what the machine's services have.
    """

    key: int
    pod: Pod | None
    program: Program
    born: int
    died: int
    busy: Episode | None = None
    machine: Machine | None = None
    by_runtime: bool = False
    cgroup: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PodTraffic:
    """Bytes that cross a pod's interface besides its usual ones."""

    pod: Pod
    sent: Episode
    received: Episode


@dataclass(frozen=True, slots=True)
class Silence:
    """A node's agent that sends nothing from ``begin`` to ``until`` (seconds since the epoch)."""

    node: str
    begin: int
    until: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """The traces of what happens besides the usual, and their labels: attacks and benign events.

    ``pods`` are there besides those of the cluster; ``work`` is CPU time in microseconds that pods of the
    cluster use besides their usual. An edge that the cluster has already carries more.
    """

    attacks: tuple[Attack, ...] = ()
    twins: tuple[Twin, ...] = ()
    edges: tuple[Edge, ...] = ()
    intruders: tuple[Intruder, ...] = ()
    traffic: tuple[PodTraffic, ...] = ()
    pods: tuple[Pod, ...] = ()
    silences: tuple[Silence, ...] = ()
    work: tuple[tuple[Pod, Episode], ...] = ()

    def __add__(self, other: Footprint) -> Footprint:
        """Return both footprints together."""
        both = {one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Footprint)}
        return Footprint(**both)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario has to work with; ``end`` is when the labels end, in seconds since the epoch."""

    cluster: Cluster
    edges: tuple[Edge, ...]
    """The benign edges."""
    end: int
    size: float | None = None
    """How large attacks are, in multiples of what the built-in detections promise to find; None: as usual."""

    def target(self, names: tuple[str, ...], begin: int, until: int | None = None) -> Pod:
        """Return the pod to attack: of one of these workloads, alive from ``begin`` to ``until`` (the end).

        The seed chooses among them; if there is none, any of the pods that live at the end.
        """
        last = self.end if until is None else until
        living = [
            pod
            for pod in self.cluster.pods
            if pod.owner.name in names and pod.born <= last < pod.died and not pod.is_extra
        ]
        return min(living, key=lambda pod: (pod.born > begin or _restarts(pod, begin, last), pod.key))

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
