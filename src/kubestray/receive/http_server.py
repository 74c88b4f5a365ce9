"""An HTTP server in a thread of its own, for receivers beside a blocking main program."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import socket
import threading
import time
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kubestray.model.errors import KubestrayError
from kubestray.receive.tls import Tls

_HEADER_SECONDS = 10.0
_HEADER_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 75
_CONNECTIONS = 6000
"""Each collector keeps a connection, and the largest cluster that Kubernetes supports has 5,000 nodes. One
too many is told to come again, and the same one each time: the others keep theirs."""
_OF_FILES = 4
"""A listener may have one of so many files that the process may open: there are others, and the store."""
_STOP_SECONDS = 5
_START_SECONDS = 10.0

_OFFER = re.compile(rb"\r\n(?:connection:[^\r\n]*\bupgrade\b|upgrade:)", re.IGNORECASE)
"""What tells in headers that another protocol is offered: both are there, in any order."""
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 that hangs up on clients whose headers do not end, in time or in size.

    uvicorn itself waits for headers without limit (its one timeout is for idle connections between
    requests), so that a few slow clients could hold all connections; and this parser, which takes a third of
    the time of the other one that uvicorn has, holds headers, trailers and extensions of chunks of any size.
    """

    _deadline: asyncio.TimerHandle | None = None
    _headers = 0
    """Bytes of headers and trailers of the request."""
    _unread = 0
    """Bytes that came since the parser last told of headers or body."""
    _offered = b""
    """Headers with an offer of another protocol that have not all come yet."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(self._without_upgrade(data))
        if self._unread > _HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("Invalid HTTP request received: too much before its end.")
        self._expect_headers()

    def _without_upgrade(self, data: bytes) -> bytes:
        """Return what came without an offer to go on in another protocol, which a server may pass over.

        Java's own client offers HTTP/2 so with its first request. The parser would leave out the body.
        """
        if not self._waits():
            return data
        data, self._offered = self._offered + data, b""
        end = data.find(b"\r\n\r\n", 0, _HEADER_BYTES)
        if not _OFFER.search(data, 0, _HEADER_BYTES if end < 0 else end):
            return data
        if end < 0:
            if len(data) > _HEADER_BYTES:
                return data  # it is refused
            self._offered = data
            return b""
        return _UPGRADE.sub(b"", data[:end]) + data[end:]

    def on_message_begin(self) -> None:
        self._headers = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += len(name) + len(value) + 4
        if self._headers > _HEADER_BYTES:
            raise ValueError("headers are too large")  # the parser's caller answers 400
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        super().on_message_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the way back open for the answer to a client that has said all it has to say."""
        super().eof_received()
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        if not self._waits():
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_HEADER_SECONDS, self.transport.close)

    def _waits(self) -> bool:
        """Tell whether the next thing to come is a request."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def connections() -> int:
    """Return how many connections a listener may have at once, and let the process open files for them."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OF_FILES * _CONNECTIONS
    if files != resource.RLIM_INFINITY and files < wanted:
        files = wanted if most == resource.RLIM_INFINITY else min(most, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return _CONNECTIONS if files == resource.RLIM_INFINITY else min(_CONNECTIONS, files // _OF_FILES)


class HttpReceiver:
    """Serves an ASGI application on ``address`` (``HOST:PORT``; port 0 lets the system choose).

    With ``tls`` it speaks nothing else. More connections at once than `connections` says are answered 503 by
    uvicorn. It cannot time out a client that reads its answer slowly.
    """

    def __init__(self, address: str, app: ASGIApp, tls: Tls | None = None) -> None:
        self._address = address
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=connections(),
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_STOP_SECONDS,
            **(tls.for_http() if tls else {}),
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Accept requests; return the port. Raises KubestrayError if the address cannot be had."""
        listener = self._listen()
        arguments: dict[str, Any] = {"sockets": [listener]}
        # Outside of the main thread uvicorn leaves the process's signal handlers alone.
        self._thread = threading.Thread(
            target=self._server.run, kwargs=arguments, name="http-receiver", daemon=True
        )
        self._thread.start()
        self._wait_until_started()
        return int(listener.getsockname()[1])

    def stop(self) -> None:
        """Stop accepting; requests under way get a few seconds to end."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._thread = None

    def _listen(self) -> socket.socket:
        host, _, port = self._address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, int(port)), family=family, backlog=512)
        except (OSError, ValueError) as error:
            told = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise KubestrayError(
                f"cannot listen on {self._address} for HTTP: {told}; "
                "stop what listens there, or choose another address (--otlp-http, --http …)"
            ) from error

    def _wait_until_started(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or self._thread is None or not self._thread.is_alive():
                raise KubestrayError(f"the HTTP server on {self._address} did not start; see the log")
            time.sleep(0.01)
