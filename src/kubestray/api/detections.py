"""Detections: what each does, when it runs, whether its data arrives, and how it has fared."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlglot import exp

from kubestray.api.asking import Admin, Asker, Here, Viewer
from kubestray.api.data_present import diagnoses
from kubestray.api.refusal import Refused, not_found
from kubestray.api.remembering import forget
from kubestray.api.times import iso
from kubestray.model.content import Baseline, Detection, Parameter, Search
from kubestray.pipeline.diagnosing import Diagnosis
from kubestray.pipeline.running import Running
from kubestray.search.nearest import nearest
from kubestray.store.trees import call, column, named, select, unsigned

router = APIRouter(tags=["detections"])

Name = Annotated[str, Path(max_length=200, description="The name of a detection")]

_DAY = 86_400 * 10**9


class When(BaseModel):
    """A schedule: a cron expression in UTC, and the window of each run as SPL times."""

    cron: str
    earliest: str
    latest: str


class Runs(BaseModel):
    """How the runs of a search went: the last one, and all of the last 24 hours."""

    last: datetime | None = Field(description="The time that the last run was for.")
    finished: datetime | None
    rows: int
    seconds: float
    error: str
    day_runs: int
    day_errors: int
    day_rows: int
    day_seconds: float


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
    data: Data


class ParameterState(BaseModel):
    """A number or word of a search that may be changed."""

    name: str
    value: str
    default: str
    description: str
    unit: str


class NewValue(BaseModel):
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


class Switch(BaseModel):
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


def search_named(running: Running, name: str) -> Search:
    """Return a detection or baseline by its name."""
    content = running.content
    found = content.detections.get(name) or content.baselines.get(name)
    if found is None:
        known = [*content.detections, *content.baselines]
        raise not_found("detection", name, nearest(name, known) or None)
    return found


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
    runs = _runs(running)
    data = diagnoses(running, searches)
    return [_state(running, one, runs.get(one.id), data[one.name]) for one in searches]


def _state(running: Running, search: Search, runs: Runs | None, data: Diagnosis) -> DetectionState:
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
        runs=runs or _NEVER,
        data=data_of(data),
    )


_NEVER = Runs(
    last=None,
    finished=None,
    rows=0,
    seconds=0,
    error="",
    day_runs=0,
    day_errors=0,
    day_rows=0,
    day_seconds=0,
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


def _runs(running: Running) -> dict[str, Runs]:
    """Return how the runs of all searches went, by the search's id, in one statement."""
    since = exp.GTE(this=column("scheduled"), expression=unsigned(running.clock() - _DAY))
    failed = exp.NEQ(this=column("error"), expression=exp.Literal.string(""))

    def last(name: str) -> exp.Expr:
        return named(call("argMax", column(name), column("scheduled")), f"last_{name}")

    tree = (
        select(
            column("detection"),
            named(call("max", column("scheduled")), "last"),
            *map(last, ("finished", "rows", "error", "seconds")),
            named(call("countIf", since), "day_runs"),
            named(call("countIf", since.copy(), failed), "day_errors"),
            named(call("sumIf", column("rows"), since.copy()), "day_rows"),
            named(call("sumIf", column("seconds"), since.copy()), "day_seconds"),
        )
        .from_("runs")
        .group_by(column("detection"))
    )
    return {
        row["detection"]: Runs(
            last=iso(row["last"]),
            finished=iso(row["last_finished"]),
            rows=row["last_rows"],
            seconds=round(row["last_seconds"], 3),
            error=row["last_error"],
            **{name: row[name] for name in ("day_runs", "day_errors", "day_rows")},
            day_seconds=round(row["day_seconds"], 2),
        )
        for row in running.store.query(tree).to_pylist()
    }


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
