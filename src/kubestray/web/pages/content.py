"""Detections, stories, the ATT&CK matrix, backtests, and sources."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kubestray.api import attack, backtest, detections, risk, sources, stories
from kubestray.api.asking import Admin, Here, Viewer
from kubestray.api.named import Name
from kubestray.api.times import span_of
from kubestray.web.chart_script import script_address
from kubestray.web.render import page

router = APIRouter()

Time = Annotated[str, Query(max_length=64)]
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@router.get("/detections")
def all_detections(
    request: Request,
    here: Here,
    _asker: Viewer,
    words: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    part: bool = False,
) -> Response:
    """Show all detections with their health."""
    every = detections.all_detections(here)
    chosen = [one for one in every if _fits(one, words.lower().split(), state)]
    hits = risk.scores_by_detection(here, span_of(here, "-24h"))
    template = "detections_part.html" if part else "detections.html"
    return page(request, template, found=chosen, every=len(every), words=words, state=state, hits=hits)


def _fits(one: detections.DetectionState, words: list[str], state: str) -> bool:
    told = " ".join([one.name, one.description, one.type, *one.techniques, *one.stories]).lower()
    states = {one.data.status, "enabled" if one.enabled else "disabled", "failed" if one.runs.error else ""}
    return all(word in told for word in words) and (not state or state in states)


@router.get("/detections/{name}")
def one_detection(request: Request, here: Here, _asker: Viewer, name: Name) -> Response:
    """Show one detection."""
    found = detections.detection_page(here, name)
    events = risk.risk_events(here, span_of(here, "-30d"), detection=name, most=10)
    return page(request, "detection.html", one=found, events=events)


@router.post("/detections/{name}/enabled")
def detection_enabled(here: Here, asker: Admin, name: Name, enabled: Annotated[bool, Form()]) -> Response:
    """Switch a detection on or off."""
    found = detections.switch(here, asker, name, enabled=enabled)
    return RedirectResponse(detection_address(found.name), 303)


@router.post("/detections/{name}/parameters/{parameter}")
def detection_parameter(
    here: Here,
    asker: Admin,
    name: Name,
    parameter: Name,
    value: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Give a parameter another value; none takes it back to its default."""
    found = detections.set_parameter(here, asker, name, parameter, value.strip() or None)
    return RedirectResponse(detection_address(found.name), 303)


def detection_address(name: str) -> str:
    """Return the address of a detection's page."""
    return f"/detections/{quote(name, safe='')}"


@router.get("/backtest/{name}")
def backtest_page(
    request: Request,
    here: Here,
    _asker: Viewer,
    name: Name,
    earliest: Time = "",
    latest: Time = "",
    every: Annotated[int, Query(ge=1, le=1000)] = 1,
    part: bool = False,
) -> Response:
    """Show what a detection would have found; without a range, ask for one."""
    one = detections.detection_page(here, name)
    found = None
    if earliest:
        span = span_of(here, earliest, latest)
        found = backtest.backtest(here, name, span, every)
        # A link that is given to others must not move with the clock.
        if found.earliest and found.latest and not part:
            fixed = {"earliest": f"{found.earliest:{_MOMENT}}", "latest": f"{found.latest:{_MOMENT}}"}
            if (earliest, latest) != tuple(fixed.values()):
                query = urlencode({**fixed, "every": every})
                return RedirectResponse(f"/backtest/{quote(name, safe='')}?{query}", 303)
    template = "backtest_part.html" if part else "backtest.html"
    return page(
        request,
        template,
        one=one,
        found=found,
        earliest=earliest,
        latest=latest,
        every=every,
        script=script_address(),
    )


@router.get("/stories")
def all_stories(request: Request, here: Here, _asker: Viewer) -> Response:
    """Show all stories."""
    return page(request, "stories.html", stories=stories.all_stories(here))


@router.get("/stories/{name}")
def one_story(request: Request, here: Here, _asker: Viewer, name: Name) -> Response:
    """Show one story."""
    return page(request, "story.html", one=stories.story_page(here, name))


@router.get("/attack")
def attack_matrix(
    request: Request, here: Here, _asker: Viewer, earliest: Time = "-30d", latest: Time = ""
) -> Response:
    """Show the ATT&CK matrix."""
    matrix = attack.matrix(here, span_of(here, earliest, latest))
    return page(request, "attack.html", matrix=matrix, earliest=earliest, latest=latest)


@router.get("/sources")
def all_sources(request: Request, here: Here, _asker: Viewer, part: bool = False) -> Response:
    """Show what sends."""
    template = "sources_part.html" if part else "sources.html"
    return page(request, template, found=sources.all_sources(here))
