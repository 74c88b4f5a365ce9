"""Logging in by OpenID Connect, against a provider that runs here."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from console import PASSWORD, Browser, People, running_on
from kubestray.api.accounts import Role
from kubestray.receive.http_server import HttpReceiver


class Provider:
    """An OpenID Connect provider that lets in whoever ``claims`` says: code flow with PKCE, ES256."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
        self.signing = self.key
        self.claims: dict[str, Any] = {}
        self.asked: dict[str, dict[str, str]] = {}
        self.issuer = ""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.description),
                Route("/keys", self.keys),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
            ]
        )

    async def description(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["ES256"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
            }
        )

    async def keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["client_id"] == "console"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        return RedirectResponse(
            f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
        )

    async def token(self, request: Request) -> Response:
        form = dict(await request.form())
        basic = base64.b64encode(b"console:hidden").decode()
        assert request.headers["authorization"] == f"Basic {basic}"
        asked = self.asked.pop(str(form["code"]))
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "console", "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        told = jwt.encode({"alg": "ES256", "kid": "one"}, {**claims, **self.claims}, self.signing)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": told})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    server = HttpReceiver("127.0.0.1:0", provider.app())
    provider.issuer = f"http://127.0.0.1:{server.start()}"
    yield provider
    server.stop()


@pytest.fixture(scope="module")
def people(fleet, tmp_path_factory, provider) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("oidc")
    (folder / "secret").write_text("hidden\n")
    with fleet.store("embedded") as store:
        settings = {
            "oidc_issuer": provider.issuer,
            "oidc_client_id": "console",
            "oidc_client_secret_file": str(folder / "secret"),
            "oidc_roles": "admin=security,analyst=sre,viewer=staff",
            "console_url": "http://testserver",
        }
        yield People(running_on(store, folder, **settings))


def visit(people: People, provider: Provider, **claims: Any) -> tuple[Browser, Any]:
    """Go to the provider and come back; return the browser and the console's answer."""
    provider.claims = claims
    browser = Browser(people.client())
    there = browser.get("/login/oidc")
    assert there.status_code in (302, 303), there.text
    return browser, browser.get(_back(there.headers["location"]))


def _back(address: str) -> str:
    """Return where the provider sends a browser."""
    import httpx

    answer = httpx.get(address)
    assert answer.status_code == 307
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


@contextmanager
def signing_with(provider: Provider, key: ECKey) -> Iterator[None]:
    provider.signing = key
    try:
        yield
    finally:
        provider.signing = provider.key


def test_the_login_page_offers_it(people, provider):
    assert f"Log in with {urlsplit(provider.issuer).netloc}" in people.client().get("/login").text


def test_somebody_logs_in_with_the_role_of_their_groups(people, provider):
    browser, answer = visit(people, provider, sub="1", preferred_username="ada", groups=["staff", "security"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/api/v1/me").json() == {"name": "ada", "role": "admin"}
    browser, _ = visit(people, provider, sub="1", preferred_username="ada", groups=["staff"])
    assert browser.get("/api/v1/me").json() == {"name": "ada", "role": "viewer"}
    assert people.running.documents.noted(actor="ada")[0].action == "login.oidc"


@pytest.mark.parametrize("groups", [[], ["others"], None])
def test_who_is_in_no_group_stays_outside(people, provider, groups):
    browser, answer = visit(people, provider, sub="2", preferred_username="bob", groups=groups)
    assert answer.status_code == 403
    assert browser.get("/findings").status_code == 303
    assert people.accounts.find("bob") is None


def test_nobody_takes_the_account_of_another(people, provider):
    people.account("root", Role.ADMIN)
    visit(people, provider, sub="3", preferred_username="carol", groups=["sre"])
    for name in ("root", "carol"):
        browser, answer = visit(people, provider, sub="4", preferred_username=name, groups=["security"])
        assert answer.status_code == 403
        assert browser.get("/api/v1/me").status_code == 401
    local = Browser(people.client())
    assert local.post("/login", name="root", password=PASSWORD).status_code == 303


def test_a_disabled_account_stays_outside(people, provider):
    people.account("root", Role.ADMIN)
    visit(people, provider, sub="5", preferred_username="dan", groups=["sre"])
    people.accounts.change("dan", disabled=True)
    _, answer = visit(people, provider, sub="5", preferred_username="dan", groups=["sre"])
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "wrong", [{"aud": "another"}, {"exp": 1}, {"nonce": "another"}, {"iss": "http://evil.example"}]
)
def test_a_token_that_is_not_for_this_login_is_refused(people, provider, wrong):
    browser, answer = visit(people, provider, sub="6", preferred_username="eve", groups=["sre"], **wrong)
    assert answer.status_code == 403
    assert browser.get("/api/v1/me").status_code == 401


def test_a_token_that_another_key_has_signed_is_refused(people, provider):
    with signing_with(provider, ECKey.generate_key("P-256", {"kid": "one"})):
        _, answer = visit(people, provider, sub="7", preferred_username="eve", groups=["sre"])
    assert answer.status_code == 403


def test_an_answer_that_nobody_asked_for_is_refused(people, provider):
    there = people.client().get("/login/oidc").headers["location"]
    state = parse_qs(urlsplit(there).query)["state"][0]
    for query in (f"code=x&state={state}", "code=x&state=y", "error=access_denied"):
        assert people.client().get(f"/login/oidc/back?{query}").status_code == 403
