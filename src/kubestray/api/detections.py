"""Detections: what each does, when it runs, whether its data arrives, and how it has fared."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from kubestray.api.asking import Admin, Asker, Here, Viewer
from kubestray.api.baselines import allowed_per_day
from kubestray.api.body import Body
from kubestray.api.data_present import diagnoses
from kubestray.api.named import Name, search_named
from kubestray.api.refusal import Refused, not_found
from kubestray.api.remembering import forget
from kubestray.api.runs import NEVER, Alarms, Runs, alarms_of, runs_of
from kubestray.model.content import Baseline, Detection, Parameter, Search
from kubestray.pipeline.diagnosing import Diagnosis
from kubestray.pipeline.running import Running
from kubestray.search.nearest import nearest

router = APIRouter(tags=["detections"])


class When(BaseModel):
    """A schedule: a cron expression in UTC, and the window of each run as SPL times."""

    cron: str
    earliest: str
    latest: str


class Data(BaseModel):
    """Whether what a search needs arrives: ``ready``, ``partial`` or ``missing``."""

    status: str
    gives_rows: bool
    found: list[str]
    missing: list[str]
    fixes: list[dict[str, Any]]
    error: str | None


class DetectionState(BaseModel):
    """A detection or a baseline, and its health."""

    name: str
    id: str
    kind: str = Field(description="detection or baseline")
    version: int
    type: str
    status: str
    description: str
    enabled: bool
    schedule: When | None
    techniques: list[str]
    stories: list[str]
    security_domain: str
    runs: Runs
    alarms: Alarms
    data: Data


class ParameterState(BaseModel):
    """A number or word of a search that may be changed."""

    name: str
    value: str
    default: str
    description: str
    unit: str


class NewValue(Body):
    """The value of a parameter; null is its default."""

    value: str | None = Field(max_length=200)


class DetectionPage(DetectionState):
    """All that there is to know of one."""

    search: str
    message: str
    risk_objects: list[dict[str, Any]]
    how_to_implement: str
    known_false_positives: str
    blind_spots: list[str]
    references: list[str]
    parameters: list[ParameterState]
    author: str
    date: str


class Switch(Body):
    """Whether a detection shall run on its schedule."""

    enabled: bool


def all_detections(running: Running) -> list[DetectionState]:
    """Return all detections in the order of the content."""
    return _states(running, list(running.content.detections.values()))


def all_baselines(running: Running) -> list[DetectionState]:
    """Return all baselines: searches that keep what is normal in a lookup."""
    return _states(running, list(running.content.baselines.values()))


def detection_page(running: Running, name: str) -> DetectionPage:
    """Return one detection or baseline by its name."""
    search = search_named(running, name)
    state = _states(running, [search])[0]
    raw = search.raw
    objects = search.risk_objects if isinstance(search, Detection) else ()
    return DetectionPage(
        **state.model_dump(),
        search=search.search,
        message=search.message if isinstance(search, Detection) else "",
        risk_objects=[{"field": one.field, "type": one.type, "score": one.score} for one in objects],
        how_to_implement=_text(raw.get("how_to_implement")),
        known_false_positives=_text(raw.get("known_false_positives")),
        blind_spots=_texts(raw.get("blind_spots")),
        references=_texts(raw.get("references")),
        parameters=[_parameter(running, one) for one in search.parameters],
        author=_text(raw.get("author")),
        date=_text(raw.get("date")),
    )


def switch(running: Running, asker: Asker, name: str, *, enabled: bool) -> DetectionPage:
    """Switch a detection on or off."""
    if not isinstance(search_named(running, name), Detection):
        raise Refused(400, "baseline", "a baseline cannot be switched off: detections read what it keeps")
    if running.switches is None:
        raise Refused(400, "not_scheduled", "this server runs no detections")
    running.switches.switch(name, enabled=enabled)
    running.documents.note(asker.name, "detection.enable" if enabled else "detection.disable", name)
    return detection_page(running, name)


def set_parameter(
    running: Running, asker: Asker, name: str, parameter: str, value: str | None
) -> DetectionPage:
    """Give a parameter of a detection or baseline another value."""
    search = search_named(running, name)
    found = next((one for one in search.parameters if one.name == parameter), None)
    if found is None:
        known = [one.name for one in search.parameters]
        raise not_found("parameter", parameter, nearest(parameter, known) or None)
    if running.switches is None:
        raise Refused(400, "not_scheduled", "this server runs no detections")
    before = running.switches.value(found)
    running.switches.set(running.config, search, found, value)
    running.kept.pop("needs", None)
    forget(running)
    detail = {"detection": name, "before": before, "after": running.switches.value(found)}
    running.documents.note(asker.name, "parameter.change", parameter, detail)
    return detection_page(running, name)


def _parameter(running: Running, one: Parameter) -> ParameterState:
    value = running.switches.value(one) if running.switches else one.default
    return ParameterState(
        name=one.name, value=value, default=one.default, description=one.description, unit=one.unit
    )


def _states(running: Running, searches: list[Search]) -> list[DetectionState]:
    runs, alarms = runs_of(running), alarms_of(running)
    data = diagnoses(running, searches)
    made = []
    for search in searches:
        day, per_day = alarms.get(search.name, (0, 0.0))
        told = Alarms(day=day, per_day=round(per_day, 3), allowed_per_day=allowed_per_day(running, search))
        made.append(_state(running, search, runs.get(search.id), told, data[search.name]))
    return made


def _state(
    running: Running, search: Search, runs: Runs | None, alarms: Alarms, data: Diagnosis
) -> DetectionState:
    schedule = running.content.schedule_of(search)
    detection = search if isinstance(search, Detection) else None
    return DetectionState(
        name=search.name,
        id=search.id,
        kind="baseline" if isinstance(search, Baseline) else "detection",
        version=search.version,
        type=search.type,
        status=search.status,
        description=search.description,
        enabled=detection.enabled if detection else True,
        schedule=When(cron=schedule.cron, earliest=schedule.earliest, latest=schedule.latest)
        if schedule
        else None,
        techniques=list(detection.techniques) if detection else [],
        stories=list(detection.stories)
        if detection
        else _texts((search.raw.get("tags") or {}).get("analytic_story")),
        security_domain=detection.security_domain if detection else "",
        runs=runs or NEVER,
        alarms=alarms,
        data=data_of(data),
    )


def data_of(found: Diagnosis) -> Data:
    """Return what a diagnosis says, in few words."""
    parts = {**found.metrics, **found.attributes}
    return Data(
        status=found.status,
        gives_rows=found.gives_rows,
        found=[name for name, there in parts.items() if there],
        missing=[name for name, there in parts.items() if not there],
        fixes=found.fixes.as_json(),
        error=found.error,
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _texts(value: Any) -> list[str]:
    return [str(one) for one in (value if isinstance(value, list) else [value]) if one]


@router.get("/detections")
def detections(here: Here, _asker: Viewer) -> list[DetectionState]:
    """Return all detections with their health."""
    return all_detections(here)


@router.get("/baselines")
def baselines(here: Here, _asker: Viewer) -> list[DetectionState]:
    """Return all baselines with their health."""
    return all_baselines(here)


@router.get("/detections/{name}")
def detection(here: Here, _asker: Viewer, name: Name) -> DetectionPage:
    """Return one detection or baseline."""
    return detection_page(here, name)


@router.put("/detections/{name}/enabled")
def detection_enabled(here: Here, asker: Admin, name: Name, wanted: Switch) -> DetectionPage:
    """Switch a detection on or off."""
    return switch(here, asker, name, enabled=wanted.enabled)


@router.put("/detections/{name}/parameters/{parameter}")
def detection_parameter(
    here: Here,
    asker: Admin,
    name: Name,
    parameter: Annotated[str, Path(max_length=200)],
    wanted: NewValue,
) -> DetectionPage:
    """Give a parameter another value, or take it back to its default."""
    return set_parameter(here, asker, name, parameter, wanted.value)
