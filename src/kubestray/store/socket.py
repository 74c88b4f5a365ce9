"""The embedded store shared between processes: who has it open serves it on a socket beside it.

One process holds the data directory. `StoreSocket` answers on a socket in that directory, which only
the same user can reach; `SocketEngine` is the other end, an engine like any other. So a search beside
a running server is the same search, only its statements travel.

Requests are HTTP: ``POST /query`` (SQL in, Arrow stream out), ``POST /stream`` (SQL in, `frames` out as the
rows come), ``POST /insert/TABLE`` (Arrow stream in), ``GET /hello`` (who is there),
``GET /backlog`` (what waits to be summarised as who holds it counts, or ``null``). An error is JSON:
``{"error": KIND, "message": TEXT}``. A query ends when its asker goes away.
"""

from __future__ import annotations

import asyncio
import dataclasses
import http.client
import json
import os
import socket
import threading
from collections.abc import Callable, Collection, Generator, Hashable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kubestray.model.errors import LimitExceeded, StoreError
from kubestray.store.embedded import EmbeddedEngine
from kubestray.store.engine import UNLIMITED, Limits, Statement, is_scratch, new_tag, render
from kubestray.store.frames import (
    ERROR,
    Frames,
    cancelled_again_and_again,
    error_as_json,
    gone,
    read_frames,
)
from kubestray.store.stream import Stream

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

SOCKET_NAME = "serve.sock"
_LIMITS_HEADER = "kubestray-limits"
_LAST_WORDS = 5  # seconds that askers have to take their answers when the server stops


