"""The API as an ASGI application; the console adds its pages to the same one."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response

from kubestray import api
from kubestray.api import (
    access,
    attack,
    backtest,
    baselines,
    detections,
    entities,
    finding_exports,
    findings,
    heat_map,
    network_map,
    own_metrics,
    risk,
    search,
    sources,
    stories,
    suppressions,
)
from kubestray.api.accounts import Accounts
from kubestray.api.asking import BEARER, SESSION_LASTS, Guard, SafeHeaders, check_csrf
from kubestray.api.errors import ANSWERS, as_json
from kubestray.api.refusal import Refused
from kubestray.api.session_secret import session_secret
from kubestray.model.errors import KubestrayError
from kubestray.pipeline.running import Running

_LARGEST_BODY = 1 << 20

ROUTES = (
    findings,
    finding_exports,
    suppressions,
    search,
    stories,
    detections,
    baselines,
    backtest,
    risk,
    entities,
    heat_map,
    network_map,
    attack,
    sources,
    access,
)
"""The parts of the API, in the order of its description."""

Answer = Callable[[Request, Exception], Response]


def make_app(running: Running, answer: Answer = as_json) -> FastAPI:
    """Return the application with the API in it. ``answer`` makes answers of errors.

    ``/healthz`` and ``/readyz`` are the server's, and not here.
    """
    app = FastAPI(
        title="kubestray",
        version="1",
        description=api.__doc__ or "",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        dependencies=[Depends(check_csrf)],
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,  # it would lead to whatever name the request had
    )
    app.state.running = running
    app.state.accounts = accounts = Accounts(running.documents, running.clock)
    for module in ROUTES:
        app.include_router(module.router, prefix="/api/v1", responses=ANSWERS, dependencies=[Depends(BEARER)])
    app.include_router(own_metrics.router, include_in_schema=False)
    for kind in (KubestrayError, Refused, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)
    address = running.config["console_url"]
    https = address.startswith("https://") if address else bool(running.config["tls_certificate"])
    app.add_middleware(Guard, accounts=accounts)
    app.add_middleware(
        SessionMiddleware,
        secret_key=session_secret(running.config),
        session_cookie="kubestray_session",
        max_age=SESSION_LASTS,
        same_site="lax",
        https_only=https,
    )
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=_LARGEST_BODY)
    app.add_middleware(SafeHeaders)
    return app
