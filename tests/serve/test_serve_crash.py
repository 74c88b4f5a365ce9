"""What was acknowledged outlives the server, however it ends; what is sent again counts once."""

from __future__ import annotations

import ctypes
import itertools
import random
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

import grpc
import pytest
from metrics import encoded, framed, gauge, point, recent, request
from product import COMMAND, EXPORT, PROTOBUF, TRACEBACK, environment, run, search, values, wait_until

import remote_write_messages as remote_write

POINTS = 20
"""Points in a request."""


@dataclass
class Client:
    """Sends numbered points until it is stopped, each request until it is acknowledged."""

    name: str
    over_grpc: bool
    next: int = 0
    acknowledged: list[int] = field(default_factory=list)
    waiting: bytes | None = None

    def __post_init__(self) -> None:
        self.at = recent()

    def send_until(self, stopping: threading.Event, server) -> None:
        for send in self._sender(server):
            if stopping.is_set() or not self._send_one(send):
                return

    def send_again(self, server) -> None:
        """Resend what was not acknowledged."""
        for send in self._sender(server):
            assert self.waiting is None or self._send_one(send)
            return

    def _send_one(self, send: Callable[[bytes], bool]) -> bool:
        numbers = range(self.next, self.next + POINTS)
        points = (point(number, self.at + number * 1000) for number in numbers)
        self.waiting = self.waiting or encoded(gauge("numbered", *points), client=self.name)
        if not send(self.waiting):
            return False
        self.acknowledged += numbers
        self.next, self.waiting = numbers.stop, None
        return True

    def _sender(self, server) -> Iterator[Callable[[bytes], bool]]:
        if not self.over_grpc:
            while True:
                yield lambda body: self._post(server, body)
        with grpc.insecure_channel(f"127.0.0.1:{server.ports['otlp_grpc']}") as channel:
            export = channel.unary_unary(EXPORT)
            while True:
                yield lambda body: self._export(export, body)

    def _post(self, server, body: bytes) -> bool:
        try:
            return server.post(body).status == 200
        except (OSError, HTTPException):
            return False

    def _export(self, export, body: bytes) -> bool:
        try:
            export(body, timeout=60)
        except grpc.RpcError:
            return False
        return True


def stored_numbers(store) -> dict[str, list[float]]:
    """Return what each client has in the store."""
    stored: dict[str, list[float]] = defaultdict(list)
    for row in search(store, '| mpreview index=* filter="metric_name=numbered"'):
        stored[row["client"]].append(row["_value"])
    return stored


def assert_kept(store, clients: list[Client]) -> None:
    """Assert that all that was acknowledged is there, and nothing twice."""
    stored = stored_numbers(store)
    for client in clients:
        assert set(client.acknowledged) <= set(stored[client.name]), client.name
        assert len(stored[client.name]) == len(set(stored[client.name])), client.name


def under_load(server, clients: list[Client], end: Callable[[], object], seconds: float) -> None:
    """Have all clients send; call ``end`` in the midst of it."""
    stopping = threading.Event()
    threads = [threading.Thread(target=c.send_until, args=(stopping, server)) for c in clients]
    before = sum(len(c.acknowledged) for c in clients)
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: sum(len(c.acknowledged) for c in clients) > before)
        threading.Event().wait(seconds)
        end()
    finally:
        stopping.set()
        for thread in threads:
            thread.join(60)


@pytest.fixture
def clients() -> list[Client]:
    return [Client(f"c{number}", over_grpc=number % 2 == 0) for number in range(6)]


def test_killed_under_load_again_and_again(serve, store, clients):
    moment = random.Random(20261122)
    server = serve()
    for _ in range(3):
        under_load(server, clients, server.kill, moment.uniform(0.0, 0.6))
        assert any(client.waiting for client in clients), "nobody was sending: this proves nothing"
        server = serve()
        assert_kept(store, clients)
        for client in clients:
            client.send_again(server)
        assert stored_numbers(store) == {client.name: client.acknowledged for client in clients}
    assert server.terminate() == 0
    total = sum(len(client.acknowledged) for client in clients)
    assert search(store, "| mstats count(numbered) AS n where index=*") == [{"n": total}]


