"""The network edges of a cluster: who sends to whom, from which zone to which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from kubestray.simulate import names
from kubestray.simulate.catalog import RESOLVERS, ROUTES, Route
from kubestray.simulate.cluster import Cluster, Owner
from kubestray.simulate.episode import Episode, transfer
from kubestray.simulate.noise import between, key
from kubestray.simulate.series import Pairs
from kubestray.simulate.stream import Stream

ENVIRONMENT: Final = "production"
INTERNET: Final = "(internet)"
NO_AGENT: Final = "(no agent)"
_RECENT: Final = 60
"""Seconds for which an edge that has fallen silent is still reported, with zeros."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One side of an edge. A place outside the cluster has neither zone, namespace nor process."""

    workload: str
    resolution: str
    zone: str = ""
    namespace: str = ""
    process: str = ""
    container: str = ""
    version: str = ""
    environment: str = ENVIRONMENT

    def attributes(self, side: str) -> Pairs:
        """Return the attributes of the side ``source`` or ``dest``; what is unknown is not sent."""
        values = {
            "availability_zone": self.zone,
            "container.name": self.container,
            "environment": self.environment,
            "image_version": self.version,
            "namespace.name": self.namespace,
            "process.name": self.process,
            "resolution_type": self.resolution,
            "workload.name": self.workload,
        }
        return tuple((f"{side}.{name}", value) for name, value in values.items() if value)


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """Traffic in one direction between two endpoints.

    ``stream`` is its usual level in bytes a window; with ``steady`` false it only carries its
    episodes, and is reported while one of them is recent. ``sockets`` and ``open`` are for a window
    at the usual level; ``failing`` is the share of its connections that nobody takes; ``rtt`` is in seconds.
    """

    source: Endpoint
    dest: Endpoint
    stream: Stream
    packet: float
    sockets: float
    open: int
    rtt: float
    udp: bool = False
    steady: bool = True
    episodes: tuple[Episode, ...] = field(default=())
    failing: float = 0.0

    def spans(self) -> list[tuple[int, int]]:
        """Return when an edge that is not steady is reported, as [first, last) seconds."""
        return [(one.begin, one.end + _RECENT) for one in self.episodes]


def combined(usual: Iterable[Edge], more: Iterable[Edge]) -> tuple[Edge, ...]:
    """Return all edges, each once: an edge that is there twice carries the episodes of both."""
    found: dict[tuple[Endpoint, Endpoint, bool], Edge] = {}
    for edge in (*usual, *more):
        same = edge.source, edge.dest, edge.udp
        known = found.get(same)
        found[same] = replace(known, episodes=known.episodes + edge.episodes) if known else edge
    return tuple(found.values())


def inside(owner: Owner, zone: str, process: str = "") -> Endpoint:
    """Return the endpoint of a workload in a zone; ``process`` if it is not the usual program."""
    comm = process or owner.program.name
    return Endpoint(owner.name, "K8S_CONTAINER", zone, owner.namespace, comm, owner.name, owner.tag)


def outside(name: str) -> Endpoint:
    """Return the endpoint of a DNS name, or of bare addresses as `INTERNET`."""
    return Endpoint(name, "IP" if name == INTERNET else "DNS", environment=NO_AGENT)


def benign(cluster: Cluster) -> list[Edge]:
    """Return the edges of a cluster in which nothing bad happens."""
    edges = list(_routes(cluster))
    edges += _resolvers(cluster)
    edges += _jobs(cluster)
    return edges


def _copies(cluster: Cluster) -> Iterator[tuple[dict[str, Owner], list[Owner]]]:
    """Yield for each copy of the catalog whom its names mean, and which of them are its own."""
    shared = {one.name: one for one in cluster.owners if one.copy == 1}
    for copy in sorted({one.copy for one in cluster.owners}):
        own = [one for one in cluster.owners if one.copy == copy]
        yield shared | {one.name: one for one in own}, own


def zones(owner: Owner) -> list[str]:
    """Return the zones from which a workload talks: those of its first replicas, two at most."""
    return sorted({names.zone(slot) for slot in owner.nodes[:2]})


def _routes(cluster: Cluster) -> Iterator[Edge]:
    for owners, own in _copies(cluster):
        for route in ROUTES:
            if owners[route.source] in own:
                yield from _route(cluster, owners, route)


def _route(cluster: Cluster, owners: dict[str, Owner], route: Route) -> Iterator[Edge]:
    """Yield both directions of a route for each zone of its source; a zone prefers its own."""
    owner = owners[route.source]
    for zone in zones(owner):
        source = inside(owner, zone)
        dest = _dest(owners, route.dest, zone)
        own = key(cluster.seed, "edge", owner.namespace, route.source, route.dest, zone)
        yield from _pair(own, source, dest, route, owner.workload.rhythm if owner.workload else "steady")


