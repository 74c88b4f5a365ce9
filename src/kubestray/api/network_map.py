"""The network map: which workloads talk with which, at a time, and which of that is new."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from kubestray.api.asking import Here, Viewer
from kubestray.api.entities import CLUSTER, first_of
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


class NewEdge(BaseModel):
    """An edge between two workloads that was never seen before."""

    source: str
    dest: str
    first_seen: datetime | None
    last_seen: datetime | None


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
    return remembered(running, "edges", _KEEP, lambda: _edges(running))


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
    fitting = [edge for edge in seen if _fits(edge, words.lower().split())]
    if only is not None:
        fitting = [
            edge
            for edge in fitting
            if (among := len(only & {edge.source, edge.dest})) == 2 or (among and edge in fresh)
        ]
    fresh &= set(fitting)
    workloads = sorted({end for edge in fitting for end in (edge.source, edge.dest)})
    collapsed = len(workloads) > most
    place: dict[Entity, int] = {}
    nodes: list[MapNode] = []
    counts: dict[Entity, set[Entity]] = defaultdict(set)
    for workload in workloads:
        shown = _shown(workload, opened) if collapsed else workload
        counts[shown].add(workload)
        if shown not in place:
            place[shown] = len(nodes)
            nodes.append(_node(shown))
    made: dict[tuple[int, int], MapEdge] = {}
    for edge in fitting:
        ends = [place[_shown(end, opened) if collapsed else end] for end in (edge.source, edge.dest)]
        if edge in fresh:
            for end in set(ends):
                nodes[end].new_edges += 1
        if ends[0] != ends[1] or edge in fresh:
            _join(made, ends[0], ends[1], edge, new=edge in fresh)
    for shown, inside in counts.items():
        nodes[place[shown]].workloads = len(inside)
    listed = sorted(fresh, key=lambda edge: (-edge.first, edge.source, edge.dest))[:500]
    return NetworkMap(
        at=iso(moment),
        over_seconds=over / 1e9,
        began=iso(began),
        nodes=nodes,
        edges=list(made.values()),
        collapsed=collapsed,
        workloads=len(workloads),
        new_edges=[
            NewEdge(
                source=str(edge.source),
                dest=str(edge.dest),
                first_seen=iso(edge.first),
                last_seen=iso(edge.last),
            )
            for edge in listed
        ],
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


def _join(made: dict[tuple[int, int], MapEdge], source: int, dest: int, edge: Edge, *, new: bool) -> None:
    known = made.get((source, dest))
    if known is None:
        made[source, dest] = MapEdge(
            source=source,
            dest=dest,
            first_seen=iso(edge.first),
            last_seen=iso(edge.last),
            new=new,
            edges=1,
        )
        return
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
