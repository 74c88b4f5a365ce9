"""Just enough of ClickHouse's HTTP interface, in front of chDB, for clickhouse-connect to talk to.

Reads: the statement in the body or in ``?query=``, settings as parameters, FORMAT at its end, the answer
compressed as the client accepts it; ArrowStream as it comes, in chunks. Writes: the statement in ``?query=``,
the rows in the body, compressed.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import os
import queue
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame
import pyarrow as pa
import zstandard

_NOT_SETTINGS = set(
    "query query_id database client_protocol_version enable_http_compression wait_end_of_query "
    "send_progress_in_http_headers http_headers_progress_interval_ms".split()
)
_FORMAT = re.compile(r"\s+FORMAT\s+(\w+)\s*$", re.IGNORECASE)
_INSERT = re.compile(r"\s*INSERT\s+INTO\s+(.+?)\s+FORMAT\s+(\w+)\s*", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"Code: (\d+)")
_OWN_SETTINGS = re.compile(r"\bSETTINGS\s+(?=(?:\w+ = (?:'[^']*'|[\w.]+)(?:, )?)+$)")
_TAG = "dasmdxowlutnaejz"

_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "": lambda raw: raw,
    "lz4": lz4.frame.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda raw: zstandard.ZstdDecompressor().decompressobj().decompress(raw),
}
_PACK: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": lambda raw: zstandard.ZstdCompressor().compress(raw),
    "gzip": gzip.compress,
}


class HttpFront:
    """A server on a free port of the loopback; each request has a chDB connection to itself."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._open: list[Any] = []
        self.statements: list[str] = []
        self.breaks = "tagged"
        """How an error in the middle of an answer is told: one of `_LAST_WORDS`."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.front = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"clickhouse://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
        while self._open:
            self._open.pop().close()

    def answer(self, parameters: dict[str, str], body: bytes) -> tuple[bytes, str]:
        """Return what a statement gives, and the format it is in."""
        settings = {name: value for name, value in parameters.items() if name not in _NOT_SETTINGS}
        with self._connection(parameters.get("database", "default")) as connection:
            # The statement stands in the parameters or in the body.
            insert = _INSERT.fullmatch(parameters.get("query", ""))
            if insert:
                return self._insert(connection, insert[1], insert[2], body, settings)
            sql, wanted = self._statement(parameters, body, settings)
            return connection.query(sql, wanted).bytes() or b"", wanted

    def stream(self, parameters: dict[str, str], body: bytes) -> Iterator[bytes]:
        """Give what a statement gives as it comes, as one Arrow stream."""
        settings = {name: value for name, value in parameters.items() if name not in _NOT_SETTINGS}
        with self._connection(parameters.get("database", "default")) as connection:
            sql, wanted = self._statement(parameters, body, settings)
            assert wanted == "ArrowStream"
            if "max_query_size" in settings:  # it holds for reading the statement, before what stands in it
                connection.query(f"SET max_query_size = {int(settings['max_query_size'])}")
            sink, writer = _Sink(), None
            with connection.send_query(sql, wanted) as chunks:
                for chunk in chunks:
                    rows = pa.ipc.open_stream(chunk.bytes()).read_all()
                    writer = writer or pa.ipc.new_stream(sink, rows.schema)
                    writer.write_table(rows)
                    yield sink.taken()
            if writer is None:
                yield connection.query(sql, wanted).bytes()
            else:
                writer.close()
                yield sink.taken()

    def _statement(
        self, parameters: dict[str, str], body: bytes, settings: dict[str, str]
    ) -> tuple[str, str]:
        sql = parameters.get("query", "") + body.decode()
        self.statements.append(sql)
        form = _FORMAT.search(sql)
        return _with_settings(_FORMAT.sub("", sql), settings), form[1] if form else "TabSeparated"

    def _insert(
        self, connection: Any, target: str, form: str, body: bytes, settings: dict[str, str]
    ) -> tuple[bytes, str]:
        self.statements.append(f"INSERT INTO {target} FORMAT {form}")
        descriptor = os.memfd_create("rows")
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(body)
            known = _with_settings(
                "", {k: v for k, v in settings.items() if not k.startswith("input_format")}
            )
            rows = f"SELECT * FROM file('/proc/self/fd/{descriptor}', '{form}')"
            connection.query(f"INSERT INTO {target}{known} {rows}", "Null")
        finally:
            os.close(descriptor)
        return b"", "Null"

    @contextlib.contextmanager
    def _connection(self, database: str) -> Iterator[Any]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = chdb.connect(self._dsn)
            self._open.append(connection)
        ended = False
        try:
            connection.query(f"USE {database}", "Null")
            yield connection
            ended = True
        finally:
            # After a failure a connection still holds what its statement had written.
            (self._idle.put if ended else self._drop)(connection)

    def _drop(self, connection: Any) -> None:
        self._open.remove(connection)
        connection.close()


class _Sink(io.RawIOBase):
    """Bytes on their way from a writer to a client."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held.append(bytes(data))
        return len(self._held[-1])

    def taken(self) -> bytes:
        held, self._held = self._held, []
        return b"".join(held)


