"""No web page sends points to a receiver that asks for no token.

Such a receiver is on loopback, and a browser on the same machine reaches it, whatever site the page is of:
with a simple request, for which no browser asks whether it may, or by a name that leads to 127.0.0.1 as soon
as the page is there. A browser says where a page is from with every POST (``Origin``); programs do not.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class NoWebPages:
    """Answers 403 to requests of pages that are not of this machine."""

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


def _of_this_machine(origin: str) -> bool:
    try:
        host = urlsplit(origin).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
