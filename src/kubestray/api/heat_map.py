"""The heat map: entity × time, coloured by the risk that came then."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlglot import exp

from kubestray.api.asking import Here, Viewer
from kubestray.api.entities import Kind
from kubestray.api.hierarchy import MOST
from kubestray.api.refusal import Refused
from kubestray.api.risk import entity_name
from kubestray.api.times import Earliest, Latest, iso, span_of
from kubestray.pipeline.running import Running
from kubestray.search.events import chosen
from kubestray.store.points import Span
from kubestray.store.trees import Tree, all_of, call, column, named, one_of, select, text, unsigned

router = APIRouter(tags=["entities"])


class HeatRow(BaseModel):
    """An entity's scores in equal parts of a time range."""

    entity: str
    scores: list[float]
    total: float


class HeatMap(BaseModel):
    """Entity × time: the risk that came in each part of the range."""

    edges: list[datetime] = Field(description="Where the parts begin, and where the last one ends.")
    rows: list[HeatRow]
    more: int = Field(description="How many entities with risk are not shown.")


def heat_map(running: Running, span: Span, *, bins: int = 48, most: int = 40, kind: str = "") -> HeatMap:
    """Return the risk of the entities with the most of it, in equal parts of a range."""
    end = span.latest if span.latest is not None else running.clock()
    width = max(1, -(-(end - span.earliest) // bins))
    start = call("intDiv", exp.Sub(this=column("time"), expression=unsigned(span.earliest)), unsigned(width))
    conditions: list[Tree] = [chosen(None, span)]
    if kind:
        conditions.append(call("startsWith", entity_name(), text(f"{kind}:")))
    sums = named(call("sum", column("risk_score")), "score")
    ranked = select(named(entity_name(), "name"), sums).from_("risk").where(all_of(conditions))
    ranked = ranked.group_by(column("name")).limit(MOST)
    totals = {row["name"]: row["score"] for row in running.store.query(ranked).to_pylist()}
    shown = sorted(totals, key=lambda name: (-totals[name], name))[:most]
    conditions.append(one_of(entity_name(), map(text, shown)))
    tree = select(named(entity_name(), "name"), named(start, "bin"), sums.copy()).from_("risk")
    tree = tree.where(all_of(conditions)).group_by(column("name"), column("bin"))
    cells = {(row["name"], row["bin"]): row["score"] for row in running.store.query(tree).to_pylist()}
    edges = [iso(span.earliest + n * width) for n in range(bins + 1)]
    rows = [
        HeatRow(entity=name, scores=[cells.get((name, n), 0.0) for n in range(bins)], total=totals[name])
        for name in shown
    ]
    return HeatMap(edges=[edge for edge in edges if edge], rows=rows, more=len(totals) - len(shown))


@router.get("/heatmap")
def heat(
    here: Here,
    _asker: Viewer,
    earliest: Earliest = "-24h",
    latest: Latest = "",
    bins: Annotated[int, Query(ge=1, le=200)] = 48,
    most: Annotated[int, Query(ge=1, le=200)] = 40,
    kind: Kind = "",
) -> HeatMap:
    """Return risk by entity and time."""
    span = span_of(here, earliest, latest)
    if span.earliest == 0:
        raise Refused(400, "usage", "a heat map needs a time to begin at", "for example earliest=-24h")
    return heat_map(here, span, bins=bins, most=most, kind=kind)
