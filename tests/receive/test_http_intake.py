"""What holds for every protocol over HTTP: clients that leave, or linger, and many at once."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading

import pytest
from http_client import send
from test_hec import GOOD as HEC
from test_otlp_http import GOOD as OTLP
from test_remote_write import GOOD as REMOTE_WRITE
from test_remote_write import snappy
from test_signalfx import GOOD as SIGNALFX

from kubestray.receive.http_intake import Workers

PROTOBUF = "application/x-protobuf"
GOOD = {
    "/v1/metrics": OTLP[PROTOBUF],
    "/api/v1/write": snappy(REMOTE_WRITE),
    "/v2/datapoint": SIGNALFX[PROTOBUF],
    "/services/collector": HEC,
}

every_path = pytest.mark.parametrize("path", GOOD)


def begun(receivers, path: str, body: bytes = b"x") -> socket.socket:
    """Begin a request of 100 bytes, and send no more of it than ``body``."""
    connection = socket.create_connection(("127.0.0.1", receivers.http_port), timeout=20)
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {PROTOBUF}\r\nContent-Length: 100\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def all_of(connection: socket.socket) -> bytes:
    """Return what a server sends until it closes the connection, which it does at once."""
    connection.settimeout(5)
    with connection, connection.makefile("rb") as answer:
        return answer.read()


def test_clients_that_hang_up(receivers_with, caplog):
    """Before they are read, and while they are turned away."""
    for authorise in (None, lambda token: token == "right"):
        receivers = receivers_with(authorise=authorise)
        with caplog.at_level(logging.WARNING):
            for path in [*GOOD, "/v2/event", "/services/collector/ack"]:
                begun(receivers, path).close()
            headers = {"Content_Type": PROTOBUF, "Authorization": "Bearer right"}
            for path, body in GOOD.items():
                assert send(receivers, path, body, **headers).status < 300
        assert caplog.records == []


@every_path
def test_clients_that_never_send_their_body(receivers_with, path):
    """They are answered and cut off: what they may still send is no request of its own."""
    receivers = receivers_with(patience=0.3)
    assert all_of(begun(receivers, path)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("path", "status"),
    [*((path, 401) for path in GOOD), ("/v2/event", 401), ("/services/collector/raw", 401)],
)
def test_clients_that_are_turned_away_and_never_send_their_body(receivers_with, path, status):
    receivers = receivers_with(patience=0.3, authorise=lambda token: token == "right")
    assert all_of(begun(receivers, path)).startswith(b"HTTP/1.1 %d " % status)


def test_all_protocols_together_are_bounded(receivers_with):
    """A request of any protocol takes the one place; the others are asked to come again, in their words."""
    receivers = receivers_with(concurrent=1)
    with receivers.store.busy(lambda: send(receivers, "/services/collector", HEC)):
        for path, body in GOOD.items():
            answer = send(receivers, path, body, Content_Type=PROTOBUF)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1"), path
    assert len(receivers.store.values) == 1


def test_bodies_that_are_not_whole_take_no_place(receivers_with):
    """More than may be under way have sent a part of their body: others are served."""
    receivers = receivers_with(concurrent=4, max_bytes=1000)
    slow = [begun(receivers, path) for path in GOOD for _ in range(4)]
    for path, body in GOOD.items():
        assert send(receivers, path, body, Content_Type=PROTOBUF).status < 300
    assert receivers.store.values == [1.0] * len(GOOD)
    for connection in slow:
        connection.close()


def test_bodies_that_are_not_whole_have_a_limit_together(receivers_with):
    receivers = receivers_with(concurrent=4, max_bytes=100)
    slow = [begun(receivers, "/v1/metrics", b"x" * 90)]
    answer = send(receivers, "/v1/metrics", b"x" * 90, Content_Type=PROTOBUF)
    while answer.status == 400:  # until the first one has come
        answer = send(receivers, "/v1/metrics", b"x" * 90, Content_Type=PROTOBUF)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    slow.pop().close()
    while answer.status == 503:
        answer = send(receivers, "/v1/metrics", b"", Content_Type=PROTOBUF)
    assert answer.status == 200


def test_all_protocols_together_are_stored(receivers):
    threads = [
        threading.Thread(target=send, args=(receivers, path, body), kwargs={"Content_Type": PROTOBUF})
        for path, body in GOOD.items()
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert receivers.store.values == [1.0] * 40
    assert receivers.intake.tally.seen.data_points == 40


@pytest.mark.parametrize(("large", "encoding"), [(5 << 20, ""), (5 << 17, "gzip")])
def test_large_bodies_that_are_decoded_keep_no_small_one_waiting(large, encoding):
    """However many there are, and however long they take; they wait for each other."""
    go_on, deciding, at_once = threading.Event(), threading.Lock(), [0, 0]

    def take(body: bytes, _encoding: str) -> tuple[int, None]:
        if len(body) < large:
            return len(body), None
        with deciding:
            at_once[0] += 1
            at_once[1] = max(at_once)
        assert go_on.wait(20)
        with deciding:
            at_once[0] -= 1
        return len(body), None

    async def together() -> list[int]:
        workers = Workers()
        slow = [asyncio.create_task(workers.taken(take, b"x" * large, encoding)) for _ in range(9)]
        quick = [(await asyncio.wait_for(workers.taken(take, b"x", encoding), 20))[0] for _ in range(9)]
        go_on.set()
        return quick + [(await one)[0] for one in slow]

    assert asyncio.run(together()) == [1] * 9 + [large] * 9
    assert at_once[1] <= max(2, os.cpu_count() or 1)
