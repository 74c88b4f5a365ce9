"""Logging in and out, links that set a password, and one's own account."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kubestray.api import access
from kubestray.api.accounts import Role
from kubestray.api.asking import Here, Known, Viewer, begin_session, end_session
from kubestray.api.refusal import Refused
from kubestray.web.render import page

router = APIRouter()

_TRIES, _WITHIN = 6, 300.0
"""So many wrong passwords for a name from an address, within so many seconds, and no more are looked at."""

_TOLD = 100
"""So many failed logins within that time are in the audit log, whatever the names: anybody can try."""

_TOO_MANY = "There were too many wrong passwords. Wait five minutes, then try again."
_LOST = "Your session has ended. What you sent was not done: log in, and do it again."

Secret = Annotated[str, Path(max_length=200)]
Password = Annotated[str, Form(max_length=1024)]


class Failures:
    """Wrong passwords of the last minutes, by name and address; in memory, for each server."""

    def __init__(self, told: int = _TOLD) -> None:
        self._lock = threading.Lock()
        self._times: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._room, self._told = told, deque[float]()

    def too_many(self, key: tuple[str, str]) -> bool:
        """Return whether no more are looked at for a name and an address."""
        with self._lock:
            times = _lately(self._times[key])
            if not times:
                del self._times[key]
            return len(times) >= _TRIES

    def add(self, key: tuple[str, str]) -> None:
        """Take note of one."""
        with self._lock:
            if len(self._times) > 10_000:
                self._times.clear()
            self._times[key].append(time.monotonic())

    def tell(self) -> int:
        """Return how many more may be told after this one; below 0 this one may not."""
        with self._lock:
            left = self._room - 1 - len(_lately(self._told))
            if left >= 0:
                self._told.append(time.monotonic())
            return left


def _lately(times: deque[float]) -> deque[float]:
    """Take out the times that are too long ago to count, and return the others."""
    while times and times[0] < time.monotonic() - _WITHIN:
        times.popleft()
    return times


_failures = Failures()


@router.get("/login")
def login(
    request: Request,
    here: Here,
    next: str = "/",  # noqa: A002 (the name in the address)
    lost: bool = False,
) -> Response:
    """Show the form, or go on if somebody is logged in. ``lost``: a form was sent without a login."""
    if request.state.asker:
        return RedirectResponse(_inside(next), 303)
    return _door(request, here, next, problem=_LOST if lost else "")


@router.post("/login")
def login_with(
    request: Request,
    here: Here,
    known: Known,
    name: Annotated[str, Form(max_length=80)],
    password: Password,
    next: Annotated[str, Form(max_length=4000)] = "/",  # noqa: A002 (the name of the field)
) -> Response:
    """Log in."""
    key = (name, _from(request))
    if _failures.too_many(key):
        return _door(request, here, next, name, _TOO_MANY, 429)
    account = known.verify(name, password)
    if account is None:
        _failures.add(key)
        if (left := _failures.tell()) >= 0:
            more = (
                {} if left else {"then": f"no more are told until {_WITHIN:.0f} s after the first of these"}
            )
            here.documents.note(name, "login.failed", "", {"from": key[1]} | more)
        problem = "The name or the password is wrong."
        return _door(request, here, next, name, problem, 401)
    begin_session(request, account)
    here.documents.note(account.name, "login", "", {"from": key[1]})
    return RedirectResponse(_inside(next), 303)


@router.post("/logout")
def logout(request: Request, here: Here, known: Known, asker: Viewer) -> Response:
    """Log out."""
    end_session(request, known)
    here.documents.note(asker.name, "logout")
    return RedirectResponse("/login", 303)


@router.get("/login/link/{secret}")
def link(request: Request, known: Known, secret: Secret) -> Response:
    """Show the form that sets a password."""
    name = known.linked(secret)
    return page(request, "link.html", status=200 if name else 404, name=name, problem="")


@router.post("/login/link/{secret}")
def link_with(
    request: Request, here: Here, known: Known, secret: Secret, password: Password, again: Password
) -> Response:
    """Set a password by a link, and log in."""
    try:
        if password != again:
            raise Refused(400, "password", "the two passwords differ")
        account = known.use_link(secret, password)
    except Refused as refusal:
        problem = _sentence(refusal)
        return page(request, "link.html", status=refusal.status, name=known.linked(secret), problem=problem)
    begin_session(request, account)
    here.documents.note(account.name, "password.link")
    return RedirectResponse("/", 303)


@router.get("/account")
def account(request: Request, known: Known, asker: Viewer) -> Response:
    """Show one's own account."""
    return _account(request, known, asker.name)


@router.post("/account/password")
def account_password(
    request: Request, here: Here, known: Known, asker: Viewer, old: Password, password: Password
) -> Response:
    """Set another password; other sessions end."""
    key = (asker.name, _from(request))
    if _failures.too_many(key):
        return _account(request, known, asker.name, problem=_TOO_MANY, status=429)
    if known.verify(asker.name, old) is None:
        _failures.add(key)
        return _account(request, known, asker.name, problem="The old password is wrong.", status=400)
    known.set_password(asker.name, password)
    here.documents.note(asker.name, "password.change")
    changed = known.find(asker.name)
    assert changed
    begin_session(request, changed)
    return RedirectResponse("/account?said=password", 303)


@router.post("/account/tokens")
def account_token(
    request: Request,
    here: Here,
    known: Known,
    asker: Viewer,
    label: Annotated[access.Label, Form()],
    role: Annotated[Role, Form()],
    days: Annotated[int, Form(ge=0, le=3650)] = 90,
) -> Response:
    """Make a token and show it this once."""
    made = access.make_token(here, known, asker, access.NewToken(label=label, role=role, days=days or None))
    return _account(request, known, asker.name, made=made)


@router.post("/account/tokens/{identity}/end")
def account_token_end(
    here: Here, known: Known, asker: Viewer, identity: Annotated[str, Path(max_length=64)]
) -> Response:
    """End a token."""
    access.remove_token(here, known, asker, identity)
    return RedirectResponse("/account", 303)


def _from(request: Request) -> str:
    return request.client.host if request.client else ""


def _door(
    request: Request, here: Here, next_: str, name: str = "", problem: str = "", status: int = 200
) -> Response:
    issuer = here.config["oidc_issuer"]
    provider = urlsplit(issuer).netloc or issuer
    return page(
        request,
        "login.html",
        status=status,
        next=_inside(next_),
        name=name,
        problem=problem,
        provider=provider,
    )


def _account(
    request: Request,
    known: Known,
    name: str,
    *,
    problem: str = "",
    made: access.MadeToken | None = None,
    status: int = 200,
) -> Response:
    mine = [access.token_state(one) for one in known.tokens(name)]
    found = known.find(name)
    said = "Your password is changed." if request.query_params.get("said") == "password" else ""
    context = {"tokens": mine, "problem": problem, "made": made, "said": said, "roles": list(Role)}
    return page(request, "account.html", status=status, account=found, **context)


def _sentence(refusal: Refused) -> str:
    message, hint = refusal.message, refusal.hint
    return message[:1].upper() + message[1:] + (f" ({hint})" if hint else "") + "."


def _inside(address: str) -> str:
    """Return where to go on after the login: never to another site."""
    parts = urlsplit(address)
    inside = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if inside and "\\" not in address else "/"
