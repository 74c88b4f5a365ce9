"""What a browser on this machine must not be made to do by a page of another site.

Listeners on loopback are reached by such a browser, whatever site its page is of: with a simple request, for
which no browser asks whether it may, or by a name that leads to 127.0.0.1 as soon as the page is there (DNS
rebinding), after which the page is of the same origin as the listener.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class NoWebPages:
    """Answers 403 to requests of pages that are not of this machine: for receivers that ask for no token.

    A browser says where a page is from with every POST (``Origin``); programs do not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is None or _of_this_machine(origin):
            await self._app(scope, receive, send)
            return
        told = (
            f"points from a web page of {origin[:200]!r}, and no token is set here: see receiver_token_file"
        )
        await JSONResponse({"message": told}, 403, {"Connection": "close"})(scope, receive, send)


class KnownNames:
    """Answers 421 to requests by a name that nobody gave a listener on loopback: for the console.

    It has its address, ``localhost``, and the host of ``url`` (the setting console_url), which a proxy on the
    same machine may pass on. Addresses are fine: no site can make one its own.
    """

    def __init__(self, app: ASGIApp, url: str) -> None:
        self._app, self._name = app, urlsplit(url).hostname

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        host = Headers(scope=scope).get("host") if scope["type"] == "http" else None
        if host is None or self._known(host):
            await self._app(scope, receive, send)
            return
        told = (
            f"the console has no name {host[:200]!r}; open it by its address, or set console_url to this name"
        )
        await PlainTextResponse(told + "\n", 421)(scope, receive, send)

    def _known(self, host: str) -> bool:
        name = _host(f"//{host}")
        return name in ("localhost", self._name) or _address(name) is not None


def _of_this_machine(origin: str) -> bool:
    name = _host(origin)
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
