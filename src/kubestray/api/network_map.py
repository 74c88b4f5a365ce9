"""The network map: which workloads talk with which, at a time, and which of that is new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from kubestray.api.asking import Here, Viewer
from kubestray.api.edge_volumes import Ends, volumes
from kubestray.api.hierarchy import CLUSTER, first_of
from kubestray.api.remembering import remembered
from kubestray.api.times import at, iso
from kubestray.model.entity import Entity
from kubestray.model.errors import UsageError
from kubestray.pipeline.running import Running
from kubestray.search.times import parse_duration
from kubestray.store.trees import all_of, call, column, named, select, text

router = APIRouter(tags=["map"])

_KEEP = 30.0  # seconds
_MOST = 100_000
_HOUR = 3600 * 10**9
_MOST_LISTED = 500
_MOST_NODES = 320
"""Above so many nodes namespaces are collapsed, but for those that are opened."""

_SOURCE = ("source.workload.name", "k8s.src.owner.name", "source_workload")
_SOURCE_NAMESPACE = ("source.namespace.name", "k8s.src.namespace", "source_namespace")
_DEST = ("dest.workload.name", "k8s.dst.owner.name", "destination_workload")
_DEST_NAMESPACE = ("dest.namespace.name", "k8s.dst.namespace", "destination_namespace")


@dataclass(frozen=True, slots=True)
class Edge:
    """Traffic in one direction, as the catalog knows it. Times in nanoseconds."""

    source: Entity
    dest: Entity
    first: int
    last: int
    metrics: int


class MapNode(BaseModel):
    """A workload, a namespace with all of its workloads, or a place outside of the cluster."""

    id: str
    kind: str
    cluster: str
    namespace: str
    name: str
    workloads: int = Field(description="How many workloads it stands for.")
    new_edges: int


class MapEdge(BaseModel):
    """Traffic from one node to another; both are places in the list of nodes."""

    source: int
    dest: int
    first_seen: datetime | None
    last_seen: datetime | None
    new: bool
    edges: int = Field(description="How many edges between workloads it stands for.")
    bytes: float | None = Field(description="What went over it in that time; null where nothing tells it.")


class NewEdge(BaseModel):
    """An edge between two workloads that was never seen before."""

    source: str
    dest: str
    first_seen: datetime | None
    last_seen: datetime | None
    bytes: float | None


class NetworkMap(BaseModel):
    """The map at a time. New is what was never seen before the length of time that it looks back over."""

    at: datetime | None
    over_seconds: float
    began: datetime | None = Field(
        description="Since when edges are known; nothing is new before there is a past."
    )
    nodes: list[MapNode]
    edges: list[MapEdge]
    collapsed: bool
    workloads: int
    new_edges: list[NewEdge]


def known_edges(running: Running) -> list[Edge]:
    """Return every edge between workloads that series tell of."""
    return remembered(running, "edges", _KEEP, lambda: _edges(running), of=("series",))


def _edges(running: Running) -> list[Edge]:
    ends = {
        "cluster": CLUSTER,
        "source": _SOURCE,
        "source_namespace": _SOURCE_NAMESPACE,
        "dest": _DEST,
        "dest_namespace": _DEST_NAMESPACE,
    }
    both = [
        call("hasAny", call("mapKeys", column("attributes")), call("array", *map(text, side)))
        for side in (_SOURCE, _DEST)
    ]
    tree = (
        select(
            *(named(first_of(names), part) for part, names in ends.items()),
            named(call("min", column("first_seen")), "first"),
            named(call("max", column("last_seen")), "last"),
            named(call("uniqExact", column("metric")), "metrics"),
        )
        .from_("series")
        .where(all_of(both))
        .group_by(*map(column, ends))
        .order_by(*map(column, ends))
        .limit(_MOST)
    )
    return [
        Edge(
            Entity("workload", row["cluster"], row["source_namespace"], row["source"]),
            Entity("workload", row["cluster"], row["dest_namespace"], row["dest"]),
            row["first"],
            row["last"],
            row["metrics"],
        )
        for row in running.store.query(tree, running.limits).to_pylist()
        if row["source"] and row["dest"]
    ]


def network_map(
    running: Running,
    moment: int,
    over: int,
    *,
    words: str = "",
    opened: frozenset[str] = frozenset(),
    most: int = _MOST_NODES,
    only: frozenset[Entity] | None = None,
) -> NetworkMap:
    """Return the map as it was at a time (ns), of what was seen in a length of time (ns) before it.

    ``opened`` are namespaces, written as entities, that are not collapsed however many workloads there are.
    ``words`` keeps what is named so, and its neighbours; ``only`` keeps edges of these workloads: those
    among them, and of the others what is new.
    """
    edges = known_edges(running)
    began = min((edge.first for edge in edges), default=0)
    # The catalog notes the last sight of a series once an hour.
    seen = [edge for edge in edges if edge.first <= moment and edge.last + _HOUR >= moment - over]
    fresh = {edge for edge in seen if edge.first > max(moment - over, began + over)}
    chosen = [edge for edge in seen if _fits(edge, words.lower().split()) and _among(edge, only, fresh)]
    fresh &= set(chosen)
    workloads = sorted({end for edge in chosen for end in (edge.source, edge.dest)})
    collapsed = len(workloads) > most
    shown = {one: _shown(one, opened) if collapsed else one for one in workloads}
    nodes = _nodes(shown)
    listed = sorted(fresh, key=lambda edge: (-edge.first, edge.source, edge.dest))[:_MOST_LISTED]
    # A part of the map stands on pages that are about something else and should be there at once.
    volume = volumes(running, max(0, moment - over), moment) if chosen and only is None else {}
    return NetworkMap(
        at=iso(moment),
        over_seconds=over / 1e9,
        began=iso(began),
        edges=_edges_between(nodes, shown, chosen, fresh, volume),
        nodes=list(nodes.values()),
        collapsed=collapsed,
        workloads=len(workloads),
        new_edges=[_new_edge(edge, volume) for edge in listed],
    )


def _among(edge: Edge, only: frozenset[Entity] | None, fresh: set[Edge]) -> bool:
    """Return whether an edge is of these workloads: among them, or new and of one of them."""
    if only is None:
        return True
    among = len(only & {edge.source, edge.dest})
    return among == 2 or (among == 1 and edge in fresh)


def _nodes(shown: dict[Entity, Entity]) -> dict[Entity, MapNode]:
    """Return the nodes in their order, by what they stand for; ``shown`` tells it of each workload."""
    nodes: dict[Entity, MapNode] = {}
    for stands_for in shown.values():
        nodes.setdefault(stands_for, _node(stands_for)).workloads += 1
    return nodes


def _edges_between(
    nodes: dict[Entity, MapNode],
    shown: dict[Entity, Entity],
    chosen: list[Edge],
    fresh: set[Edge],
    volume: dict[Ends, float],
) -> list[MapEdge]:
    """Return the edges between nodes, those of the same two joined; nodes learn how many of them are new."""
    place = {entity: number for number, entity in enumerate(nodes)}
    made: dict[tuple[int, int], MapEdge] = {}
    for edge in chosen:
        ends = shown[edge.source], shown[edge.dest]
        if edge in fresh:
            for end in set(ends):
                nodes[end].new_edges += 1
        if ends[0] != ends[1] or edge in fresh:
            carried = volume.get((edge.source, edge.dest))
            _join(made, place[ends[0]], place[ends[1]], edge, carried, new=edge in fresh)
    return list(made.values())


def _new_edge(edge: Edge, volume: dict[Ends, float]) -> NewEdge:
    return NewEdge(
        source=str(edge.source),
        dest=str(edge.dest),
        first_seen=iso(edge.first),
        last_seen=iso(edge.last),
        bytes=volume.get((edge.source, edge.dest)),
    )


def _fits(edge: Edge, words: list[str]) -> bool:
    ends = [f"{end.namespace}/{end.name}".lower() for end in (edge.source, edge.dest)]
    return not words or any(all(word in end for word in words) for end in ends)


def _shown(workload: Entity, opened: frozenset[str]) -> Entity:
    """Return what stands for a workload while namespaces are collapsed."""
    namespace = Entity("namespace", workload.cluster, workload.namespace, workload.namespace)
    return workload if str(namespace) in opened else namespace


def _node(entity: Entity) -> MapNode:
    outside = not entity.namespace
    return MapNode(
        id=str(entity),
        kind="outside" if outside and entity.kind == "workload" else entity.kind,
        cluster=entity.cluster,
        namespace=entity.namespace,
        name=entity.name or ("outside" if outside else entity.namespace),
        workloads=0,
        new_edges=0,
    )


def _join(
    made: dict[tuple[int, int], MapEdge],
    source: int,
    dest: int,
    edge: Edge,
    carried: float | None,
    *,
    new: bool,
) -> None:
    known = made.get((source, dest))
    if known is None:
        made[source, dest] = MapEdge(
            source=source,
            dest=dest,
            first_seen=iso(edge.first),
            last_seen=iso(edge.last),
            new=new,
            edges=1,
            bytes=carried,
        )
        return
    if carried is not None:
        known.bytes = (known.bytes or 0.0) + carried
    known.edges += 1
    known.new |= new


def length_of(told: str) -> int:
    """Read a length of time, in nanoseconds."""
    found = parse_duration(told)
    if not found:
        raise UsageError(f"over: {told!r} is no length of time; write 1h, 24h or 7d")
    return found


@router.get("/map")
def the_map(
    here: Here,
    _asker: Viewer,
    moment: Annotated[str, Query(alias="at", max_length=64, description="An SPL time; empty is now")] = "",
    over: Annotated[str, Query(max_length=20)] = "24h",
    words: Annotated[str, Query(max_length=500)] = "",
    opened: Annotated[list[str], Query(alias="open", max_length=100)] = [],  # noqa: B006 (FastAPI copies it)
    most: Annotated[int, Query(ge=1, le=5000)] = _MOST_NODES,
) -> NetworkMap:
    """Return the network map at a time."""
    now = here.clock()
    when = at(here, moment, "at", now) if moment else now
    return network_map(here, when, length_of(over), words=words, opened=frozenset(opened), most=most)
