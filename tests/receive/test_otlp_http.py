"""The HTTP receiver, spoken to by the official exporter, by http.client and by raw sockets."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import threading
import time
import zlib
from contextlib import closing, suppress
from http.client import HTTPConnection
from typing import NamedTuple

import pytest
import zstandard
from google.protobuf.json_format import MessageToJson, Parse
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from otlp_messages import NOW, gauge, request_of
from otlp_oracle import Expected, golden_requests, rows, sorted_rows
from otlp_sdk import exported
from peak_memory import gzip_of_zeros, peak_growth
from starlette.applications import Starlette

from kubestray.model.errors import KubestrayError, StoreError
from kubestray.receive import http_server
from kubestray.receive.http_server import HttpReceiver
from kubestray.receive.otlp import Bounds

PROTOBUF, JSON = "application/x-protobuf", "application/json"
REQUEST = request_of(gauge("a", 1.0, start=NOW, x="y"), host="h")
GOOD = {PROTOBUF: REQUEST.SerializeToString(), JSON: MessageToJson(REQUEST).encode()}

both = pytest.mark.parametrize("media_type", [PROTOBUF, JSON])


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def message(self, kind):
        if self.headers["content-type"] == PROTOBUF:
            return kind.FromString(self.body)
        assert self.headers["content-type"] == JSON
        return Parse(self.body, kind())

    @property
    def error(self) -> Status:
        status = self.message(Status)
        assert status.message
        return status


def post(
    receivers, body, media_type=PROTOBUF, *, method="POST", path="/v1/metrics", timeout=20, **headers
) -> Answer:
    connection = HTTPConnection("127.0.0.1", receivers.http_port, timeout=timeout)
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    try:
        connection.request(method, path, body, {"Content-Type": media_type, **headers})
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def assert_still_serving(receivers) -> None:
    before = len(receivers.store.values)
    assert post(receivers, GOOD[PROTOBUF]).status == 200
    assert receivers.store.values[before:] == [1.0]


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_the_official_exporter(receivers, compression):
    endpoint = f"http://127.0.0.1:{receivers.http_port}/v1/metrics"
    exported(OTLPMetricExporter(endpoint, compression=compression, timeout=20), receivers)


@both
def test_recorded_requests(receivers, media_type):
    expected = []
    for path in golden_requests():
        body = path.read_bytes()
        expected += Expected(body, Bounds.everything()).rows
        if media_type == JSON:
            body = MessageToJson(ExportMetricsServiceRequest.FromString(body)).encode()
        assert post(receivers, body, media_type).status == 200
    found = [row for batch in receivers.store.batches for row in rows(batch)]
    assert sorted_rows(found) == sorted_rows(expected)


ENCODINGS = {
    "": lambda body: body,
    "identity": lambda body: body,
    "none": lambda body: body,
    "gzip": gzip.compress,
    "GZIP": lambda body: gzip.compress(body[:5]) + gzip.compress(body[5:]),
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}


@both
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_compressions(receivers, media_type, encoding):
    answer = post(receivers, ENCODINGS[encoding](GOOD[media_type]), media_type, Content_Encoding=encoding)
    assert (answer.status, answer.headers["content-type"]) == (200, media_type)
    assert answer.body == (b"" if media_type == PROTOBUF else b"{}")
    assert receivers.store.values == [1.0]


def test_parameters_of_the_content_type_are_ignored(receivers):
    assert post(receivers, GOOD[JSON], "Application/JSON; charset=utf-8").status == 200


def test_the_json_answer_to_rejected_points(receivers_with):
    receivers = receivers_with(bounds=lambda: Bounds(NOW, NOW))
    request = request_of(
        gauge("a", 1.0, float("nan"), 2.0), gauge("new", 3.0, time=2**63), gauge("old", 4, time=0)
    )
    answer = post(receivers, MessageToJson(request), JSON)
    assert json.loads(answer.body) == {
        "partialSuccess": {
            "rejectedDataPoints": "3",
            "errorMessage": "3 data points rejected: "
            "not_finite 1, older_than_retention 1, too_far_in_future 1",
        }
    }
    assert receivers.store.values == [1.0, 2.0]


def test_the_protobuf_answer_to_rejected_points(receivers):
    request = request_of(gauge("a", 1.0), gauge("b", 2.0, big="x" * 10_000_000), gauge("c", float("inf")))
    answer = post(receivers, request.SerializeToString())
    success = answer.message(ExportMetricsServiceResponse).partial_success
    assert (success.rejected_data_points, answer.status) == (2, 200)
    assert success.error_message == "2 data points rejected: attribute_too_long 1, not_finite 1"
    assert receivers.store.values == [1.0]


@both
@pytest.mark.parametrize("time", [0, 1_000_000, 2**63, 2**64 - 1])
def test_any_time_is_taken_within_bounds(receivers, media_type, time):
    request = request_of(gauge("a", 1.0, time=time))
    body = request.SerializeToString() if media_type == PROTOBUF else MessageToJson(request)
    assert post(receivers, body, media_type).status == 200
    assert receivers.store.batches[0].time.tolist() == [time]


@pytest.mark.parametrize(
    ("media_type", "body"), [(PROTOBUF, b""), (JSON, b"{}"), (JSON, b'{"resourceMetrics":[]}')]
)
def test_an_empty_request_is_welcome(receivers, media_type, body):
    assert post(receivers, body, media_type).status == 200
    assert receivers.store.batches == []


MALFORMED = {
    "text": (b"not protobuf", PROTOBUF, ""),
    "cut protobuf": (GOOD[PROTOBUF][:-1], PROTOBUF, ""),
    "json as protobuf": (GOOD[JSON], PROTOBUF, ""),
    "protobuf as json": (GOOD[PROTOBUF], JSON, ""),
    "empty json": (b"", JSON, ""),
    "json array": (b"[]", JSON, ""),
    "lone surrogate": (GOOD[JSON].replace(b'"y"', b'"\\ud800"'), JSON, ""),
    "cut gzip": (gzip.compress(GOOD[PROTOBUF])[:-9], PROTOBUF, "gzip"),
    "cut gzip trailer": (gzip.compress(GOOD[PROTOBUF])[:-1], PROTOBUF, "gzip"),
    "not gzip": (GOOD[PROTOBUF], PROTOBUF, "gzip"),
    "cut zstd": (zstandard.compress(GOOD[PROTOBUF] * 50)[:-3], PROTOBUF, "zstd"),
    "not zstd": (GOOD[PROTOBUF], PROTOBUF, "zstd"),
    "cut deflate": (zlib.compress(GOOD[PROTOBUF])[:-2], PROTOBUF, "deflate"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(receivers, case):
    body, media_type, encoding = MALFORMED[case]
    answer = post(receivers, body, media_type, Content_Encoding=encoding)
    assert (answer.status, answer.error.code) == (400, Code.INVALID_ARGUMENT)
    assert answer.headers["content-type"] == media_type
    assert receivers.intake.tally.seen.malformed == 1
    assert_still_serving(receivers)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/protobuf"])
def test_other_content_types(receivers, media_type):
    answer = post(receivers, GOOD[PROTOBUF], media_type)
    assert (answer.status, answer.headers["content-type"]) == (415, JSON)
    assert answer.error.code == Code.INVALID_ARGUMENT


def test_other_compressions(receivers):
    answer = post(receivers, GOOD[PROTOBUF], Content_Encoding="br")
    assert answer.status == 415
    assert "br" in answer.error.message


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/metrics", 405),
        ("PUT", "/v1/metrics", 405),
        ("POST", "/v1/traces", 404),
        ("POST", "/v1/logs", 404),
    ],
)
def test_other_methods_and_paths(receivers, method, path, status):
    assert post(receivers, b"", method=method, path=path).status == status


@both
@pytest.mark.parametrize("declared", [True, False])
def test_too_large(receivers_with, media_type, declared):
    receivers = receivers_with(max_bytes=100_000)
    body = bytes(150_000)
    # An iterable is sent in chunks, without a Content-Length.
    answer = post(receivers, body if declared else iter([body[:75_000], body[75_000:]]), media_type)
    assert (answer.status, answer.error.code) == (413, Code.RESOURCE_EXHAUSTED)
    assert_still_serving(receivers)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_stays_small(receivers, encoding):
    """512 MiB of zeros."""
    bomb = gzip_of_zeros(1 << 29) if encoding == "gzip" else zstd_of_zeros(1 << 29)
    with peak_growth() as peak:
        answer = post(receivers, bomb, Content_Encoding=encoding)
    assert (answer.status, answer.error.code) == (413, Code.RESOURCE_EXHAUSTED)
    assert peak.mebibytes < 300
    assert_still_serving(receivers)


def zstd_of_zeros(size: int) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    block = bytes(1 << 20)
    return b"".join([*(compressor.compress(block) for _ in range(size >> 20)), compressor.flush()])


@both
def test_a_full_queue_says_when_to_come_again(receivers_with, media_type):
    receivers = receivers_with(commit={"max_points": 1})
    with receivers.store.busy(lambda: post(receivers, GOOD[JSON], JSON)):
        answer = post(receivers, GOOD[media_type], media_type)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.error.code == Code.UNAVAILABLE
    assert receivers.store.values == [1.0]
    assert receivers.intake.tally.seen.refused == 1
    assert_still_serving(receivers)


def test_too_many_at_once_are_asked_to_come_again(receivers_with):
    receivers = receivers_with(concurrent=1)
    with receivers.store.busy(lambda: post(receivers, GOOD[JSON], JSON)):
        answer = post(receivers, GOOD[PROTOBUF])
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.error.message == "too many requests at once"
    assert_still_serving(receivers)


@both
def test_a_store_that_fails(receivers, media_type):
    receivers.store.failure = StoreError("disk full")
    answer = post(receivers, GOOD[media_type], media_type)
    assert (answer.status, answer.error.code) == (503, Code.UNAVAILABLE)
    assert "retry-after" not in answer.headers
    assert "disk" not in answer.error.message
    receivers.store.failure = None
    assert_still_serving(receivers)


def test_a_store_that_hangs(receivers_with):
    receivers = receivers_with(patience=0.3)
    receivers.store.open.clear()
    assert post(receivers, GOOD[PROTOBUF]).status == 503


def raw(receivers, *parts: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", receivers.http_port), timeout=20)
    for part in parts:
        connection.sendall(part)
    return connection


HEAD = (
    b"POST /v1/metrics HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
)


def test_a_client_that_never_sends_its_body(receivers_with):
    receivers = receivers_with(patience=0.3)
    with raw(receivers, HEAD, b"{") as slow:
        assert_still_serving(receivers)
        assert slow.makefile("rb").readline() == b"HTTP/1.1 408 Request Timeout\r\n"
    assert_still_serving(receivers)


def test_a_client_that_never_ends_its_headers(receivers_with, monkeypatch):
    monkeypatch.setattr(http_server, "_HEADER_SECONDS", 0.3)
    receivers = receivers_with()
    with raw(receivers, b"POST /v1/metrics HTTP/1.1\r\nX: ") as slow, raw(receivers) as silent:
        assert_still_serving(receivers)
        assert slow.recv(10) == b""
        assert silent.recv(10) == b""
    assert_still_serving(receivers)


CHUNKED = HEAD.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((b"POST /v1/metrics HTTP/1.1\r\nX: ",), id="one header"),
        pytest.param((b"POST /v1/metrics HTTP/1.1\r\n" + b"A: b\r\n" * 20_000,), id="many headers"),
        pytest.param((b"POST /",), id="the path"),
        pytest.param((CHUNKED, b"1;"), id="an extension of a chunk"),
        pytest.param((CHUNKED, b"1\r\n{\r\n0\r\nX: "), id="a trailer"),
        pytest.param((CHUNKED, b"1\r\n{\r\n0\r\n" + b"A: b\r\n" * 20_000), id="many trailers"),
    ],
)
def test_a_client_that_sends_no_end_of_headers(receivers, parts):
    with raw(receivers, *parts) as huge:
        huge.settimeout(5)  # less than the patience with slow ones
        with suppress(ConnectionError):  # it hangs up while more is sent
            for _ in range(100):
                huge.sendall(b"x" * 10_000)
        with suppress(ConnectionError):
            assert huge.makefile("rb").read(12) in (b"HTTP/1.1 400", b"")
    assert_still_serving(receivers)


def test_a_slow_second_request_on_a_connection(receivers_with, monkeypatch):
    monkeypatch.setattr(http_server, "_HEADER_SECONDS", 0.3)
    receivers = receivers_with()
    body = GOOD[JSON]
    head = HEAD.replace(b"100", str(len(body)).encode())
    with raw(receivers, head, body) as connection:
        answer = connection.makefile("rb")
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        connection.sendall(head[:20])
        assert b"{}" in answer.read()


ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "raised", "wanted"),
    [
        ((1024, 1024), 1024, 256),
        ((1024, 20_000), 20_000, 5000),
        ((1024, 1_048_576), 24_000, 6000),
        ((1024, ENDLESS), 24_000, 6000),
        ((50_000, 50_000), None, 6000),
        ((ENDLESS, ENDLESS), None, 6000),
    ],
)
def test_as_many_connections_as_a_large_cluster_has_collectors(monkeypatch, limits, raised, wanted):
    """Where the process may not open so many files, some are left for the store."""
    told = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _which, now: told.append(now))
    assert http_server.connections() == wanted
    assert told == ([] if raised is None else [(raised, limits[1])])


def test_one_connection_too_many(receivers_with, monkeypatch):
    """It is told to come again; who is there is served, and so is who comes when one of them has gone."""
    monkeypatch.setattr(http_server, "_CONNECTIONS", 3)
    receivers = receivers_with()

    def status(connection: HTTPConnection) -> int:
        connection.request("POST", "/v1/metrics", GOOD[JSON], {"Content-Type": JSON})
        with connection.getresponse() as answer:
            answer.read()
            return answer.status

    first, second, third = (HTTPConnection("127.0.0.1", receivers.http_port, timeout=20) for _ in range(3))
    with closing(first), closing(second), closing(third):
        assert [status(each) for each in (first, second, third, second, first)] == [200, 200, 503, 200, 200]
        first.close()
        assert_still_serving(receivers)


def test_a_client_that_hangs_up(receivers):
    raw(receivers, HEAD, b"{").close()
    assert_still_serving(receivers)


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic right", "Bearer"])
def test_a_token_is_required(receivers_with, authorization):
    receivers = receivers_with(authorise=lambda token: token == "right")
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = post(receivers, b"x" * 20_000_000, **headers)
    assert (answer.status, answer.error.code) == (401, Code.UNAUTHENTICATED)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert post(receivers, GOOD[PROTOBUF], Authorization="bearer right").status == 200


def test_an_offer_of_another_protocol_is_passed_over(receivers):
    """Java's own client offers HTTP/2 with its first request, whose body would be left out."""
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAEAAEAA"}
    assert post(receivers, GOOD[JSON], JSON, **offer).status == 200
    assert receivers.store.values == [1.0]


