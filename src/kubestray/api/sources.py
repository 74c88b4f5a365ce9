"""Sources: what sends, how much, how late; what receivers turned away and why; what collectors lack."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlglot import exp

from kubestray.api.asking import Here, Viewer
from kubestray.api.data_present import sorts_of
from kubestray.api.remembering import remembered
from kubestray.api.times import iso
from kubestray.pipeline.diagnosing import sources_of
from kubestray.pipeline.running import Running
from kubestray.store.trees import call, column, named, select, unsigned

router = APIRouter(tags=["sources"])

_RATE_OVER = 5 * 60 * 10**9
_LOOK_BACK = 3600 * 10**9
_KEEP = 10.0  # seconds


class SourceState(BaseModel):
    """A kind of sender, as its metrics tell; what it should send and does not, and how to get it."""

    name: str
    metrics: list[str]
    series: int
    points_per_second: float = Field(description="Over the last five minutes, by the points' own time.")
    newest: datetime | None
    lag_seconds: float | None = Field(
        description="How long ago its newest point was, by the points' own time."
    )
    missing: list[str]
    fixes: list[dict[str, Any]]


class Sender(BaseModel):
    """What came from whoever has one token, since the server started."""

    name: str
    requests: int
    data_points: int
    rejected: dict[str, int]


class Receivers(BaseModel):
    """What all receivers have seen since the server started."""

    listening: dict[str, str]
    requests: int
    data_points: int
    malformed: int = Field(description="Requests that could not be decoded.")
    refused: int = Field(description="Requests that could not be stored and were told to come again.")
    unauthorised: int
    no_value: int
    rejected: dict[str, int] = Field(description="Data points that were left out, by reason.")
    senders: list[Sender] = Field(description="By the token that was given.")


class Keeping(BaseModel):
    """What waits to be written, and how the upkeep fares that summarises and drops what has expired."""

    waiting_points: int
    waiting_bytes: int
    passed: datetime | None = Field(description="When a pass of the upkeep last ended well.")
    failed: datetime | None = Field(description="When one last failed; null: never since the start.")
    error: str


class Sources(BaseModel):
    """All of it."""

    receivers: Receivers
    keeping: Keeping
    sources: list[SourceState]
    newest: datetime | None
    series: int


def all_sources(running: Running) -> Sources:
    """Return what sends, by what arrived in the last hour."""
    sorts = sorts_of(running)
    rates = remembered(running, "rates", _KEEP, lambda: _rates(running))
    now = running.clock()
    by_source: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for sending in (found := sources_of(sorts, running.registry)):
        by_source[sending.source.name] = [rates[m] for m in sending.metrics if m in rates]
    states = []
    for sending in found:
        told = by_source[sending.source.name]
        newest = max((last for _, last in told), default=0)
        states.append(
            SourceState(
                name=sending.source.name,
                metrics=sending.metrics,
                series=sending.series,
                points_per_second=round(sum(n for n, _ in told) / (_RATE_OVER / 1e9), 2),
                newest=iso(newest),
                lag_seconds=round((now - newest) / 1e9, 1) if newest else None,
                missing=[name for name, there in sending.attributes.items() if not there],
                fixes=sending.fixes.as_json(),
            )
        )
    newest = max((last for _, last in rates.values()), default=0)
    series = sum(sort.series for sort in sorts)
    return Sources(
        receivers=_receivers(running),
        keeping=_keeping(running),
        sources=states,
        newest=iso(newest),
        series=series,
    )


def _keeping(running: Running) -> Keeping:
    waiting, health = running.waiting(), running.upkeep()
    return Keeping(
        waiting_points=waiting.points,
        waiting_bytes=waiting.bytes,
        passed=iso(health.passed),
        failed=iso(health.failed),
        error=health.error,
    )


def _receivers(running: Running) -> Receivers:
    seen = running.seen()
    return Receivers(
        listening=running.listening(),
        requests=seen.requests,
        data_points=seen.data_points,
        malformed=seen.malformed,
        refused=seen.refused,
        unauthorised=seen.unauthorised,
        no_value=seen.no_value,
        rejected=dict(sorted(seen.rejected.items())),
        senders=[
            Sender(
                name=name,
                requests=one.requests,
                data_points=one.data_points,
                rejected=dict(sorted(one.rejected.items())),
            )
            for name, one in running.senders().items()
        ],
    )


def _rates(running: Running) -> dict[str, tuple[int, int]]:
    """Return points of the last five minutes and the newest time of each metric of the last hour."""
    now = running.clock()
    recent = exp.GTE(this=column("time"), expression=unsigned(now - _RATE_OVER))
    tree = (
        select(
            column("metric"),
            named(call("countIf", recent), "points"),
            named(call("max", column("time")), "newest"),
        )
        .from_("samples")
        .where(exp.GTE(this=column("time"), expression=unsigned(now - _LOOK_BACK)))
        .group_by(column("metric"))
    )
    rows = running.store.query(tree, running.limits).to_pylist()
    return {row["metric"]: (row["points"], row["newest"]) for row in rows}


@router.get("/sources")
def sources(here: Here, _asker: Viewer) -> Sources:
    """Return what sends, what was rejected, and what is lacking."""
    return all_sources(here)
