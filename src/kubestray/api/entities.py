"""Entities: every part of a cluster that the catalog knows or that is at risk, with their risk."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlglot import exp

from kubestray.api.asking import Here, Viewer
from kubestray.api.hierarchy import MOST, Catalog, Known, above, all_above, catalog, normal
from kubestray.api.refusal import not_found
from kubestray.api.risk import entity_name
from kubestray.api.times import Earliest, Latest, iso, span_of
from kubestray.model.entity import KINDS, Entity
from kubestray.pipeline.running import Running
from kubestray.search.events import chosen
from kubestray.store.points import Span
from kubestray.store.trees import call, column, named, select, text

router = APIRouter(tags=["entities"])


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


@dataclass(slots=True)
class _Risk:
    own: float = 0.0
    score: float = 0.0
    events: int = 0
    detections: set[str] = field(default_factory=set)


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
        .limit(MOST)
    )
    found: dict[Entity, _Risk] = defaultdict(_Risk)
    for row in running.store.query(tree, running.limits).to_pylist():
        entity = normal(row["name"]) or Entity("other", "", "", row["name"])
        found[entity].own += row["score"]
        for one in {entity, *all_above(entity, known)}:
            risk = found[one]
            risk.score += row["score"]
            risk.events += row["events"]
            risk.detections.update(row["detections"])
    return dict(found)


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
    catalogued, score = known.get(entity, Known()), risk.get(entity, _NOTHING)
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
    names = running.store.query(rows.limit(MOST), running.limits).column("name").to_pylist()
    parsed = ((one, normal(one)) for one in names)
    return [one for one, read in parsed if read and (read == entity or entity in all_above(read, known))]


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
    skip: Annotated[int, Query(ge=0, le=MOST)] = 0,
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