def _with_settings(sql: str, settings: dict[str, str]) -> str:
    """Put settings that came as parameters into the statement; what it says itself stands."""
    said = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
    if not said:
        return sql
    own = _OWN_SETTINGS.search(sql)
    return f"{sql[: own.end()]}{said}, {sql[own.end() :]}" if own else f"{sql} SETTINGS {said}"


# What a server that has said 200 says of an error. "tagged" is how it is since 25.11, "plain" how it was;
# "silent" is a server that dies, "short" a proxy that passes its end on as if it were the answer's.
_LAST_WORDS: dict[str, Callable[[str], str]] = {
    "tagged": lambda error: (
        f"\r\n__exception__\r\n{_TAG}\r\n{error}\n{len(error)} {_TAG}\r\n__exception__\r\n"
    ),
    "plain": lambda error: error,
    "silent": lambda _: "",
    "short": lambda _: "",
}
_CUT = ("tagged", "silent")


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    front: HttpFront

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, peer = super().get_request()
        self.connections.append(connection)
        return connection, peer

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = _UNPACK[self.headers.get("Content-Encoding", "")](self._body())
        form = _FORMAT.search((parameters.get("query", "") + body.decode(errors="replace"))[-40:])
        try:
            if form and form[1] == "ArrowStream" and not _INSERT.fullmatch(parameters.get("query", "")):
                with contextlib.closing(self.server.front.stream(parameters, body)) as parts:
                    self._send_parts(next(parts), parts)
            else:
                self._send_whole(parameters, body)
        except RuntimeError as error:
            found = _CODE.search(str(error))
            code = {"X-ClickHouse-Exception-Code": found[1] if found else "1000"}
            self._send(500, str(error).encode(), code)

    def _send_whole(self, parameters: dict[str, str], body: bytes) -> None:
        raw, form = self.server.front.answer(parameters, body)
        headers = {"X-ClickHouse-Format": form}
        accepted = [part.strip() for part in self.headers.get("Accept-Encoding", "").split(",")]
        packing = next((name for name in _PACK if name in accepted), None)
        if packing and parameters.get("enable_http_compression") == "1":
            raw, headers["Content-Encoding"] = _PACK[packing](raw), packing
        self._send(200, raw, headers)

    def _send_parts(self, first: bytes, parts: Iterator[bytes]) -> None:
        breaks = self.server.front.breaks
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        if breaks == "tagged":
            self.send_header("X-ClickHouse-Exception-Tag", _TAG)
        self.end_headers()
        cut = False
        try:
            for part in itertools.chain([first], parts):
                self._send_chunk(part)
        except RuntimeError as error:
            self._send_chunk(_LAST_WORDS[breaks](str(error)).encode())
            cut = breaks in _CUT
        except ConnectionError:
            cut = True  # the client has gone
        self.close_connection = self.close_connection or cut
        if not cut:
            self.wfile.write(b"0\r\n\r\n")

    def _send_chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
