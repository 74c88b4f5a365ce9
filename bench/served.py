"""A program that serves HTTP on the loopback while it is measured, and the budget that bounds each wait."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

STARTING = 120.0  # seconds after which a program that is not ready will not be
ENDING = 60.0  # seconds a program may take to end before it is killed
T = TypeVar("T")


class Stopped(Exception):
    """Why measuring ended early."""


class Deadline:
    """The seconds a measurement may take in all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left; none or fewer when time is over."""
        return self._end - time.monotonic()

    def left(self, doing: str) -> float:
        """Return the seconds that are left, and stop if there are none."""
        if (left := self.remaining()) <= 0:
            raise Stopped(f"{self._seconds:g} s were over while {doing}")
        return left


@dataclass(frozen=True, slots=True)
class Server:
    """A program that answers on a port of the loopback."""

    port: int
    deadline: Deadline
    pid: int = 0

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Ask for a path."""
        return self._ask("GET", path, None, headers or {})

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Send a body to a path."""
        return self._ask("POST", path, body, headers or {})

    def query(self, expression: str, at: int) -> bytes:
        """Return the answer to an instant query of the Prometheus API, at a time in ms, as it came."""
        form = urlencode({"query": expression, "time": f"{at / 1000:.3f}"}).encode()
        return self.post("/api/v1/query", form, {"Content-Type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        """Ask over a connection of its own: one that is kept may have been closed between two requests."""
        left = self.deadline.left(f"asking {path}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=left)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            answer = response.read()
        except TimeoutError:
            raise Stopped(f"no answer from {path} within the {left:.0f} s that were left") from None
        finally:
            connection.close()
        if response.status >= 300:
            raise Stopped(f"{path} answered {response.status}: {answer[:300].decode(errors='replace')}")
        return answer


@contextmanager
def running(
    command: Callable[[int], list[str]],
    ready: str,
    log: Path,
    deadline: Deadline,
    *,
    any_answer: bool = False,
) -> Iterator[Server]:
    """Start a program on a free port, wait until it is ready, and end it whatever happens.

    ``any_answer`` to the path ``ready`` says that it is, a refusal too.
    """
    port = free_port()
    with log.open("ab") as output:
        process = subprocess.Popen(command(port), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            server = Server(port, deadline, process.pid)
            _wait_until_ready(process, server, ready, log, any_answer=any_answer)
            yield server
        finally:
            _end(process)


def free_port() -> int:
    """Return a port of the loopback on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _wait_until_ready(
    process: subprocess.Popen[bytes], server: Server, path: str, log: Path, *, any_answer: bool
) -> None:
    waiting = Deadline(STARTING)
    while True:
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise Stopped(f"it ended with code {process.returncode}: {said[-1] if said else 'no word'}")
        server.deadline.left("starting it")
        waiting.left("starting it")
        try:
            server.get(path)
        except (OSError, Stopped) as error:
            if any_answer and isinstance(error, Stopped):
                return
            time.sleep(0.05)
        else:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(ENDING)


def best(work: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the fastest of some runs."""
    return min(seconds_of(work) for _ in range(times))


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best_of(work: Callable[[], T], deadline: Deadline, times: int = 3) -> tuple[float, int, T]:
    """Return the seconds of the fastest run, how many runs there was time for, and what the last gave."""
    taken: list[float] = []
    while True:
        start = time.perf_counter()
        result = work()
        taken.append(time.perf_counter() - start)
        if len(taken) == times or deadline.remaining() < 1.5 * min(taken):
            return min(taken), len(taken), result
