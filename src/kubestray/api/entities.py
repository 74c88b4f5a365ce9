"""Entities: every part of a cluster that the catalog knows or that is at risk, up and down the hierarchy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlglot import exp

from kubestray.api.asking import Here, Viewer
from kubestray.api.refusal import Refused, not_found
from kubestray.api.remembering import remembered
from kubestray.api.risk import entity_name
from kubestray.api.times import Earliest, Latest, iso, span_of
from kubestray.model.entity import KINDS, Entity
from kubestray.model.workload import workload_of_pod
from kubestray.pipeline.running import Running
from kubestray.search.events import chosen
from kubestray.store.points import Span
from kubestray.store.trees import Tree, all_of, call, column, named, one_of, select, text, unsigned

router = APIRouter(tags=["entities"])

_KEEP = 60.0  # seconds
_MOST = 200_000
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


class EntityState(BaseModel):
    """An entity with the risk of a time range: its own, and that of everything below it too."""

    entity: str = Field(examples=["workload:prod/shop/checkout"])
    kind: str
    cluster: str
    namespace: str
    name: str
    first_seen: datetime | None
    last_seen: datetime | None
    series: int
    own_score: float
    score: float
    events: int
    detections: list[str]


class Entities(BaseModel):
    """Entities, those with the most risk first, and how many there are."""

    total: int
    kinds: dict[str, int] = Field(description="How many there are of each kind, before kind is chosen.")
    entities: list[EntityState]


class EntityPage(EntityState):
    """An entity and what is above and below it."""

    above: list[EntityState]
    below: list[EntityState]
    below_total: int


class HeatRow(BaseModel):
    """An entity's scores in equal parts of a time range."""

    entity: str
    scores: list[float]
    total: float


class HeatMap(BaseModel):
    """Entity × time: the risk that came in each part of the range."""

    edges: list[datetime] = Field(description="Where the parts begin, and where the last one ends.")
    rows: list[HeatRow]
    more: int = Field(description="How many entities with risk are not shown.")


@dataclass(slots=True)
class _Known:
    """What the catalog tells of an entity."""

    first: int = 0
    last: int = 0
    series: int = 0
    above: set[Entity] = field(default_factory=set)

    def met(self, first: int, last: int, series: int) -> None:
        self.first = min(self.first or first, first)
        self.last = max(self.last, last)
        self.series += series


@dataclass(slots=True)
class _Risk:
    own: float = 0.0
    score: float = 0.0
    events: int = 0
    detections: set[str] = field(default_factory=set)


Catalog = dict[Entity, _Known]


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
        .limit(_MOST)
    )
    found: Catalog = defaultdict(_Known)
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


def risks(running: Running, span: Span, known: Catalog) -> dict[Entity, _Risk]:
    """Return the risk of a range by entity; that of what is below counts for what is above."""
    tree = (
        select(
            named(entity_name(), "name"),
            named(call("sum", column("risk_score")), "score"),
            named(call("count"), "events"),
            named(call("groupUniqArray", column("detection")), "detections"),
        )
        .from_("risk")
        .where(chosen(None, span))
        .group_by(column("name"))
        .limit(_MOST)
    )
    found: dict[Entity, _Risk] = defaultdict(_Risk)
    for row in running.store.query(tree, running.limits).to_pylist():
        entity = normal(row["name"]) or Entity("other", "", "", row["name"])
        found[entity].own += row["score"]
        for one in {entity, *_all_above(entity, known)}:
            risk = found[one]
            risk.score += row["score"]
            risk.events += row["events"]
            risk.detections.update(row["detections"])
    return dict(found)


def _all_above(entity: Entity, known: Catalog) -> set[Entity]:
    found: set[Entity] = set()
    waiting = [entity]
    while waiting:
        fresh = above(waiting.pop(), known) - found
        found |= fresh
        waiting += fresh
    return found


def entities(
    running: Running, span: Span, *, kind: str = "", words: str = "", most: int = 100, skip: int = 0
) -> Entities:
    """Return entities, those with the most risk first; ``words`` are parts of their names."""
    known = catalog(running)
    risk = risks(running, span, known)
    wanted = words.lower().split()
    fitting = [one for one in {*known, *risk} if all(word in str(one).lower() for word in wanted)]
    kinds: dict[str, int] = defaultdict(int)
    for one in fitting:
        kinds[one.kind] += 1
    chosen_ones = [one for one in fitting if not kind or one.kind == kind]
    chosen_ones.sort(key=lambda one: (-risk.get(one, _NOTHING).score, *_order(one)))
    shown = [_state(one, known, risk) for one in chosen_ones[skip : skip + most]]
    ordered = {kind: kinds[kind] for kind in (*KINDS, "other") if kind in kinds}
    return Entities(total=len(chosen_ones), kinds=ordered, entities=shown)


_NOTHING = _Risk()


def _order(entity: Entity) -> tuple[Any, ...]:
    place = KINDS.index(entity.kind) if entity.kind in KINDS else len(KINDS)
    return place, entity.cluster, entity.namespace, entity.name


def _state(entity: Entity, known: Catalog, risk: dict[Entity, _Risk]) -> EntityState:
    catalogued, score = known.get(entity, _Known()), risk.get(entity, _NOTHING)
    return EntityState(
        entity=text_of(entity),
        kind=entity.kind,
        cluster=entity.cluster,
        namespace=entity.namespace,
        name=entity.name,
        first_seen=iso(catalogued.first),
        last_seen=iso(catalogued.last),
        series=catalogued.series,
        own_score=score.own,
        score=score.score,
        events=score.events,
        detections=sorted(score.detections),
    )


