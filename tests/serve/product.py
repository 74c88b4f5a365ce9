"""The product as its users have it: the `kubestray` command in processes of its own, on loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import grpc

from starter import start

COMMAND = str(Path(sys.executable).parent / "kubestray")
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROTOBUF, JSON = "application/x-protobuf", "application/json"

PATIENCE = 60
"""Seconds until a test gives up on something that should happen soon."""

TRACEBACK = "Traceback (most recent call last)"


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without settings of ours, then ``KUBESTRAY_NAME=value`` for each."""
    ours = ("KUBESTRAY_", "PYTHONUNBUFFERED")  # the latter hides what happens to output at exit
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return plain | {f"KUBESTRAY_{name.upper()}": value for name, value in settings.items()}


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    def failed(self, code: int, *told: str) -> None:
        """Assert that it failed with this code, and said these things in words of ours."""
        assert self.code == code, (self.code, self.out, self.err)
        assert TRACEBACK not in self.err
        assert self.err.strip()
        for part in told:
            assert part in self.err


def run(
    *arguments: object,
    stdin: bytes = b"",
    cwd: Path | None = None,
    seconds: float = PATIENCE,
    **settings: str,
) -> Finished:
    """Run the command to its end; further keywords are settings in its environment."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with _pipe(stdin) as given:
            files = (given, out.fileno(), err.fileno())
            started = start([str(part) for part in arguments], environment(**settings), files, cwd)
        try:
            code = started.wait(seconds)
        finally:
            started.close()
        out.seek(0)
        err.seek(0)
        return Finished(code, out.read().decode(), err.read().decode(errors="replace"))


@contextmanager
def _pipe(content: bytes) -> Iterator[int]:
    """Give the end of a pipe that a thread fills."""
    there, here = os.pipe()
    threading.Thread(target=_fill, args=(here, content), daemon=True).start()
    try:
        yield there
    finally:
        os.close(there)


def _fill(pipe: int, content: bytes) -> None:
    with suppress(BrokenPipeError), open(pipe, "wb") as file:
        file.write(content)


def search(store: Path | str, text: str, *more: object) -> list[dict[str, Any]]:
    """Return the rows of a search that must work."""
    return run("search", "--store", store, "--format", "json", *more, text).json


def values(store: Path | str, metric: str) -> list[float]:
    """Return all stored values of a metric, in order of time."""
    rows = search(store, f'| mpreview index=* filter="metric_name={metric}"')
    return [row["_value"] for row in rows]


@dataclass
class Serve:
    """A running ``kubestray serve``. It must be ended with `stop` or `kill`; the fixture ``serve`` does."""

    store: Path
    flags: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> Serve:
        """Start it and wait until it has said where it listens."""
        listen = [f"--{name}=127.0.0.1:0" for name in ("otlp-grpc", "otlp-http", "http")]
        self._log = tempfile.NamedTemporaryFile(prefix="kubestray-serve-")  # noqa: SIM115 (`close` closes it)
        arguments = ["serve", "--store", str(self.store), *listen, *self.flags]
        log = self._log.fileno()
        with Path(os.devnull).open("rb") as nothing:
            self.process = start(arguments, environment(**self.settings), (nothing.fileno(), log, log))
        wait_until(lambda: self.process.poll() is not None or "kubestray serves" in self.log)
        assert self.process.poll() is None, self.log
        self.ports = {name: int(port) for name, port in re.findall(r"(\w+) on \S+:(\d+)", self.log)}
        return self

    @property
    def log(self) -> str:
        """All that it has written to stdout and stderr."""
        return Path(self._log.name).read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def terminate(self, seconds: float = PATIENCE) -> int:
        """Ask it to stop, as an init system does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it without a word, as a power cut or the kernel does."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.close()
        self._log.close()

    def memory(self) -> dict[str, float]:
        """Its resident memory in MiB: ``VmRSS`` now, ``VmHWM`` at its highest."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return {name: int(kib) / 1024 for name, kib in re.findall(r"(Vm\w+):\s+(\d+) kB", status)}

    def post(
        self, body: bytes, media_type: str = PROTOBUF, path: str = "/v1/metrics", **headers: str
    ) -> Answer:
        """Send one request over OTLP/HTTP; headers are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.ports["otlp_http"], timeout=PATIENCE)
        try:
            connection.request("POST", path, body, {"Content-Type": media_type, **named})
            return Answer.of(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> int:
        """Return the status of a page of the console's address."""
        connection = HTTPConnection("127.0.0.1", self.ports["http"], timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def export(self, body: bytes, *, metadata: tuple[tuple[str, str], ...] = (), **channel: Any) -> bytes:
        """Send one raw request over gRPC; return the raw answer, or raise `grpc.RpcError`."""
        options = [("grpc.max_send_message_length", -1)]
        address = f"127.0.0.1:{self.ports['otlp_grpc']}"
        with grpc.insecure_channel(address, options=options, **channel) as open_channel:
            return open_channel.unary_unary(EXPORT)(body, timeout=PATIENCE, metadata=metadata)

    def refusal(self, body: bytes, **how: Any) -> grpc.RpcError:
        """Send one raw request over gRPC that must be refused; return the error."""
        try:
            self.export(body, **how)
        except grpc.RpcError as error:
            return error
        raise AssertionError("the request was accepted")


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    media_type: str
    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, response: HTTPResponse) -> Answer:
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return cls(response.status, headers.get("content-type", ""), body, headers)


def wait_until(holds, seconds: float = PATIENCE) -> None:
    """Return when ``holds()`` is true; fail the test if that takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def shared(name: str) -> Path | None:
    """Return a folder that lies beside the checkout, if it does."""
    folder = Path(__file__).resolve().parents[3] / "shared" / name
    return folder if folder.is_dir() else None
