"""Risk events: what detections have said of whom."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlglot import exp

from kubestray.api.asking import Here, Viewer
from kubestray.api.times import Earliest, Latest, iso, span_of
from kubestray.pipeline.running import Running
from kubestray.search.events import chosen
from kubestray.store.points import Span
from kubestray.store.trees import Tree, all_of, call, column, named, one_of, ordered, select, text, unsigned

router = APIRouter(tags=["risk"])

_MONTH = 30 * 86_400 * 10**9


class RiskEvent(BaseModel):
    """One risk event with all its fields, as Splunk names them."""

    id: str
    time: datetime
    detection: str
    entity: str
    risk_object: str
    risk_object_type: str
    risk_score: float
    message: str
    fields: dict[str, Any]


class RiskEvents(BaseModel):
    """Risk events, the newest first, and how many there are in the range."""

    total: int
    events: list[RiskEvent]


def entity_name() -> Tree:
    """Return the name of the entity that an event is about; without one, that of the risk object."""
    told = call("JSONExtractString", column("fields"), text("entity"))
    return call("if", exp.NEQ(this=told, expression=text("")), told.copy(), column("risk_object"))


def risk_events(
    running: Running,
    span: Span,
    *,
    detection: str = "",
    entities: Iterable[str] | None = None,
    words: str = "",
    most: int = 100,
    skip: int = 0,
) -> RiskEvents:
    """Return risk events of a time range; ``words`` is a part of the risk object's name, in any case."""
    conditions: list[Tree] = [chosen(None, span)]
    if detection:
        conditions.append(exp.EQ(this=column("detection"), expression=text(detection)))
    if entities is not None:
        conditions.append(one_of(entity_name(), map(text, entities)))
    if words:
        found = call("positionCaseInsensitiveUTF8", entity_name(), text(words))
        conditions.append(exp.GT(this=found, expression=exp.Literal.number(0)))
    where = all_of(conditions)
    names = ("id", "time", "detection", "risk_object", "risk_object_type", "risk_score", "fields")
    rows = select(*map(column, names), named(entity_name(), "entity")).from_("risk").where(where)
    rows = rows.order_by(ordered(column("time"), descending=True), column("id")).limit(most).offset(skip)
    total = select(named(call("count"), "n")).from_("risk").where(where.copy())
    query = running.store.query
    return RiskEvents(
        total=query(total).column("n")[0].as_py(),
        events=[_event(row) for row in query(rows).to_pylist()],
    )


def _event(row: dict[str, Any]) -> RiskEvent:
    fields = json.loads(row.pop("fields"))
    time = iso(row.pop("time"))
    assert time
    return RiskEvent(**row, time=time, message=str(fields.get("risk_message", "")), fields=fields)


def scores_by_detection(running: Running, span: Span | None = None) -> dict[str, tuple[int, float]]:
    """Return how many risk events each detection gave, and their scores' sum; by default in 30 days."""
    span = span or Span(max(0, running.clock() - _MONTH), None)
    tree = (
        select(
            column("detection"), named(call("count"), "n"), named(call("sum", column("risk_score")), "score")
        )
        .from_("risk")
        .where(chosen(None, span))
        .group_by(column("detection"))
    )
    return {row["detection"]: (row["n"], row["score"]) for row in running.store.query(tree).to_pylist()}


def risk_by_time(
    running: Running, span: Span, bins: int, entities: Iterable[str] | None = None
) -> list[dict[str, Any]]:
    """Return sums of scores by detection in equal parts of a range; ``time`` in milliseconds.

    ``entities`` are the names of risk objects; None is all.
    """
    end = span.latest if span.latest is not None else running.clock()
    width = max(1, (end - span.earliest) // bins)
    start = call("intDiv", exp.Sub(this=column("time"), expression=unsigned(span.earliest)), unsigned(width))
    conditions: list[Tree] = [chosen(None, span)]
    if entities is not None:
        conditions.append(one_of(entity_name(), map(text, entities)))
    tree = (
        select(
            named(start, "bin"),
            column("detection"),
            named(call("sum", column("risk_score")), "score"),
            named(call("count"), "n"),
        )
        .from_("risk")
        .where(all_of(conditions))
        .group_by(column("bin"), column("detection"))
        .order_by(column("bin"), column("detection"))
    )
    return [
        {
            "time": (span.earliest + row["bin"] * width) // 10**6,
            "end": (span.earliest + (row["bin"] + 1) * width) // 10**6,
            "detection": row["detection"],
            "score": row["score"],
            "events": row["n"],
        }
        for row in running.store.query(tree).to_pylist()
    ]


@router.get("/risk/events")
def events(
    here: Here,
    _asker: Viewer,
    earliest: Earliest = "-24h",
    latest: Latest = "",
    detection: Annotated[str, Query(max_length=200)] = "",
    entity: Annotated[str, Query(max_length=5000)] = "",
    most: Annotated[int, Query(ge=1, le=1000)] = 100,
    skip: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> RiskEvents:
    """Return the risk events of a time range, the newest first."""
    span = span_of(here, earliest, latest)
    return risk_events(
        here, span, detection=detection, entities=[entity] if entity else None, most=most, skip=skip
    )
