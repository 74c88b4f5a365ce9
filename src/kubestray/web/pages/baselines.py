"""What is normal: what detections have learned, of whom, and the baselines that searches keep."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kubestray.api import baselines, detections
from kubestray.api.asking import Admin, Here, Viewer
from kubestray.api.baseline_orders import NewOrder, order
from kubestray.api.baselines import Keys, State
from kubestray.api.named import Name
from kubestray.web.chart_script import script_address
from kubestray.web.render import page

router = APIRouter()

_A_PAGE = 50


@router.get("/baselines")
def all_baselines(request: Request, here: Here, _asker: Viewer) -> Response:
    """Show what detections have learned, and all baselines."""
    return page(
        request,
        "baselines.html",
        learned=baselines.all_learned(here),
        found=detections.all_baselines(here),
    )


@router.get("/baselines/{name}")
def one_baseline(
    request: Request,
    here: Here,
    _asker: Viewer,
    name: Name,
    words: Annotated[str, Query(max_length=500)] = "",
    state: State = "",
    skip: Annotated[int, Query(ge=0, le=200_000)] = 0,
) -> Response:
    """Show the entities that a detection knows."""
    found = baselines.learned_entities(here, name, words=words, state=state, most=_A_PAGE, skip=skip)
    filters = {"words": words, "state": state}
    return page(request, "baseline.html", one=found, filters=filters, skip=skip, size=_A_PAGE)


@router.get("/baselines/{name}/entity")
def one_entity(request: Request, here: Here, _asker: Viewer, name: Name, key: Keys) -> Response:
    """Show what is normal for one entity."""
    found = baselines.learned_page(here, name, key)
    return page(request, "baseline_entity.html", one=found, script=script_address())


@router.post("/baselines/{name}")
def give_order(
    here: Here,
    asker: Admin,
    name: Name,
    action: Annotated[Literal["lock", "unlock", "reset"], Form()],
    key: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006 (FastAPI copies it)
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Lock, unlock or reset an entity, or all of them."""
    order(here, asker, name, NewOrder(action=action, key=key or None, reason=reason))
    address = f"/baselines/{quote(name, safe='')}"
    if key:
        address += "/entity?" + urlencode({"key": key}, doseq=True)
    return RedirectResponse(address, 303)