def test_killed_between_the_journal_and_the_tables(serve, store):
    """What three protocols were told is stored is only in the journal then; all is sent again after."""
    server, at = serve(), recent()

    def send(number: int) -> None:
        ms = at // 10**6 + number
        server.export(encoded(gauge("by.grpc", point(number, ms * 10**6))))
        assert server.post(encoded(gauge("by.http", point(number, ms * 10**6)))).status == 200
        written = remote_write.request(
            remote_write.series(remote_write.labels_of("by.remote.write"), remote_write.sample(ms, number))
        )
        packed = remote_write.snappy(written)
        told = server.post(packed, PROTOBUF, "/api/v1/write", Content_Encoding="snappy")
        assert told.status == 204

    def in_journal() -> bool:
        """Stop the server where it is; let it go on if nothing waits."""
        server.process.send_signal(signal.SIGSTOP)
        if any(path.stat().st_size for path in store.glob("journal/*.rows")):
            return True
        server.process.send_signal(signal.SIGCONT)
        return False

    numbers = itertools.count()
    wait_until(lambda: send(next(numbers)) or in_journal())
    server.kill()
    sent = list(range(next(numbers)))
    metrics = ("by.grpc", "by.http", "by.remote.write")
    assert {metric: values(store, metric) for metric in metrics} == dict.fromkeys(metrics, sent)
    server = serve()
    for number in sent:
        send(number)
    assert {metric: values(store, metric) for metric in metrics} == dict.fromkeys(metrics, sent)


def test_told_to_stop_whichever_thread_is_interrupted(serve):
    """The kernel gives a signal to any thread; the one that has to hear of it sleeps."""
    server = serve()
    wait_until(lambda: "/login/link/" in server.log)
    threading.Event().wait(1.0)  # it has nothing more to say, and sleeps
    pid = server.process.pid
    others = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()} - {pid}
    served = [task for task in others if _may_be_told(pid, task)]
    assert served, "no other thread takes the signal: this proves nothing"
    assert ctypes.CDLL(None).tgkill(pid, served[0], signal.SIGTERM) == 0
    assert server.process.wait(60) == 0


def _may_be_told(pid: int, task: int) -> bool:
    status = Path(f"/proc/{pid}/task/{task}/status").read_text()
    blocked = next(line for line in status.splitlines() if line.startswith("SigBlk"))
    return not int(blocked.split()[1], 16) >> (signal.SIGTERM - 1) & 1


def test_told_to_stop_under_load(serve, store, clients):
    server = serve()
    codes: list[int] = []
    under_load(server, clients, lambda: codes.append(server.terminate()), 0.5)
    assert codes == [0], server.log
    assert TRACEBACK not in server.log
    assert_kept(store, clients)


def test_killed_while_ingesting(store, tmp_path):
    """`ingest` that dies half-way leaves a store that works, and can be run again."""
    at = recent()
    message = request(gauge("bulk", *(point(i, at + i * 1000) for i in range(1000))), part="?")
    bodies = []
    for part in range(600):
        message.resource_metrics[0].resource.attributes[0].value.string_value = str(part)
        bodies.append(message.SerializeToString())
    command = [COMMAND, "ingest", "--store", store, "-"]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE) as begun:
        try:
            begun.stdin.write(framed(*bodies))
            begun.stdin.flush()
            wait_until(lambda: any(store.glob("store/*/*/*/data.bin")))
        finally:
            begun.kill()
    again = run("ingest", "--store", store, "-", stdin=framed(*bodies)).json
    assert again == {"files": 1, "data_points": 600_000, "rejected": 0, "series": 600}
    assert search(store, "| mstats count(bulk) AS n where index=*") == [{"n": 600_000}]


def test_a_search_that_outlives_the_server(serve, store):
    """The server dies, its lock and socket stay: the next commands and the next server do not mind."""
    server = serve()
    server.export(encoded(gauge("left.behind", point(7))))
    server.kill()
    assert (store / "serve.sock").exists()
    count = "| mstats count(left.behind) AS n where index=*"
    assert search(store, count) == [{"n": 1}]
    again = serve()
    again.export(encoded(gauge("left.behind", point(8))))
    assert search(store, count) == [{"n": 2}]
    again.kill()
    straight = serve()
    assert search(store, count) == [{"n": 2}]
    assert straight.terminate() == 0
    assert not (store / "serve.sock").exists()