def text_of(entity: Entity) -> str:
    """Return an entity's name; what is no part of a cluster is called as its detection calls it."""
    return entity.name if entity.kind == "other" else str(entity)


_MOST_BELOW = 200


def entity_page(running: Running, name: str, span: Span) -> EntityPage:
    """Return an entity with what is above and below it."""
    known = catalog(running)
    risk = risks(running, span, known)
    entity = normal(name) or Entity("other", "", "", name)
    if entity not in known and entity not in risk and not _told(running, name):
        raise not_found("entity", name, "it is written kind:cluster/namespace/name")
    below = sorted(
        (one for one in {*known, *risk} if entity in above(one, known)),
        key=lambda one: (-risk.get(one, _NOTHING).score, *_order(one)),
    )
    return EntityPage(
        **_state(entity, known, risk).model_dump(),
        above=[_state(one, known, risk) for one in sorted(above(entity, known), key=_order)],
        below=[_state(one, known, risk) for one in below[:_MOST_BELOW]],
        below_total=len(below),
    )


def _told(running: Running, name: str) -> bool:
    """Return whether a risk event of any time names an entity."""
    same = exp.EQ(this=entity_name(), expression=text(name))
    tree = select(named(call("count"), "n")).from_("risk").where(same)
    return bool(running.store.query(tree).column("n")[0].as_py())


def names_below(running: Running, name: str, span: Span) -> list[str]:
    """Return the names under which risk events of an entity and of what is below it are written."""
    known = catalog(running)
    entity = normal(name)
    if entity is None:
        return [name]
    rows = select(named(entity_name(), "name")).distinct().from_("risk").where(chosen(None, span))
    names = running.store.query(rows.limit(_MOST), running.limits).column("name").to_pylist()
    parsed = ((one, normal(one)) for one in names)
    return [one for one, read in parsed if read and (read == entity or entity in _all_above(read, known))]


def heat_map(running: Running, span: Span, *, bins: int = 48, most: int = 40, kind: str = "") -> HeatMap:
    """Return the risk of the entities with the most of it, in equal parts of a range."""
    end = span.latest if span.latest is not None else running.clock()
    width = max(1, -(-(end - span.earliest) // bins))
    start = call("intDiv", exp.Sub(this=column("time"), expression=unsigned(span.earliest)), unsigned(width))
    conditions: list[Tree] = [chosen(None, span)]
    if kind:
        conditions.append(call("startsWith", entity_name(), text(f"{kind}:")))
    sums = named(call("sum", column("risk_score")), "score")
    ranked = select(named(entity_name(), "name"), sums).from_("risk").where(all_of(conditions))
    ranked = ranked.group_by(column("name")).limit(_MOST)
    totals = {row["name"]: row["score"] for row in running.store.query(ranked).to_pylist()}
    shown = sorted(totals, key=lambda name: (-totals[name], name))[:most]
    conditions.append(one_of(entity_name(), map(text, shown)))
    tree = select(named(entity_name(), "name"), named(start, "bin"), sums.copy()).from_("risk")
    tree = tree.where(all_of(conditions)).group_by(column("name"), column("bin"))
    cells = {(row["name"], row["bin"]): row["score"] for row in running.store.query(tree).to_pylist()}
    edges = [iso(span.earliest + n * width) for n in range(bins + 1)]
    rows = [
        HeatRow(entity=name, scores=[cells.get((name, n), 0.0) for n in range(bins)], total=totals[name])
        for name in shown
    ]
    return HeatMap(edges=[edge for edge in edges if edge], rows=rows, more=len(totals) - len(shown))


Kind = Annotated[str, Query(max_length=20, pattern=f"^({'|'.join(KINDS)}|other)?$")]


@router.get("/entities")
def all_entities(
    here: Here,
    _asker: Viewer,
    earliest: Earliest = "-24h",
    latest: Latest = "",
    kind: Kind = "",
    words: Annotated[str, Query(max_length=500)] = "",
    most: Annotated[int, Query(ge=1, le=1000)] = 100,
    skip: Annotated[int, Query(ge=0, le=_MOST)] = 0,
) -> Entities:
    """Return entities with their risk in a time range, those with the most first."""
    span = span_of(here, earliest, latest)
    return entities(here, span, kind=kind, words=words, most=most, skip=skip)


@router.get("/entity")
def one_entity(
    here: Here,
    _asker: Viewer,
    entity: Annotated[str, Query(min_length=1, max_length=5000, description="kind:cluster/namespace/name")],
    earliest: Earliest = "-7d",
    latest: Latest = "",
) -> EntityPage:
    """Return an entity with what is above and below it."""
    return entity_page(here, entity, span_of(here, earliest, latest))


@router.get("/heatmap")
def heat(
    here: Here,
    _asker: Viewer,
    earliest: Earliest = "-24h",
    latest: Latest = "",
    bins: Annotated[int, Query(ge=1, le=200)] = 48,
    most: Annotated[int, Query(ge=1, le=200)] = 40,
    kind: Kind = "",
) -> HeatMap:
    """Return risk by entity and time."""
    span = span_of(here, earliest, latest)
    if span.earliest == 0:
        raise Refused(400, "usage", "a heat map needs a time to begin at", "for example earliest=-24h")
    return heat_map(here, span, bins=bins, most=most, kind=kind)
