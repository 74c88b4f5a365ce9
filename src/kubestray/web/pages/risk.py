"""Risk events in a list, with their sums over time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from kubestray.api import risk
from kubestray.api.asking import Here, Viewer
from kubestray.api.charts import risk_chart
from kubestray.api.times import span_of
from kubestray.web.chart_script import script_address
from kubestray.web.render import page

router = APIRouter()

_A_PAGE = 50
_BINS = 96


@router.get("/risk")
def risk_page(
    request: Request,
    here: Here,
    _asker: Viewer,
    earliest: Annotated[str, Query(max_length=64)] = "-24h",
    latest: Annotated[str, Query(max_length=64)] = "",
    detection: Annotated[str, Query(max_length=200)] = "",
    words: Annotated[str, Query(max_length=500)] = "",
    skip: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Response:
    """Show the risk events of a time range."""
    span = span_of(here, earliest, latest)
    found = risk.risk_events(here, span, detection=detection, words=words, most=_A_PAGE, skip=skip)
    bins = risk.risk_by_time(here, span, _BINS)
    if detection:
        bins = [one for one in bins if one["detection"] == detection]
    return page(
        request,
        "risk.html",
        found=found,
        chart=risk_chart(bins, span) if bins else None,
        filters={"earliest": earliest, "latest": latest, "detection": detection, "words": words},
        skip=skip,
        size=_A_PAGE,
        detections=list(here.content.detections),
        script=script_address(),
    )
