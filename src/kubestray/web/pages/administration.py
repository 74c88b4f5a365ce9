"""Accounts and the audit log: for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kubestray.api import access
from kubestray.api.accounts import Role
from kubestray.api.asking import Admin, Here, Known
from kubestray.web.render import page

router = APIRouter()

Name = Annotated[str, Path(max_length=80)]
_A_PAGE = 100


@router.get("/accounts")
def accounts(request: Request, known: Known, _asker: Admin) -> Response:
    """Show all accounts."""
    return _accounts(request, known)


@router.post("/accounts")
def accounts_new(
    request: Request,
    here: Here,
    known: Known,
    asker: Admin,
    name: Annotated[str, Form(max_length=80)],
    role: Annotated[Role, Form()],
) -> Response:
    """Make an account and show the link that its owner needs."""
    link, _ = access.make_account(here, known, asker, access.NewAccount(name=name, role=role))
    return _accounts(request, known, name, link)


@router.post("/accounts/{name}/link")
def accounts_link(request: Request, here: Here, known: Known, asker: Admin, name: Name) -> Response:
    """Make a link that sets a password anew, and show it."""
    return _accounts(request, known, name, access.make_link(here, known, asker, name))


@router.post("/accounts/{name}")
def accounts_change(
    here: Here,
    known: Known,
    asker: Admin,
    name: Name,
    role: Annotated[Role, Form()],
    disabled: Annotated[bool, Form()] = False,
) -> Response:
    """Change an account."""
    access.change_account(here, known, asker, name, access.AccountChange(role=role, disabled=disabled))
    return RedirectResponse("/accounts", 303)


def _accounts(request: Request, known: Known, name: str = "", link: str = "") -> Response:
    base = request.app.state.running.config["console_url"].rstrip("/") or str(request.base_url).rstrip("/")
    found = [access.account_state(one) for one in known.all()]
    made = {"name": name, "address": base + link} if link else None
    return page(request, "accounts.html", accounts=found, roles=list(Role), made=made)


@router.get("/audit")
def audit(
    request: Request,
    here: Here,
    _asker: Admin,
    actor: Annotated[str, Query(max_length=80)] = "",
    before: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Show who did what."""
    entries = access.audit_log(here, actor=actor, before=before, most=_A_PAGE + 1)
    more = None
    if len(entries) > _A_PAGE:
        entries = entries[:_A_PAGE]
        last = entries[-1].time
        more = int(last.timestamp() * 1e6) * 1000 if last else None
    return page(request, "audit.html", entries=entries, actor=actor, more=more)
