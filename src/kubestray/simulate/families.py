"""The families of metrics by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kubestray.simulate.cluster import Cluster
from kubestray.simulate.edges import Edge
from kubestray.simulate.muted import muted
from kubestray.simulate.network import NetworkFamily
from kubestray.simulate.pod import ContainerFamily, PodFamily
from kubestray.simulate.process import ProcessFamily
from kubestray.simulate.processes import processes
from kubestray.simulate.series import Family
from kubestray.simulate.stage import Footprint


@dataclass(frozen=True, slots=True)
class World:
    """What families are made from: a cluster, all its edges, and an attacker's traces in it."""

    cluster: Cluster
    edges: tuple[Edge, ...]
    footprint: Footprint
    processes: int
    """How many run on a node."""
    window: int
    """Seconds that a delta sum is over."""


def _network(world: World) -> Family:
    cluster = world.cluster
    return NetworkFamily(cluster.name, world.edges, cluster.begin, cluster.end, world.window)


def _process(world: World) -> Family:
    trace = world.footprint
    running = processes(world.cluster, world.processes, trace.intruders, trace.pods, trace.work)
    return muted(ProcessFamily(world.cluster.name, running, world.window), trace.silences)


def _pod(world: World) -> Family:
    trace = world.footprint
    return muted(PodFamily(world.cluster, trace.pods, trace.traffic), trace.silences)


def _container(world: World) -> Family:
    return ContainerFamily(world.cluster, world.footprint.pods)


FAMILIES: Final[Mapping[str, Callable[[World], Family]]] = MappingProxyType(
    {"network": _network, "process": _process, "pod": _pod, "container": _container}
)
"""In the order in which they are generated."""
