"""Backtests: a detection run over past time as it would have run then, keeping nothing.

A backtest goes on in a thread of its own and is remembered by what it was asked for, so that its address can
be given to others: who opens it while it runs sees how far it is, later the same result, or it runs anew.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from kubestray.api.asking import Here, Viewer
from kubestray.api.charts import TIME, frame
from kubestray.api.findings import Brief, brief
from kubestray.api.named import Name, search_named
from kubestray.api.refusal import Refused
from kubestray.api.times import Earliest, Latest, iso, span_of
from kubestray.detect.scheduler import due
from kubestray.model.content import Detection
from kubestray.model.errors import KubestrayError
from kubestray.model.finding import Document
from kubestray.pipeline.assessing import is_rule
from kubestray.pipeline.detecting import Run
from kubestray.pipeline.replaying import Replayed, Trial, replay
from kubestray.pipeline.running import Running
from kubestray.pipeline.setting_up import searching
from kubestray.store.points import Span

router = APIRouter(tags=["detections"])

_MOST_RUNS = 2_000
_KEPT = 20
_AT_ONCE = 4
_EXAMPLES = 5


class BacktestRun(BaseModel):
    """One run: the time it was for, how many rows it gave, or why it failed."""

    time: datetime | None
    rows: int
    events: int
    error: str | None


class WouldBe(Brief):
    """A finding or an incident that there would have been, as it stood at the end."""


class Backtest(BaseModel):
    """What a detection would have found, by itself. While ``done`` is false, more comes."""

    name: str
    earliest: datetime | None
    latest: datetime | None
    runs: int = Field(description="How many runs its schedule has in the range.")
    every: int = Field(description="One run of so many is made; 1 is all of them.")
    finished: int
    done: bool
    error: str | None = Field(description="What ended it early.")
    rows: int
    events: int
    findings: list[WouldBe] = Field(
        description="What its risk alone would have opened; known when it is done."
    )
    incidents: list[WouldBe]
    entities: dict[str, int] = Field(
        description="Risk objects with the number of runs that named them, the most first."
    )
    examples: list[dict[str, Any]]
    fields: list[str]
    found: list[BacktestRun] = Field(description="The runs that gave rows or failed.")
    chart: dict[str, Any]


@dataclass
class _Job:
    """A backtest that goes on or has ended."""

    search: Detection
    span: Span
    times: list[int]
    every: int
    runs: list[BacktestRun] = field(default_factory=list)
    entities: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    outcome: Replayed | None = None
    error: str | None = None
    done: bool = False


@dataclass
class _Jobs:
    jobs: dict[Any, _Job] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))


def backtest(running: Running, name: str, span: Span, every: int = 1) -> Backtest:
    """Begin a backtest, or look at how far it is. Its range is cut to whole minutes, so that links meet."""
    search = search_named(running, name)
    if not isinstance(search, Detection):
        raise Refused(
            400, "baseline", "a baseline writes what it finds; only detections can be tried on the past"
        )
    jobs: _Jobs = running.kept.setdefault("backtests", _Jobs())
    minute = 60 * 10**9
    span = Span(span.earliest // minute * minute, (span.latest or running.clock()) // minute * minute)
    key = (name, search.search, span, every)
    with jobs.lock:
        job = jobs.jobs.get(key)
        if job is None:
            job = _begin(running, jobs, search, span, every)
            jobs.jobs[key] = job
            ended = [k for k, one in jobs.jobs.items() if one.done]
            for old in ended[: max(0, len(jobs.jobs) - _KEPT)]:
                del jobs.jobs[old]
    return _told(job)


def _begin(running: Running, jobs: _Jobs, search: Detection, span: Span, every: int) -> _Job:
    schedule = running.content.schedule_of(search)
    if schedule is None:
        raise Refused(400, "no_schedule", "this detection has no schedule to run on")
    assert span.latest is not None
    if sum(not job.done for job in jobs.jobs.values()) >= _AT_ONCE:
        raise Refused(400, "busy", "other backtests are under way", "wait for them to end")
    times: list[int] = []
    for count, moment in enumerate(due(schedule.cron, span.earliest, span.latest)):
        if count % every == 0:
            times.append(moment)
        if len(times) > _MOST_RUNS:
            message = f"this range has more than {_MOST_RUNS} runs"
            raise Refused(400, "too_long", message, "shorten it, or make only one run of several")
    job = _Job(search, span, times, every)
    threading.Thread(target=_go, args=(running, jobs, job), name="backtest", daemon=True).start()
    return job


def _go(running: Running, jobs: _Jobs, job: _Job) -> None:
    alone = dataclasses.replace(job.search, enabled=True)
    content = dataclasses.replace(running.content, detections={alone.name: alone}, baselines={})
    begin, end = job.span.earliest, job.span.latest or 0
    # A rule looks at the risk that others gave; of it only what the rule itself opens is told.
    trial = Trial(lambda when, run: _take(job, when, run), job.every, end if is_rule(alone) else 0)
    try:
        with jobs.room:
            make = searching(running.config)
            job.outcome = replay(
                running.store, content, make, begin, end, lambda _when, _runs: None, trial=trial
            )
    except KubestrayError as error:
        job.error = str(error)
    finally:
        job.done = True


def _take(job: _Job, moment: int, run: Run) -> None:
    outcome, events = run.outcome, run.events
    job.entities.update({event.risk_object for event in events} or {str(hit.entity) for hit in run.hits})
    for row in outcome.rows[: max(0, _EXAMPLES - len(job.examples))]:
        job.examples.append(row)
    job.fields = outcome.fields or job.fields
    job.runs.append(
        BacktestRun(time=iso(moment), rows=len(outcome.rows), events=len(events), error=outcome.error)
    )


def _would_be(job: _Job, documents: list[Document]) -> list[WouldBe]:
    rule = is_rule(job.search)
    return [
        WouldBe(**brief(one))
        for one in documents
        if not rule or one.get("opened_by", {}).get("name") == job.search.name
    ]


def _told(job: _Job) -> Backtest:
    runs = list(job.runs)
    return Backtest(
        name=job.search.name,
        earliest=iso(job.span.earliest),
        latest=iso(job.span.latest),
        runs=len(job.times),
        every=job.every,
        finished=len(runs),
        done=job.done,
        error=job.error,
        findings=_would_be(job, job.outcome.findings if job.outcome else []),
        incidents=_would_be(job, job.outcome.incidents if job.outcome else []),
        rows=sum(run.rows for run in runs),
        events=sum(run.events for run in runs),
        entities=dict(job.entities.most_common(50)),
        examples=list(job.examples),
        fields=job.fields,
        found=[run for run in runs if run.rows or run.error][-500:],
        chart=_chart(runs, job.span),
    )


def _chart(runs: list[BacktestRun], span: Span) -> dict[str, Any]:
    values = [
        {"time": int(run.time.timestamp() * 1000), "rows": run.rows, "failed": bool(run.error)}
        for run in runs
        if run.time
    ]
    # Bars of no height at both ends stretch the axis over the whole range.
    values += [
        {"time": edge // 10**6, "rows": 0, "failed": False} for edge in (span.earliest, span.latest or 0)
    ]
    return {
        **frame(values, height=140),
        "mark": {"type": "bar", "tooltip": True, "width": 3},
        "encoding": {
            "x": TIME,
            "y": {"field": "rows", "type": "quantitative", "title": "rows", "axis": {"tickMinStep": 1}},
        },
    }


@router.get("/detections/{name}/backtest")
def detection_backtest(
    here: Here,
    _asker: Viewer,
    name: Name,
    earliest: Earliest = "-24h",
    latest: Latest = "",
    every: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> Backtest:
    """Run a detection over past time and keep nothing; ask again to see how far it is."""
    return backtest(here, name, span_of(here, earliest, latest), every)