class StoreSocket:
    """Serves an embedded engine on the socket in its directory, in a thread of its own."""

    def __init__(self, engine: EmbeddedEngine, directory: Path) -> None:
        self._engine, self._path = engine, directory / SOCKET_NAME
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._directory = -1
        self.backlog: Callable[[], dict[str, Any] | None] = lambda: None
        """Says what waits to be summarised, by the settings and the content of who holds the store."""

    def start(self) -> None:
        """Listen; a socket left behind by a process that died is replaced (the engine's lock is ours)."""
        import uvicorn

        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._directory = os.open(self._path.parent, os.O_RDONLY)
        previous = os.umask(0o177)
        try:
            listener.bind(_short(self._directory))
            listener.listen()  # who asks before the thread runs waits, and is not refused
        finally:
            os.umask(previous)
        config = uvicorn.Config(
            self._app(),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_LAST_WORDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="store-socket", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            while self._thread.is_alive():
                self._engine.cancel_all()  # whoever asked hears that the search was cancelled
                self._thread.join(timeout=0.2)
            self._path.unlink(missing_ok=True)
            os.close(self._directory)

    def _app(self) -> Any:
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(
            routes=[
                Route("/hello", self._hello),
                Route("/backlog", self._backlog),
                Route("/query", self._query, methods=["POST"]),
                Route("/stream", self._stream, methods=["POST"]),
                Route("/insert/{table}", self._insert, methods=["POST"]),
                Route("/scratch", self._scratch, methods=["POST"]),
            ]
        )

    async def _hello(self, _request: Request) -> Response:
        from starlette.responses import JSONResponse

        return JSONResponse({"pid": os.getpid()})

    async def _backlog(self, _request: Request) -> Response:
        return await _answer(lambda: json.dumps(self.backlog()).encode())

    async def _query(self, request: Request) -> Response:
        sql, limits = await _statement(request)
        tag = new_tag()
        watch = asyncio.ensure_future(self._cancel_if_gone(request, tag))
        try:
            return await _answer(lambda: self._engine.query_text(sql, limits, tag))
        finally:
            watch.cancel()

    async def _stream(self, request: Request) -> Any:
        sql, limits = await _statement(request)
        tag = new_tag()
        parts = self._engine.chunks(sql, limits, tag)
        return Frames(parts, lambda: self._engine.cancel(tag), limits.seconds)

    async def _cancel_if_gone(self, request: Request, tag: str) -> None:
        """Stop a query whose asker has gone away (Ctrl-C over there)."""
        await gone(request.receive)
        await cancelled_again_and_again(lambda: self._engine.cancel(tag))

    async def _insert(self, request: Request) -> Response:
        body = await request.body()
        table = request.path_params["table"]

        def insert() -> bytes:
            try:
                rows = pa.ipc.open_stream(body).read_all()
            except pa.ArrowInvalid as error:
                raise StoreError(f"rows to insert are not an Arrow stream: {error}") from error
            self._engine.insert(table, rows)
            return b""

        return await _answer(insert)

    async def _scratch(self, request: Request) -> Response:
        statement = (await request.body()).decode()

        def execute() -> bytes:
            if not is_scratch(statement):
                raise StoreError(f"only tables to try things on can be made from here, not: {statement[:80]}")
            self._engine.execute(statement)
            return b""

        return await _answer(execute)


async def _statement(request: Request) -> tuple[str, Limits]:
    sql = (await request.body()).decode()
    return sql, Limits(**json.loads(request.headers.get(_LIMITS_HEADER, "{}")))


async def _answer(work: Any) -> Response:
    """Run work in a thread; give its bytes, or its error in our one shape."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    try:
        return Response(await run_in_threadpool(work), media_type="application/octet-stream")
    except (StoreError, LimitExceeded) as error:
        return Response(error_as_json(error), status_code=400, media_type="application/json")


class SocketEngine:
    """An embedded store that another process holds and serves."""

    def __init__(self, directory: Path) -> None:
        self._path = directory
        self._directory = os.open(directory, os.O_RDONLY)
        try:
            status, raw = self._exchange("GET", "/hello", b"", {})
            if status != http.client.OK:
                raise ConnectionRefusedError(f"the socket answers with status {status}")
            self.pid = int(json.loads(raw)["pid"])
        except (OSError, http.client.HTTPException):
            os.close(self._directory)
            raise

    @property
    def url(self) -> str:
        """The directory as a store URL."""
        return f"chdb://{self._path}"

    def query(self, tree: Statement, limits: Limits = UNLIMITED) -> pa.Table:
        """Run a SELECT over there and return its Arrow table."""
        raw = self._ask("POST", "/query", render(tree).encode(), _header(limits))
        return pa.ipc.open_stream(pa.BufferReader(raw)).read_all()

    def stream(self, tree: Statement, limits: Limits = UNLIMITED) -> Stream:
        """Run a SELECT over there and return its record batches as they come."""
        connection = _UnixConnection(self._directory)
        return Stream(self._batches(connection, render(tree).encode(), limits), connection.hang_up)

    def _batches(
        self, connection: _UnixConnection, sql: bytes, limits: Limits
    ) -> Generator[pa.RecordBatch, None, None]:
        try:
            connection.request("POST", "/stream", sql, _header(limits))
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise _error(response.read())
            for kind, data in read_frames(response.read):
                if kind == ERROR:
                    raise _error(data)
                yield from pa.ipc.open_stream(pa.BufferReader(data))
        except (OSError, EOFError, http.client.HTTPException) as error:
            raise StoreError(
                f"process {self.pid}, which serves {self.url}, broke off its answer: it has gone away, or "
                "this command did not read on for as long as a search may take; run the command again"
            ) from error
        finally:
            connection.close()

    def execute(self, statement: str) -> None:
        """Make or drop a table to try things on; the store's own tables were made by who holds it."""
        if is_scratch(statement):
            self._ask("POST", "/scratch", statement.encode())

    def backlog(self) -> dict[str, Any] | None:
        """Return what waits to be summarised, as who holds the store counts; None if nobody counts there."""
        told: dict[str, Any] | None = json.loads(self._ask("GET", "/backlog", b""))
        return told

    def insert(self, table: str, rows: pa.Table, *, in_order: bool = False) -> None:  # noqa: ARG002
        """Append rows over there; that they are in order is not passed on, and found out again."""
        self._ask("POST", f"/insert/{table}", _to_bytes(rows))

    def close(self) -> None:
        """Let go of the directory."""
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def changes(self, tables: Collection[str]) -> Hashable | None:  # noqa: ARG002 (of no table)
        """Return nothing: others write to the same tables."""
        return None

    def cancel_all(self) -> None:
        """Do nothing: a query over there ends when we go away."""

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
        try:
            status, raw = self._exchange(method, path, body, headers or {})
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(
                f"process {self.pid}, which served {self.url}, has gone away; run the command again"
            ) from error
        if status == http.client.OK:
            return raw
        raise _error(raw)

    def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = _UnixConnection(self._directory)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _header(limits: Limits) -> dict[str, str]:
    return {_LIMITS_HEADER: json.dumps(dataclasses.asdict(limits))}


def _error(raw: bytes) -> StoreError | LimitExceeded:
    try:
        told = json.loads(raw)
    except ValueError:
        return StoreError(f"the serving process failed: {raw[:200].decode(errors='replace')}")
    return (LimitExceeded if told["error"] == "LimitExceeded" else StoreError)(told["message"])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, directory: int) -> None:
        super().__init__("localhost")
        self._where = _short(directory)
        self._line: socket.socket | None = None

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._where)

    def hang_up(self) -> None:
        """End what is under way; from another thread."""
        if self._line is not None:
            with suppress(OSError):  # the other end was faster
                self._line.shutdown(socket.SHUT_RDWR)


def _short(directory: int) -> str:
    """Return a path to the socket that fits the 107 bytes a socket address has, however deep it lies."""
    return f"/proc/self/fd/{directory}/{SOCKET_NAME}"


def _to_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
