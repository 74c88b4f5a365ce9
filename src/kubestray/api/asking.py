"""Who asks: a session's cookie or an API token, checked before anything else; and what their role allows.

Everything needs a login but what `_open` names: to forget it on a new page is impossible.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kubestray.api.accounts import Account, Accounts, Role
from kubestray.api.errors import as_json
from kubestray.api.refusal import Refused
from kubestray.pipeline.running import Running

SESSION_LASTS = 12 * 3600
"""Seconds since the last login."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN_PAGES = ("/healthz", "/readyz", "/openapi.json", "/login", "/favicon.ico")
_OPEN_FOLDERS = ("/static/", "/login/")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who makes a request, and as what. ``csrf`` is what a session's forms must hold; tokens have none."""

    name: str
    role: Role
    csrf: str | None = None
    label: str = ""
    until: int = 0
    """When the token ends that asks, in nanoseconds; 0 for never, and for a session."""

    def may(self, role: str) -> bool:
        """Return whether the asker's role covers one: for pages, which leave out what is not allowed."""
        return self.role.covers(Role(role))


def _open(path: str) -> bool:
    return path in _OPEN_PAGES or path.startswith(_OPEN_FOLDERS)


class Guard:
    """Lets nobody past without a login, and no request that another site made a browser send."""

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self._app, self._accounts = app, accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request through with its asker in ``request.state``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        headers = request.headers
        if scope["method"] not in _SAFE and not _same_origin(headers):
            refusal = Refused(403, "cross_site", "the request came from another site")
            await as_json(Request(scope), refusal)(scope, receive, send)
            return
        asker = await run_in_threadpool(self._asker, request)
        scope.setdefault("state", {})["asker"] = asker
        if asker is None and not _open(scope["path"]):
            await _to_login(scope)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _asker(self, request: HTTPConnection) -> Asker | None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            found = self._accounts.bearer(secret.strip())
            if found is None:
                return None
            account, token = found
            role = token.role if account.role.covers(token.role) else account.role
            return Asker(account.name, role, label=token.label, until=token.expires)
        account_name = request.session.get("account")
        known = self._accounts.find(account_name) if account_name else None
        if known is None or not hmac.compare_digest(known.stamp, str(request.session.get("stamp"))):
            return None
        if self._accounts.has_ended(str(request.session.get("id"))):
            return None
        return Asker(known.name, known.role, request.session.get("csrf"))


def _same_origin(headers: Headers) -> bool:
    """Return whether a request is of our own pages, or of no browser.

    Every browser of the last years says where a request comes from in ``Sec-Fetch-Site``, older ones in
    ``Origin``; programs send neither.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _to_login(scope: Scope) -> Response:
    path = scope["path"]
    if path.startswith("/api/") or path == "/metrics":
        hint = "send Authorization: Bearer TOKEN; tokens are made on the account page of the console"
        refusal = Refused(401, "login", "this needs a login", hint)
        answer = as_json(Request(scope), refusal)
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    if scope["method"] not in _SAFE:
        address = f"/login?lost=true&next={quote(page_of_form(Headers(scope=scope)), safe='')}"
        return RedirectResponse("/login" if path == "/logout" else address, 303)
    if path == "/":
        return RedirectResponse("/login", 303)
    query = scope["query_string"].decode("latin-1")
    back = quote(path + (f"?{query}" if query else ""), safe="")
    return RedirectResponse(f"/login?next={back}", 303)


def page_of_form(headers: Headers) -> str:
    """Return path and query of the page of ours that a form was sent from; `/` where it is not known."""
    host, _, path = headers.get("referer", "").partition("://")[2].partition("/")
    return f"/{path}" if host == headers.get("host") and not path.startswith(("/", "\\")) else "/"


class SafeHeaders:
    """Puts the headers on every answer that keep what it shows from doing anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add to what comes back."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


def begin_session(request: Request, account: Account) -> None:
    """Log an account in; nothing of the session before stays."""
    request.session.clear()
    request.session.update(
        account=account.name, stamp=account.stamp, csrf=secrets.token_urlsafe(24), id=secrets.token_hex(16)
    )


def end_session(request: Request, accounts: Accounts) -> None:
    """Log out. A copy of the cookie that somebody else may have is of no use after this either."""
    session = str(request.session.get("id") or "")
    if session:
        accounts.end_session(session, SESSION_LASTS)
    request.session.clear()


def csrf_of(request: Request) -> str:
    """Return what forms of this session must hold."""
    if "csrf" not in request.session:
        request.session["csrf"] = secrets.token_urlsafe(24)
    return str(request.session["csrf"])


async def check_csrf(request: Request) -> None:
    """Refuse a request of a session that changes something and does not hold what only our pages know."""
    asker: Asker | None = request.state.asker
    if request.method in _SAFE or (asker is not None and asker.csrf is None):
        return
    given: Any = request.headers.get("x-csrf-token")
    media = request.headers.get("content-type", "")
    if given is None and media.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        given = (await request.form()).get("csrf")
    expected = request.session.get("csrf")
    if not expected or not isinstance(given, str) or not hmac.compare_digest(given, expected):
        hint = "load the page again, then repeat what you did"
        raise Refused(403, "csrf", "the form is of another session, or too old", hint)


BEARER = HTTPBearer(auto_error=False, description="An API token, made on the account page of the console.")
"""How programs log in, for OpenAPI; `Guard` checks it."""


def _needs(role: Role) -> Callable[..., Asker]:
    def check(request: Request) -> Asker:
        asker: Asker | None = request.state.asker
        if asker is None:
            raise Refused(401, "login", "this needs a login")
        if not asker.role.covers(role):
            raise Refused(403, "forbidden", f"this needs the role {role}; yours is {asker.role}")
        return asker

    return check


def running_of(request: Request) -> Running:
    """Return what the server has."""
    found: Running = request.app.state.running
    return found


def accounts_of(request: Request) -> Accounts:
    """Return the accounts."""
    found: Accounts = request.app.state.accounts
    return found


Viewer = Annotated[Asker, Depends(_needs(Role.VIEWER))]
Analyst = Annotated[Asker, Depends(_needs(Role.ANALYST))]
Admin = Annotated[Asker, Depends(_needs(Role.ADMIN))]
Here = Annotated[Running, Depends(running_of)]
Known = Annotated[Accounts, Depends(accounts_of)]
