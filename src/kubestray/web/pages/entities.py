"""Entities, the heat map and the network map."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from kubestray.api import entities, findings, network_map, risk
from kubestray.api import heat_map as heating
from kubestray.api.asking import Here, Viewer
from kubestray.api.charts import risk_chart
from kubestray.api.entities import Kind
from kubestray.api.times import at, span_of
from kubestray.model.entity import Entity
from kubestray.web.chart_script import script_address
from kubestray.web.map_layout import picture
from kubestray.web.render import page

router = APIRouter()

Time = Annotated[str, Query(max_length=64)]
Words = Annotated[str, Query(max_length=500)]

_A_PAGE = 60
_BINS = 84
_HOUR = 3600 * 10**9
_STEPS = 200


@router.get("/entities")
def all_entities(
    request: Request,
    here: Here,
    _asker: Viewer,
    earliest: Time = "-24h",
    latest: Time = "",
    kind: Kind = "",
    words: Words = "",
    skip: Annotated[int, Query(ge=0, le=200_000)] = 0,
) -> Response:
    """Show entities with their risk."""
    span = span_of(here, earliest, latest)
    found = entities.entities(here, span, kind=kind, words=words, most=_A_PAGE, skip=skip)
    filters = {"earliest": earliest, "latest": latest, "kind": kind, "words": words}
    most = max((one.score for one in found.entities), default=0.0)
    return page(request, "entities.html", found=found, filters=filters, skip=skip, size=_A_PAGE, most=most)


@router.get("/entity")
def one_entity(
    request: Request,
    here: Here,
    _asker: Viewer,
    entity: Annotated[str, Query(min_length=1, max_length=5000)],
    earliest: Time = "-7d",
    latest: Time = "",
) -> Response:
    """Show one entity: its risk over time, what is above and below it, whom it talks with."""
    span = span_of(here, earliest, latest)
    found = entities.entity_page(here, entity, span)
    names = entities.names_below(here, entity, span)
    bins = risk.risk_by_time(here, span, _BINS, names)
    events = risk.risk_events(here, span, entities=names, most=15)
    return page(
        request,
        "entity.html",
        one=found,
        chart=risk_chart(bins, span) if bins else None,
        events=events,
        talks=_talks(here, entity),
        findings=findings.about(here, [entity, found.entity])[:20],
        search=_search(found),
        earliest=earliest,
        latest=latest,
        now=here.clock(),
        script=script_address(),
    )


def _talks(here: Here, name: str) -> list[dict[str, object]]:
    """Return the edges of a workload, the newest first."""
    entity = Entity.parse(name)
    if entity is None or entity.kind != "workload":
        return []
    now, found = here.clock(), []
    edges = network_map.known_edges(here)
    began = min((edge.first for edge in edges), default=0)
    for edge in edges:
        if entity in (edge.source, edge.dest):
            out = edge.source == entity
            other = edge.dest if out else edge.source
            new = edge.first > max(now - 24 * _HOUR, began + 24 * _HOUR)
            found.append(
                {"out": out, "other": other, "first": edge.first / 1e9, "last": edge.last / 1e9, "new": new}
            )
    return sorted(found, key=lambda one: (not one["new"], str(one["other"])))


def _search(one: entities.EntityPage) -> str:
    """Return a search that shows what an entity sends; none for kinds without an attribute of their own."""
    field = {
        "workload": "source.workload.name",
        "pod": "k8s.pod.name",
        "node": "k8s.node.name",
        "namespace": "k8s.namespace.name",
        "cluster": "k8s.cluster.name",
    }.get(one.kind)
    if field is None:
        return ""
    name = (one.name or one.namespace or one.cluster).replace("\\", "\\\\").replace('"', '\\"')
    return f'| mstats avg(*) where index=* {field}="{name}" span=5m'


@router.get("/heatmap")
def heat_map(
    request: Request, here: Here, _asker: Viewer, earliest: Time = "-24h", latest: Time = "", kind: Kind = ""
) -> Response:
    """Show risk by entity and time."""
    found = heating.heat_map(here, span_of(here, earliest or "-24h", latest), bins=48, most=40, kind=kind)
    most = max((score for row in found.rows for score in row.scores), default=0.0)
    filters = {"earliest": earliest, "latest": latest, "kind": kind}
    return page(request, "heatmap.html", found=found, filters=filters, most=most)


@router.get("/map")
def the_map(
    request: Request,
    here: Here,
    _asker: Viewer,
    moment: Annotated[str, Query(alias="at", max_length=64)] = "",
    over: Annotated[str, Query(max_length=20)] = "24h",
    words: Words = "",
    opened: Annotated[list[str], Query(alias="open", max_length=100)] = [],  # noqa: B006 (FastAPI copies it)
    step: Annotated[int | None, Query(ge=0, le=_STEPS)] = None,
) -> Response:
    """Show the network map."""
    now, began = here.clock(), min((edge.first for edge in network_map.known_edges(here)), default=0)
    when = at(here, moment, "at", now) if moment else now
    if step is not None:
        when = began + (now - began) * step // _STEPS if step < _STEPS else now
    length = network_map.length_of(over)
    found = network_map.network_map(here, when, length, words=words, opened=frozenset(opened))
    place = _STEPS if when >= now or now <= began else max(0, (when - began) * _STEPS // (now - began))
    place = place if step is None else step  # worked out again it would be the step before
    return page(
        request,
        "map.html",
        found=found,
        picture=picture(found),
        volumes=any(edge.bytes for edge in found.edges),
        when=datetime.fromtimestamp(when / 1e9, UTC),
        over=over,
        words=words,
        opened=opened,
        step=place,
        steps=_STEPS,
        began=began // 10**6,
        now=now // 10**6,
    )