def _dest(owners: dict[str, Owner], name: str, zone: str) -> Endpoint:
    if name == "kubelet":
        return Endpoint("kubelet", "PROCESS", zone, process="kubelet")
    if name not in owners:
        return outside(name)
    return near(owners[name], zone)


def near(owner: Owner, zone: str) -> Endpoint:
    """Return the endpoint of a workload that traffic from a zone reaches: its own, if it can."""
    nearby = zones(owner)
    return inside(owner, zone if zone in nearby else nearby[0])


def _pair(own: int, source: Endpoint, dest: Endpoint, route: Route, rhythm: str) -> Iterator[Edge]:
    """Yield request and answer: two streams that share rhythm, not noise."""
    share = between(key(own, "share"), 0.6, 1.5)
    rtt = (
        between(key(own, "rtt"), 0.018, 0.09) if not dest.namespace else between(key(own, "rtt"), 2e-4, 9e-4)
    )
    for side, level in (("request", route.request), ("answer", route.answer)):
        stream = Stream(
            key(own, side), level * share, rhythm, between(key(own, side, "swing"), 0.75, 1.1),
            route.spread * between(key(own, side, "spread"), 0.8, 1.25), route.burst,
        )  # fmt: skip
        ends = (source, dest) if side == "request" else (dest, source)
        packet = min(1_400.0, 120.0 + level / 1_500)
        yield Edge(*ends, stream, packet, route.sockets * share, route.open, rtt)


def _resolvers(cluster: Cluster) -> Iterator[Edge]:
    for owners, _ in _copies(cluster):
        for name in RESOLVERS:
            owner = owners[name]
            for zone in zones(owner):
                yield from _resolver(cluster, owner, owners["coredns"], zone)


def _resolver(cluster: Cluster, owner: Owner, dns: Owner, zone: str) -> Iterator[Edge]:
    # The reducer names whatever answers on port 53 "DNS".
    server = replace(near(dns, zone), workload="DNS")
    source = inside(owner, zone)
    rhythm = owner.workload.rhythm if owner.workload else "steady"
    own = key(cluster.seed, "dns", owner.namespace, owner.name, zone)
    base = between(own, 2_500, 9_000)
    for side, level in (("question", base), ("answer", 1.9 * base)):
        stream = Stream(key(own, side), level, rhythm, 0.8, 0.55, 0.02)
        ends = (source, server) if side == "question" else (server, source)
        yield Edge(*ends, stream, 75.0 if side == "question" else 140.0, 0.0, 6, 4e-4, udp=True)


def _jobs(cluster: Cluster) -> Iterator[Edge]:
    """Yield a job's edges: it reads from one place and sends to another."""
    for owners, own in _copies(cluster):
        for owner in own:
            yield from _job(cluster, owner, owners)


def _job(cluster: Cluster, owner: Owner, owners: dict[str, Owner]) -> Iterator[Edge]:
    job = owner.job
    if job is None:
        return
    pods = cluster.pods_of(owner)
    for zone in sorted({pod.machine.zone for pod in pods}):
        here = inside(owner, zone)
        volumes = tuple(job_transfer(owner, pod.born, pod.died) for pod in pods if pod.machine.zone == zone)
        for far, way in ((_dest(owners, job.reads, zone), "in"), (_dest(owners, job.sends, zone), "out")):
            ends = (far, here) if way == "in" else (here, far)
            yield episodic(key(owner.key, zone, way), *ends, job.volume, volumes)
            yield episodic(
                key(owner.key, zone, way, "back"), *ends[::-1], job.volume / 60,
                tuple(one.scaled(1 / 60) for one in volumes),
            )  # fmt: skip


def job_transfer(job: Owner, born: int, died: int) -> Episode:
    """Return what a job moves in the run whose pod lives from ``born`` to ``died``."""
    run = key(job.key, "run", born)
    volume = job.job.volume if job.job else 0.0
    amount = volume * between(key(run, "volume"), 0.7, 1.35)
    return transfer(key(run, "transfer"), born + 20, died - 10, amount)


def episodic(
    own: int,
    source: Endpoint,
    dest: Endpoint,
    usual: float,
    episodes: tuple[Episode, ...],
    sockets: float = 0.6,
) -> Edge:
    """Return an edge that exists only while something happens; ``usual`` is its bytes in a tick."""
    rtt = between(key(own, "rtt"), 2e-4, 9e-4) if source.zone and dest.zone else between(own, 0.02, 0.09)
    packet = 1_380.0 if usual > 100_000 else 90.0
    stream = Stream(own, usual, spread=0.3, burst=0.0)
    return Edge(source, dest, stream, packet, sockets, 4, rtt, steady=False, episodes=episodes)