@pytest.mark.parametrize(
    "first", ["Connection: Upg", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c\r\nHTTP2"]
)
def test_an_offer_of_another_protocol_may_come_in_pieces(receivers, first):
    body = GOOD[JSON]
    sent = (
        b"POST /v1/metrics HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    ) + body
    cut = sent.index(first.encode()) + len(first)
    with socket.create_connection(("127.0.0.1", receivers.http_port), timeout=30) as connection:
        for piece in (sent[:cut], sent[cut : cut + 30], sent[cut + 30 :]):
            connection.sendall(piece)
            time.sleep(0.05)
        assert connection.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
    assert receivers.store.values == [1.0]


def test_the_server_does_not_name_itself(receivers):
    assert "server" not in post(receivers, GOOD[PROTOBUF]).headers


def test_an_address_in_use_is_an_error(receivers):
    second = HttpReceiver(f"127.0.0.1:{receivers.http_port}", Starlette())
    with pytest.raises(KubestrayError, match="for HTTP: Address already in use; stop what listens there, or"):
        second.start()
    second.stop()


def test_it_starts_on_ipv6_too():
    receiver = HttpReceiver("[::1]:0", Starlette())
    try:
        assert receiver.start() > 0
    except KubestrayError as error:
        pytest.skip(f"no IPv6 here: {error}")
    finally:
        receiver.stop()


def test_many_requests_on_one_connection_and_on_many(receivers):
    def send(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", receivers.http_port, timeout=30)
        for i in range(10):
            body = request_of(gauge("a", number * 10.0 + i)).SerializeToString()
            connection.request("POST", "/v1/metrics", body, {"Content-Type": PROTOBUF})
            assert connection.getresponse().read() == b""
        connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(receivers.store.values) == [float(i) for i in range(80)]
