"""Suppressions: the form with its preview, and the list."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kubestray.api import findings, suppressions
from kubestray.api.asking import Analyst, Here, Viewer
from kubestray.api.errors import Told, told_of
from kubestray.api.findings import Identity
from kubestray.api.refusal import Refused
from kubestray.api.suppressions import NewSuppression, Preview, Scope
from kubestray.api.times import iso
from kubestray.model.errors import KubestrayError
from kubestray.model.finding import Document
from kubestray.web.render import page

router = APIRouter()


@router.get("/findings/{identity}/suppress")
def suppress_form(
    request: Request,
    here: Here,
    _asker: Analyst,
    identity: Identity,
    entity: Annotated[str | None, Query(max_length=5000)] = None,
    detection: Annotated[str | None, Query(max_length=200)] = None,
    reason: Annotated[str, Query(max_length=2000)] = "",
    expires: Annotated[str, Query(max_length=64)] = "+7d",
) -> Response:
    """Show the form of a suppression, with what it would have hidden in the last 30 days."""
    document = findings.finding(here, identity)
    step = max(document["steps"], key=lambda one: one["score"], default=None)
    scope = Scope(
        entity=document["entity"] if entity is None else entity,
        detection=(step["detection"] if step else "") if detection is None else detection,
    )
    return _suppress(request, here, document, NewSuppression(scope=scope, reason=reason, expires=expires))


@router.post("/findings/{identity}/suppress")
def suppress(
    request: Request,
    here: Here,
    asker: Analyst,
    identity: Identity,
    reason: Annotated[str, Form(max_length=2000)] = "",
    expires: Annotated[str, Form(max_length=64)] = "",
    entity: Annotated[str, Form(max_length=5000)] = "",
    detection: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Hide what fits the scope."""
    wanted = NewSuppression(scope=Scope(entity=entity, detection=detection), reason=reason, expires=expires)
    try:
        suppressions.suppress(here, asker, wanted)
    except (KubestrayError, Refused) as error:
        return _suppress(request, here, findings.finding(here, identity), wanted, told_of(error)[1])
    return RedirectResponse(f"/findings/{quote(identity)}", 303)


def _suppress(
    request: Request, here: Here, document: Document, wanted: NewSuppression, told: Told | None = None
) -> Response:
    preview: Preview | None = None
    if wanted.scope.given():
        preview = suppressions.preview(here, wanted.scope)
    status = 400 if told else 200
    return page(
        request, "suppress.html", status=status, one=document, wanted=wanted, preview=preview, told=told
    )


@router.get("/suppressions")
def all_suppressions(request: Request, here: Here, _asker: Viewer) -> Response:
    """Show all suppressions."""
    return page(request, "suppressions.html", found=suppressions.suppressions(here), now=iso(here.clock()))


@router.post("/suppressions/{identity}/end")
def suppression_end(here: Here, asker: Analyst, identity: Identity) -> Response:
    """End a suppression."""
    suppressions.withdraw(here, asker, identity)
    return RedirectResponse("/suppressions", 303)
