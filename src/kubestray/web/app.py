"""The console as an ASGI application: the API, the pages, static files."""

from __future__ import annotations

import logging

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kubestray.api.app import make_app
from kubestray.api.asking import page_of_form
from kubestray.api.errors import as_json, told_of
from kubestray.pipeline.running import Running
from kubestray.web.chart_script import chart_script
from kubestray.web.pages import PAGES
from kubestray.web.render import STATIC, page

logger = logging.getLogger(__name__)

_YEAR = "public, max-age=31536000, immutable"


def console(running: Running) -> FastAPI:
    """Return the console of a running server."""
    app = make_app(running, _answer)
    for module in PAGES:
        app.include_router(module.router, include_in_schema=False)
    app.add_api_route("/static/charts.js", chart_script, include_in_schema=False)
    app.add_api_route("/favicon.ico", _icon, include_in_schema=False)
    app.mount("/static", GZipMiddleware(_Kept(StaticFiles(directory=STATIC))))
    return app


def _icon() -> Response:
    return RedirectResponse("/static/icon.svg", 301)


def _answer(request: Request, error: Exception) -> Response:
    """Answer programs with JSON and people with a page that says what to do next."""
    if request.url.path.startswith("/api/") or request.url.path == "/metrics":
        return as_json(request, error)
    status, told = told_of(error)
    back = page_of_form(request.headers) if request.method == "POST" else "/"
    return page(request, "error.html", status=status, told=told, code=status, back=back)


class _Kept:
    """Static files that browsers may keep: their address changes with what is in them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with a header on what is found."""

        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["Cache-Control"] = _YEAR
            await send(message)

        await self._app(scope, receive, kept)
