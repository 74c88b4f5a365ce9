"""Logging in by OpenID Connect: the provider says who it is, and groups say what they may do."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kubestray.api.accounts import Role
from kubestray.api.asking import Here, Known, begin_session
from kubestray.api.refusal import Refused
from kubestray.config import Config
from kubestray.model.errors import UsageError
from kubestray.pipeline.running import Running

if TYPE_CHECKING:
    from authlib.integrations.starlette_client import StarletteOAuth2App

logger = logging.getLogger(__name__)

router = APIRouter()

_WELL_KNOWN = "/.well-known/openid-configuration"
_SECONDS = 10.0


def configured(config: Config) -> bool:
    """Return whether people can log in by OpenID Connect."""
    return bool(config["oidc_issuer"])


def _provider(running: Running) -> StarletteOAuth2App:
    """Return the client of the provider; its description is fetched when it is first needed."""
    from authlib.integrations.starlette_client import OAuth

    known = running.kept.get("oidc")
    if known is None:
        config = running.config
        if not configured(config):
            raise Refused(404, "not_found", "logging in by OpenID Connect is not set up", "set oidc_issuer")
        oauth = OAuth()
        oauth.register(
            "provider",
            client_id=config["oidc_client_id"],
            client_secret=_secret(config),
            server_metadata_url=config["oidc_issuer"].rstrip("/") + _WELL_KNOWN,
            client_kwargs={
                "scope": "openid profile email",
                "code_challenge_method": "S256",
                "timeout": _SECONDS,
            },
        )
        known = running.kept["oidc"] = oauth.create_client("provider")
    found: StarletteOAuth2App = known
    return found


def _secret(config: Config) -> str | None:
    path = config["oidc_client_secret_file"]
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"oidc_client_secret_file {path}: cannot be read: {error}") from error


@router.get("/login/oidc")
async def begin(request: Request, here: Here) -> Response:
    """Send somebody to the provider."""
    import httpx
    from authlib.integrations.base_client import OAuthError

    back = here.config["console_url"].rstrip("/") or str(request.base_url).rstrip("/")
    try:
        answer: Response = await _provider(here).authorize_redirect(request, f"{back}/login/oidc/back")
    except (httpx.HTTPError, OAuthError, ValueError) as error:
        raise _failed(here, error) from error
    return answer


@router.get("/login/oidc/back")
async def back(request: Request, here: Here, known: Known) -> Response:
    """Take somebody back who comes from the provider."""
    import httpx
    from authlib.integrations.base_client import OAuthError
    from joserfc.errors import JoseError

    issuer = here.config["oidc_issuer"]
    try:
        token = await _provider(here).authorize_access_token(request)
    except (httpx.HTTPError, OAuthError, JoseError, ValueError) as error:
        raise _failed(here, error) from error
    claims = token.get("userinfo") or {}
    subject = str(claims.get("sub") or "")
    if not subject:
        raise Refused(403, "oidc", "the provider did not say who this is")
    role = role_of(here.config, claims.get(here.config["oidc_claim"]))
    if role is None:
        message = "none of your groups may use this console"
        raise Refused(
            403, "oidc", message, f"the setting oidc_roles names those of {here.config['oidc_claim']}"
        )
    name = str(claims.get("preferred_username") or claims.get("email") or subject)
    account = await run_in_threadpool(known.enter, name, role, issuer, subject)
    begin_session(request, account)
    detail = {"role": role, "issuer": issuer}
    await run_in_threadpool(here.documents.note, account.name, "login.oidc", "", detail)
    return RedirectResponse("/", 303)


def _failed(running: Running, error: Exception) -> Refused:
    logger.warning("a login by OpenID Connect failed: %s: %s", type(error).__name__, error)
    hint = f"try again; the server has to reach {running.config['oidc_issuer']}, and its log says more"
    return Refused(403, "oidc", "the login at the provider did not work", hint)


def role_of(config: Config, groups: object) -> Role | None:
    """Return the highest role that groups give; None if they give none. ``*`` is everybody."""
    own = {str(one) for one in groups} if isinstance(groups, list) else {str(groups)} if groups else set()
    given = [Role(role) for role, wanted in config["oidc_roles"] if wanted == "*" or wanted in own]
    return max(given, key=list(Role).index, default=None)
