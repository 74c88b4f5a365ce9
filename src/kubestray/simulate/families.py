"""The families of metrics by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from kubestray.simulate.cluster import Cluster
from kubestray.simulate.edges import Edge
from kubestray.simulate.network import NetworkFamily
from kubestray.simulate.scenarios.base import Footprint
from kubestray.simulate.series import Family

MakeFamily = Callable[[Cluster, tuple[Edge, ...], Footprint, int, int], Family]
"""Cluster, edges, footprint, processes on a node, window in seconds."""


def _network(
    cluster: Cluster, edges: tuple[Edge, ...], _footprint: Footprint, _processes: int, window: int
) -> Family:
    return NetworkFamily(cluster.name, edges, cluster.begin, cluster.end, window)


FAMILIES: Final[Mapping[str, MakeFamily]] = MappingProxyType({"network": _network})
"""In the order in which they are generated."""
