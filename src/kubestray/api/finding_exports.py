"""A finding in other forms: as an OCSF event, as a chart, and as a picture of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from kubestray.api.asking import Here, Viewer
from kubestray.api.finding_charts import band_chart, picture_of
from kubestray.api.findings import Identity, casework, finding, members
from kubestray.api.refusal import not_found
from kubestray.api.remembering import remembered
from kubestray.model.finding import Document
from kubestray.notify.notice import Notice
from kubestray.notify.ocsf import detection_finding
from kubestray.pipeline.running import Running

router = APIRouter(tags=["findings"])

_CHART_KEEP = 30.0  # seconds


def ocsf(running: Running, document: Document) -> dict[str, Any]:
    """Return a finding or incident as an OCSF Detection Finding, as it stands."""
    changes = casework(running).history(document["id"])
    ended = document["state"] in ("resolved", "closed")
    change = dataclasses.replace(changes[-1], document=document)
    return detection_finding(Notice(change, first=len(changes) == 1, ended=ended))


def _with_evidence(running: Running, document: Document) -> Document:
    """Return a document with its evidence: an incident has that of its findings."""
    if document["kind"] != "incident":
        return document
    evidence = [piece for one in members(running, document) for piece in one.get("evidence", ())]
    return {**document, "evidence": evidence}


@router.get("/findings/{identity}/ocsf")
def findings_ocsf(here: Here, _asker: Viewer, identity: Identity) -> dict[str, Any]:
    """Return a finding or incident as an OCSF Detection Finding (class 2004)."""
    return ocsf(here, finding(here, identity))


@router.get("/findings/{identity}/chart")
def findings_chart(here: Here, _asker: Viewer, identity: Identity) -> dict[str, Any]:
    """Return the Vega-Lite specification of what was observed and what is usual."""
    document = finding(here, identity)
    # The page, its picture and whoever else looks at the same document read two weeks once.
    key = ("chart", identity, document.get("digest"), document["last_seen"])
    spec = remembered(here, key, _CHART_KEEP, lambda: band_chart(here, _with_evidence(here, document)))
    if spec is None:
        raise not_found("chart of", identity, "nothing that its searches measured is left to be shown")
    return spec


_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "The chart."}}


@router.get("/findings/{identity}/chart.png", response_class=Response, responses=_PICTURE)
def findings_picture(here: Here, asker: Viewer, identity: Identity) -> Response:
    """Return the same as a picture."""
    return Response(picture_of(findings_chart(here, asker, identity)), media_type="image/png")
