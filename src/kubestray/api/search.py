"""Searches: run, explained, completed while they are typed, and remembered."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from kubestray.api.accounts import Role
from kubestray.api.asking import Asker, Here, Viewer
from kubestray.api.at_once import AtOnce
from kubestray.api.body import Body
from kubestray.api.charts import chart_of
from kubestray.api.completion import Completion, complete
from kubestray.api.refusal import Refused
from kubestray.api.times import iso, span_of
from kubestray.pipeline.running import Running
from kubestray.search.run import Request, compile_search, stream_search

router = APIRouter(tags=["search"])

_MOST_TEXT = 100_000
_ACTION = "search"


class Ask(Body):
    """A search to run: its text, its time range as SPL times, and how many rows are wanted."""

    text: str = Field(max_length=_MOST_TEXT, examples=["| mstats count(*) where index=* span=1h"])
    earliest: str = Field(
        default="", max_length=64, description="Empty: from the beginning", examples=["-24h"]
    )
    latest: str = Field(default="", max_length=64, description="Empty: now")
    rows: int = Field(default=1000, ge=1, le=10_000)


class Found(BaseModel):
    """What a search gave. A null field is absent from its row; several values are an array."""

    fields: list[str]
    rows: list[dict[str, Any]]
    more: bool = Field(description="Whether there are rows beyond those that were asked for.")
    notes: list[str]
    seconds: float
    chart: dict[str, Any] | None = Field(description="A Vega-Lite specification, if the rows make a chart.")


class Explained(BaseModel):
    """The plan of a search and the statement it becomes."""

    text: str


class Past(BaseModel):
    """A search that was run before."""

    time: Any
    text: str
    earliest: str
    latest: str
    rows: int
    seconds: float


def run(running: Running, asker: Asker, ask: Ask, *, writing: bool = True) -> Found:
    """Run a search as somebody; it is remembered in the audit log.

    Without ``writing`` it may not write a lookup or an index, whoever asks.
    """
    began = time.monotonic()
    rows: list[dict[str, Any]] = []
    store = running.store
    with _at_once(running).one(asker.name), store.settled():
        found = stream_search(_request(running, asker, ask, writing=writing), store.query, store.stream)
        with closing(found.rows):
            for part in found.rows:
                rows += part
                if len(rows) > ask.rows:
                    break
    more, rows = len(rows) > ask.rows, rows[: ask.rows]
    seconds = round(time.monotonic() - began, 3)
    detail = {"text": ask.text, "earliest": ask.earliest, "latest": ask.latest}
    running.documents.note(asker.name, _ACTION, "", {**detail, "rows": len(rows), "seconds": seconds})
    notes = [str(annotation) for annotation in found.annotations]
    chart = chart_of(found.fields, rows)
    return Found(fields=found.fields, rows=rows, more=more, notes=notes, seconds=seconds, chart=chart)


def explain(running: Running, asker: Asker, ask: Ask) -> Explained:
    """Compile a search without running it."""
    query = running.store.query
    with _at_once(running).one(asker.name):
        return Explained(text=compile_search(_request(running, asker, ask), query).explain(query))


def _at_once(running: Running) -> AtOnce:
    found: AtOnce = running.kept.setdefault("searches", AtOnce())
    return found


def history(running: Running, asker: Asker, most: int = 50) -> list[Past]:
    """Return the searches that somebody has run, the latest first, each text once."""
    found: dict[tuple[str, str, str], Past] = {}
    for entry in running.documents.noted(actor=asker.name, actions=[_ACTION], most=4 * most):
        detail = entry.detail
        key = detail["text"], detail["earliest"], detail["latest"]
        found.setdefault(key, Past(time=iso(entry.time), **detail))
    return list(found.values())[:most]


def _request(running: Running, asker: Asker, ask: Ask, *, writing: bool = True) -> Request:
    def refuse(_table: str, _rows: pa.Table) -> None:
        if writing:
            message = "this search writes a lookup or an index, and the role viewer may only read"
            raise Refused(403, "forbidden", message)
        message = "this search writes a lookup or an index, and a link from elsewhere may not do that"
        raise Refused(403, "cross_site", message, "press Run to run it yourself")

    span = span_of(running, ask.earliest, ask.latest)
    record = None if writing and asker.role.covers(Role.ANALYST) else refuse
    return running.request(ask.text, running.clock(), span, record)


@router.post("/search")
def search(here: Here, asker: Viewer, ask: Ask) -> Found:
    """Run a search."""
    return run(here, asker, ask)


@router.post("/search/explain")
def search_explain(here: Here, asker: Viewer, ask: Ask) -> Explained:
    """Show the plan of a search and its statement."""
    return explain(here, asker, ask)


@router.get("/search/history")
def search_history(here: Here, asker: Viewer, most: Annotated[int, Query(ge=1, le=200)] = 50) -> list[Past]:
    """Return your own searches, the latest first."""
    return history(here, asker, most)


@router.get("/search/complete")
def search_complete(
    here: Here,
    _asker: Viewer,
    text: Annotated[str, Query(max_length=4000)],
    caret: Annotated[int, Query(ge=0, le=4000)] = 4000,
) -> list[Completion]:
    """Return what may follow at the caret: commands, functions, metrics, attributes, macros."""
    return complete(here, text, min(caret, len(text)))
