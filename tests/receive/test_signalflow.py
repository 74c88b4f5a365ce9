"""Pulling from Splunk Observability Cloud, against a server that speaks its protocol; not a real account."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from memory_store import MemoryStore

from kubestray.model.errors import UsageError
from kubestray.model.metric import Kind
from kubestray.receive.commit import GroupCommit
from kubestray.receive.intake import Intake
from kubestray.receive.otlp import Bounds
from kubestray.receive.signalflow import SignalFlowReceiver, SignalFlowSettings, chosen_inputs, inputs
from kubestray.receive.signalflow_events import BrokenStream, events

Event = tuple[str, Any]
NOW = (int(time.time()) + 1800) * 1000 // 10_000 * 10_000  # half an hour on: these tests may run late


def metadata(identity: str, metric: str, **dimensions: str) -> Event:
    properties = {"sf_streamLabel": metric, "sf_originatingMetric": metric, "sf_resolutionMs": 10_000}
    properties |= {"computationId": "X", "sf_key": ["sf_originatingMetric", *dimensions], **dimensions}
    return "metadata", {"tsId": identity, "properties": properties}


def data(at: int, **values: object) -> Event:
    points = [{"tsId": identity, "value": value} for identity, value in values.items()]
    return "data", {"logicalTimestampMs": at, "maxDelayMs": 0, "data": points}


def control(event: str, **more: Any) -> Event:
    return "control-message", {"event": event, "timestampMs": NOW, **more}


START = (
    control("STREAM_START"),
    control("JOB_START", handle="h"),
    metadata("A", "k8s.container.ready", pod="p"),
)
END = control("END_OF_CHANNEL")


@dataclass
class Answer:
    """What the server does with one request: a status with headers, or a stream that then ends or breaks."""

    events: Sequence[Event] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    breaks: bool = False


@dataclass
class Cloud:
    """A server with answers, and the requests it got: start (ms), token, program."""

    answers: list[Answer]
    requests: list[tuple[int, str, str]] = field(default_factory=list)
    url: str = ""


def handler_of(cloud: Cloud, over: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            asked = parse_qs(url.query)
            program = self.rfile.read(int(self.headers["Content-Length"])).decode()
            assert (url.path, asked["resolution"]) == ("/v2/signalflow/execute", ["10000"])
            cloud.requests.append((int(asked["start"][0]), self.headers["X-SF-Token"], program))
            answer = cloud.answers.pop(0) if cloud.answers else Answer()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            written = "".join(f"event: {name}\ndata: {json.dumps(each)}\n\n" for name, each in answer.events)
            body = written.encode() + answer.raw
            # In small chunks, which cut events and lines anywhere.
            for at in range(0, len(body), 37):
                self._chunk(body[at : at + 37])
            if answer.breaks:
                self.wfile.write(b"zz\r\nno chunk")
            elif cloud.answers or answer.status != 200:
                self._chunk(b"")
            else:
                over.wait(20)  # a stream that goes on
            self.close_connection = True

        def _chunk(self, content: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


Pull = Callable[..., tuple[Cloud, MemoryStore]]


@pytest.fixture
def pull(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pull]:
    monkeypatch.setattr("kubestray.receive.signalflow._FIRST_PAUSE", 0.02)
    monkeypatch.setattr("kubestray.receive.signalflow._LONGEST_PAUSE", 0.05)
    closers: list[Callable[[], object]] = []
    over = threading.Event()

    def make(
        *answers: Answer, newest: int = 0, store: MemoryStore | None = None, tokens: Sequence[str] = ("t",)
    ) -> tuple[Cloud, MemoryStore]:
        cloud, store, left = Cloud(list(answers)), store or MemoryStore(), list(tokens)
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(cloud, over))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        settings = SignalFlowSettings(
            f"http://127.0.0.1:{server.server_port}",
            lambda: left.pop(0) if len(left) > 1 else left[0],
            chosen_inputs(["sim_container_metrics"]),
            backfill=600.0,
        )
        commit = GroupCommit(store.append, interval=0.0)
        receiver = SignalFlowReceiver(settings, Intake(commit.submit, Bounds.everything), lambda _: newest)
        receiver.start()
        closers.extend([receiver.stop, commit.close, server.shutdown, server.server_close])
        return cloud, store

    yield make
    over.set()
    for close in closers:
        close()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def test_a_stream_is_stored(pull: Pull) -> None:
    cloud, store = pull(
        Answer([*START, data(NOW, A=1.0), data(NOW + 10_000, A=0.0, unknown=5.0), data(NOW, A="x")])
    )
    until(lambda: len(store.values) == 2)
    (one,) = {series for batch in store.batches for series in batch.series.values()}
    assert (one.metric, one.kind, one.attributes) == ("k8s.container.ready", Kind.GAUGE, (("pod", "p"),))
    assert store.values == [1.0, 0.0]
    assert [int(batch.time[0]) // 10**6 for batch in store.batches] == [NOW, NOW + 10_000]
    ((start, token, program),) = cloud.requests
    assert abs(time.time() * 1000 - 600_000 - start) < 60_000  # back-fill, as far as the settings say
    assert (token, program) == (
        "t",
        "data('k8s.container.ready', rollup='average').publish(label='k8s.container.ready')",
    )


@pytest.mark.parametrize(
    "broken",
    [
        Answer([*START, data(NOW, A=1.0)], breaks=True),
        Answer([*START, data(NOW, A=1.0)]),
        Answer([*START, data(NOW, A=1.0), control("CHANNEL_ABORT", abortInfo={"sf_job_abortState": "x"})]),
        Answer([*START, data(NOW, A=1.0), END]),
        Answer([*START, data(NOW, A=1.0)], raw=b"event: data\ndata: {no json\n\n"),
        Answer([*START, data(NOW, A=1.0), ("data", {"data": []})]),
    ],
    ids=["broken chunk", "ended early", "aborted", "end of channel", "broken event", "data without time"],
)
def test_it_goes_on_where_it_broke(pull: Pull, broken: Answer) -> None:
    again = Answer([*START, data(NOW, A=1.0), data(NOW + 10_000, A=2.0)])
    cloud, store = pull(broken, again)
    until(lambda: 2.0 in store.values)
    assert [start for start, _, _ in cloud.requests][1:] == [NOW]
    # What was read twice is the same point, for the store to take once.
    batches = [(int(b.series_id[0]), int(b.time[0]), float(b.value[0])) for b in store.batches]
    assert len(batches) == 3
    assert len(set(batches)) == 2


def test_a_restart_goes_on_where_the_store_ends(pull: Pull) -> None:
    cloud, _ = pull(Answer([*START]), newest=(NOW - 60_000) * 10**6)
    until(lambda: bool(cloud.requests))
    assert cloud.requests[0][0] == NOW - 60_000


def test_a_token_that_expired_is_read_again(pull: Pull, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        expired = Answer(status=401, raw=b'{"message": "Unauthorized"}')
        cloud, store = pull(expired, Answer([*START, data(NOW, A=1.0)]), tokens=("old", "new"))
        until(lambda: store.values == [1.0])
    assert [token for _, token, _ in cloud.requests] == ["old", "new"]
    assert any("has it expired" in record.getMessage() for record in caplog.records)


def test_rate_limits_are_kept(pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = Answer(status=429, headers={"Retry-After": "1"})
    waits: list[float] = []
    wait = threading.Event.wait
    monkeypatch.setattr(threading.Event, "wait", lambda self, s=None: waits.append(s or 0) or wait(self, s))
    cloud, store = pull(limited, Answer([*START, data(NOW, A=1.0)]))
    until(lambda: store.values == [1.0])
    assert len(cloud.requests) == 2
    assert 1.0 in waits  # as it was told


def test_what_cannot_be_stored_is_tried_again(pull: Pull) -> None:
    store = MemoryStore()
    store.failure = UsageError("the disk is full")
    _, store = pull(Answer([*START, data(NOW, A=1.0)]), store=store)
    until(lambda: store.entered.acquire(blocking=False))
    store.failure = None
    until(lambda: store.values == [1.0])


def test_the_inputs_cover_the_story() -> None:
    metrics = {metric: rollup for one in inputs().values() for metric, rollup in one.rollups.items()}
    assert metrics["process.cpu.time"] == metrics["k8s.pod.network.io"] == "delta"
    assert (metrics["tcp.bytes"], metrics["k8s.container.ready"]) == ("sum", "average")
    named = (
        "process.cpu.utilization process.memory.utilization process.disk.operations process.threads udp.bytes"
    )
    assert set(named.split()) <= set(metrics)
    with pytest.raises(UsageError, match="sim_npm_metrics"):
        chosen_inputs(["sim_npm"])


def test_events_of_many_lines_comments_and_ends() -> None:
    lines = b': hello\nevent: data\r\ndata: {"a":\r\ndata: 1}\r\n\r\n\ndata:{}\n\ndata: {"cut'.splitlines(
        keepends=True
    )
    assert list(events(lines)) == [("data", {"a": 1}), ("message", {})]
    with pytest.raises(BrokenStream, match="not an object"):
        list(events([b"data: 1\n", b"\n"]))
