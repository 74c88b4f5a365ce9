"""Suppressions: what is hidden, by whom, until when; and what a new one would have hidden."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from kubestray.api.asking import Analyst, Asker, Here, Viewer
from kubestray.api.body import Body
from kubestray.api.findings import Identity, Row, casework, row_of
from kubestray.api.refusal import not_found
from kubestray.api.remembering import forget
from kubestray.api.times import at
from kubestray.model.errors import UsageError
from kubestray.model.finding import rfc3339
from kubestray.pipeline.running import Running

router = APIRouter(tags=["findings"])

_DAY = 86_400 * 10**9


class Scope(Body):
    """What a suppression hides: all that is given has to fit; ``*`` is any text."""

    entity: str = Field(default="", max_length=5000, examples=["workload:prod/shop/*"])
    detection: str = Field(default="", max_length=200)
    fields: dict[str, str] = Field(default_factory=dict)

    def given(self) -> dict[str, Any]:
        """Return what is not empty."""
        return {name: value for name, value in self.model_dump().items() if value}


class NewSuppression(Body):
    """A suppression to make. ``expires`` is an SPL time, for example ``+7d``."""

    scope: Scope
    reason: str = Field(max_length=2000)
    expires: str = Field(default="+7d", max_length=64)


class SuppressionState(BaseModel):
    """A suppression: who hides what, why, and until when."""

    id: str
    scope: dict[str, Any]
    reason: str
    actor: str
    since: str
    expires: str
    in_force: bool


class Preview(BaseModel):
    """What a suppression would have hidden of the findings of a time."""

    since: str
    findings: int = Field(description="How many findings were opened in that time.")
    hidden: list[Row]


def suppressions(running: Running) -> list[SuppressionState]:
    """Return all suppressions, the latest first."""
    now = running.clock()
    return [
        SuppressionState(**one.as_json(), in_force=one.since <= now < one.expires)
        for one in reversed(casework(running).suppressions())
    ]


def suppress(running: Running, asker: Asker, wanted: NewSuppression) -> SuppressionState:
    """Hide what fits a scope for a while."""
    expires = at(running, wanted.expires, "expires", running.clock())
    scope = wanted.scope.given()
    made = casework(running).suppress(scope, wanted.reason, asker.name, expires)
    running.documents.note(asker.name, "suppression.create", made, {"scope": scope, "reason": wanted.reason})
    forget(running)
    return next(one for one in suppressions(running) if one.id == made)


def withdraw(running: Running, asker: Asker, identity: str) -> None:
    """End a suppression."""
    try:
        casework(running).withdraw(identity, asker.name)
    except UsageError as error:
        raise not_found("suppression", identity) from error
    running.documents.note(asker.name, "suppression.withdraw", identity)
    forget(running)


def preview(running: Running, scope: Scope, days: int = 30) -> Preview:
    """Return what a suppression would have hidden of the findings of some days."""
    since = max(0, running.clock() - days * _DAY)
    hidden = casework(running).preview(scope.given(), since)
    opened = casework(running).opened(since)
    told = ({"owner": None, **one} for one in hidden)
    return Preview(since=rfc3339(since), findings=len(opened), hidden=[row_of(one) for one in told])


@router.get("/suppressions")
def suppressions_all(here: Here, _asker: Viewer) -> list[SuppressionState]:
    """Return all suppressions."""
    return suppressions(here)


@router.post("/suppressions", status_code=201)
def suppressions_new(here: Here, asker: Analyst, wanted: NewSuppression) -> SuppressionState:
    """Hide what fits a scope for a while."""
    return suppress(here, asker, wanted)


@router.post("/suppressions/preview")
def suppressions_preview(
    here: Here, _asker: Viewer, scope: Scope, days: Annotated[int, Query(ge=1, le=400)] = 30
) -> Preview:
    """Return what a suppression would have hidden of past findings."""
    return preview(here, scope, days)


@router.delete("/suppressions/{identity}", status_code=204)
def suppressions_end(here: Here, asker: Analyst, identity: Identity) -> None:
    """End a suppression."""
    withdraw(here, asker, identity)
