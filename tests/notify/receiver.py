"""A receiver on loopback that answers as it is told to."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """An ``answer``; or the connection is ``cut``, bytes ``drip`` without end, or all ``stall``."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    how: str = "answer"


class Receiver:
    """Answers with ``replies`` first, then with ``otherwise``; keeps what it was asked, and took (2xx)."""

    def __init__(self, port: int = 0) -> None:
        self.replies: list[Reply] = []
        self.otherwise = Reply()
        self.answers: dict[str, bytes] = {}
        """Bodies of answers by path, for a status of 200."""
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self._released = threading.Event()
        self._server = _server(self, port)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = Request(
            handler.path,
            {name.lower(): value for name, value in handler.headers.items()},
            handler.rfile.read(int(handler.headers.get("content-length", 0))),
        )
        self.requests.append(request)
        reply = self.replies.pop(0) if self.replies else self.otherwise
        if reply.how == "cut":
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif reply.how == "stall":
            self._released.wait(30)
        elif reply.how == "drip":
            while not self._released.wait(0.02):
                handler.wfile.write(b"H")
        else:
            if reply.status < 300:
                self.taken.append(request)
            body = reply.body or self.answers.get(handler.path, b"")
            handler.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(body))}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)


def _server(receiver: Receiver, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(OSError):  # the sender went away
                receiver.answer(self)
            self.close_connection = True

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None: ...

    return Server(("127.0.0.1", port), Handler)


def wait_until(holds: Any, seconds: float = 30) -> None:
    """Return when ``holds()`` is true; fail the test if that takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
