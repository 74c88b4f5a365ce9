"""Whatever is sent: an answer of the protocol, the good points kept, and the server stays up."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import zlib

import grpc
import pytest
from metrics import (
    SECOND,
    encoded,
    gauge,
    length_delimited,
    line,
    point,
    recent,
    rejected,
    rejected_in_json,
    request,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as m
from product import JSON, PROTOBUF, TRACEBACK, search, values, wait_until

from helpers import more

INVALID, TOO_LARGE = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED
MIB = 1 << 20
GOOD = encoded(gauge("good", point(1)))


@pytest.fixture(autouse=True)
def _stays_up(server):
    """After every test the server takes a good request, and nothing in it has broken."""
    yield
    assert server.alive
    assert server.post(GOOD).status == 200
    assert server.export(GOOD) == b""
    assert TRACEBACK not in server.log


# --- requests that are none ------------------------------------------------------------------------

NO_MESSAGES = {
    "text": b"hello",
    "a field that ends early": GOOD[:-3],
    "a wrong wire type": b"\x0b" + GOOD,
    "a length beyond the end": b"\x0a\xff\xff\xff\xff\x0f",
    "a metric name that is no UTF-8": GOOD.replace(b"good", b"\xff\xfe\xfd\xfc"),
}


@pytest.mark.parametrize("body", NO_MESSAGES.values(), ids=NO_MESSAGES.keys())
def test_malformed_protobuf(server, body):
    answer = server.post(body)
    assert (answer.status, answer.media_type) == (400, PROTOBUF)
    assert server.refusal(body).code() is INVALID


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b'{"resourceMetrics": {}}',
        b'{"resourceMetrics": [1]}',
        b"[" * 100_000,
    ],
    ids=["nothing", "open", "array", "text", "no UTF-8", "object", "number", "deep"],
)
def test_malformed_json(server, body):
    answer = server.post(body, JSON)
    assert (answer.status, answer.media_type) == (400, JSON)
    assert json.loads(answer.body)["code"] == 3  # INVALID_ARGUMENT of google.rpc.Code


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/xml", "application/x-protobufs"])
def test_wrong_content_type(server, media_type):
    assert server.post(GOOD, media_type).status == 415


def test_other_methods_and_paths(server):
    assert server.post(GOOD, path="/v1/traces").status == 404
    assert server.post(GOOD, path="/../v1/metrics").status == 404
    assert b" 405 " in raw(server, b"GET /v1/metrics HTTP/1.1\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize("cut", [5, 20, -8, -1])
def test_truncated_gzip(server, cut):
    body = gzip.compress(GOOD)[:cut]
    assert server.post(body, Content_Encoding="gzip").status == 400
    assert server.refusal(body).code() is INVALID


def test_an_unknown_compression(server):
    assert server.post(GOOD, Content_Encoding="br").status == 415


def test_empty_requests(server):
    assert (server.post(b"").status, server.export(b"")) == (200, b"")
    answer = server.post(b"{}", JSON)
    assert (answer.status, json.loads(answer.body)) == (200, {})
    empty = encoded(m.Metric(name="nothing"), gauge("nothing.either"))
    assert (server.post(empty).status, server.export(empty)) == (200, b"")


# --- too much --------------------------------------------------------------------------------------


def gzip_bomb(size: int) -> bytes:
    compressor, block = zlib.compressobj(9, wbits=31), bytes(MIB)
    return b"".join([*(compressor.compress(block) for _ in range(size // MIB)), compressor.flush()])


def test_gzip_bombs_take_little_memory(server):
    bomb = gzip_bomb(600 * MIB)
    before = server.memory()["VmHWM"]
    for _ in range(2):
        assert server.post(bomb, Content_Encoding="gzip").status == 413
        assert server.refusal(bomb).code() is TOO_LARGE
    assert server.memory()["VmHWM"] - before < 400


def test_more_bytes_than_a_request_may_have(server):
    body = bytes(65 * MIB)
    assert server.post(body).status == 413
    assert server.refusal(body).code() is TOO_LARGE


TOO_MUCH = {
    "attribute_too_long": {"long": "x" * (10 * MIB)},
    "too_many_attributes": {f"a{number}": "x" for number in range(100_000)},
}


@pytest.mark.parametrize("reason", TOO_MUCH)
def test_a_point_with_too_much_costs_the_others_nothing(server, reason):
    name = f"beside.{reason}"
    sent = request(gauge(name, point(1), point(2, **TOO_MUCH[reason]), point(3)))
    told = (1, f"1 data points rejected: {reason} 1")
    assert rejected(server.post(sent.SerializeToString()).body) == told
    assert rejected(server.export(sent.SerializeToString())) == told
    assert rejected_in_json(server.post(line(sent), JSON).body) == told
    assert sorted(values(server.store, name)) == [1, 3]


def nested(depth: int) -> bytes:
    """An AnyValue: a key-value list in a key-value list, and so on; made by hand, from the inside."""
    value = length_delimited(1, b"core")
    for _ in range(depth):
        value = length_delimited(
            6, length_delimited(1, length_delimited(1, b"k") + length_delimited(2, value))
        )
    return value


def with_nested_attribute(depth: int, name: str) -> bytes:
    """A request of two points; the second, with an attribute nested so deep, is made by hand."""
    at = recent()
    deep = length_delimited(7, length_delimited(1, b"deep") + length_delimited(2, nested(depth)))
    second = point(2, at + 1000).SerializeToString() + deep
    points = length_delimited(1, point(1, at).SerializeToString()) + length_delimited(1, second)
    metric = length_delimited(1, name.encode()) + length_delimited(5, points)
    return length_delimited(1, length_delimited(2, length_delimited(2, metric)))


def with_nested_attribute_in_json(depth: int, name: str) -> bytes:
    value = '{"stringValue":"core"}'
    for _ in range(depth):
        value = '{"kvlistValue":{"values":[{"key":"k","value":' + value + "}]}}"
    at = recent()
    body = line(request(gauge(name, point(1, at), point(2, at + 1000, deep="VALUE"))))
    return body.replace(b'{"stringValue": "VALUE"}', value.encode())


def test_an_attribute_nested_a_few_levels(server):
    server.post(with_nested_attribute(5, "nested.little"))
    server.post(with_nested_attribute_in_json(5, "nested.little.json"), JSON)
    rows = search(server.store, '| mpreview index=* filter="metric_name=nested.little*"')
    assert [row.get("deep") for row in rows] == [None, '{"k":{"k":{"k":{"k":{"k":"core"}}}}}'] * 2


@pytest.mark.parametrize("depth", [40, more(200), 10_000])
def test_an_attribute_nested_deep_costs_the_others_nothing(server, depth):
    for name, send in ((f"nested.{depth}.http", server.post), (f"nested.{depth}.grpc", server.export)):
        send(with_nested_attribute(depth, name))
        assert 1 in values(server.store, name)


@pytest.mark.parametrize("depth", [more(40), 200])
def test_an_attribute_nested_deep_in_json_costs_the_others_nothing(server, depth):
    assert server.post(with_nested_attribute_in_json(depth, f"nested.{depth}.json"), JSON).status == 200
    assert 1 in values(server.store, f"nested.{depth}.json")


def test_json_nested_deeper_than_parsers_go(server):
    assert server.post(with_nested_attribute_in_json(10_000, "nested.endless"), JSON).status == 400


# --- numbers and times -----------------------------------------------------------------------------


def test_values_that_are_no_numbers(server):
    sent = request(gauge("not.finite", point(1), *map(point, map(float, ("nan", "inf", "-inf"))), point(2)))
    told = (3, "3 data points rejected: not_finite 3")
    assert rejected(server.export(sent.SerializeToString())) == told
    assert rejected(server.post(sent.SerializeToString()).body) == told
    assert rejected_in_json(server.post(line(sent), JSON).body) == told
    assert sorted(values(server.store, "not.finite")) == [1, 2]


def test_numbers_at_their_limits(server):
    extremes = [5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1 + 0.2]
    at = recent()
    server.export(encoded(gauge("extremes", *(point(v, at + 1000 * i) for i, v in enumerate(extremes)))))
    assert values(server.store, "extremes") == extremes


@pytest.mark.parametrize("protocol", ["grpc", "http", "json"])
def test_times_out_of_bounds_are_rejected_one_by_one(server, protocol):
    now = time.time_ns()
    day = 24 * 3600 * SECOND
    old = [0, 1_000_000, now - 7 * day - 60 * SECOND]
    future = [now + 11 * 60 * SECOND, 2**63, 2**64 - 1]
    good = [now - 7 * day + 600 * SECOND, now, now + 8 * 60 * SECOND]
    name = f"times.{protocol}"
    sent = request(gauge(name, *(point(i, at) for i, at in enumerate([*old, *good, *future]))))
    if protocol == "json":
        told = rejected_in_json(server.post(line(sent), JSON).body)
    else:
        body = sent.SerializeToString()
        told = rejected(server.export(body) if protocol == "grpc" else server.post(body).body)
    assert told == (6, "6 data points rejected: older_than_retention 3, too_far_in_future 3")
    assert values(server.store, name) == [3, 4, 5]


def test_retention_is_a_setting(serve):
    server = serve("--retention-raw", "1h")
    now = time.time_ns()
    sent = encoded(gauge("kept", point(1, now - 3700 * SECOND), point(2, now - 3500 * SECOND)))
    assert rejected(server.export(sent)) == (1, "1 data points rejected: older_than_retention 1")
    assert values(server.store, "kept") == [2]


def test_an_empty_metric_name(server):
    sent = encoded(gauge("", point(1)), gauge("after.the.empty.name", point(2)))
    assert rejected(server.export(sent)) == (1, "1 data points rejected: no_metric_name 1")
    assert values(server.store, "after.the.empty.name") == [2]


# --- text ------------------------------------------------------------------------------------------

ODD_TEXTS = {
    "quotes": "a'b\"c`d",
    "backslashes": "\\' OR 1=1 --\\",
    "lines": "one\ntwo\r\n\tthree",
    "zero": "a\0b",
    "beyond ASCII": "näme-中文-🦀-\u202e",
    "braces": "{x} $y$ %z <<FIELD>>",
    "wildcards": "100%_*?",
    "empty": "",
}


def test_odd_text_is_kept_as_it_is(server):
    """In the name and in the value of an attribute, of a point and of a resource."""
    for kind, odd in ODD_TEXTS.items():
        sent = point(1, kind=kind, value=odd, **{f"key {odd}": "x"})
        server.export(encoded(gauge("odd", sent), resource=odd))
    rows = search(server.store, '| mpreview index=* filter="metric_name=odd"')
    found = {r["kind"]: (r["value"], r["resource"], r.get(f"key {ODD_TEXTS[r['kind']]}")) for r in rows}
    assert found == {kind: (odd, odd, "x") for kind, odd in ODD_TEXTS.items()}


def test_odd_metric_names_are_kept_as_they_are(serve):
    server = serve()
    names = sorted(odd for odd in ODD_TEXTS.values() if odd)
    server.export(encoded(*(gauge(name, point(1)) for name in names)))
    rows = search(server.store, "| mpreview index=*")
    assert sorted(row["metric_name"] for row in rows) == names


def test_attributes_named_like_fields_of_ours(server):
    ours = {"_time": "a", "_value": "b", "metric_name": "c", "index": "d"}
    server.export(encoded(gauge("named.like.ours", point(1, **ours))))
    [row] = search(server.store, '| mpreview index=* filter="metric_name=named.like.ours"')
    assert (row["_value"], row["metric_name"]) == (1, "named.like.ours")


def test_an_attribute_value_of_each_type(server):
    kinds = {
        "bool": AnyValue(bool_value=True),
        "int": AnyValue(int_value=-(2**63)),
        "double": AnyValue(double_value=0.1),
        "bytes": AnyValue(bytes_value=b"\0\xff"),
        "nothing": AnyValue(),
    }
    server.export(encoded(gauge("typed", point(1, **kinds))))
    [row] = search(server.store, '| mpreview index=* filter="metric_name=typed"')
    expected = {
        "bool": "true",
        "int": "-9223372036854775808",
        "double": "0.1",
        "bytes": "AP8=",
        "nothing": "",
    }
    assert {key: row.get(key) for key in kinds} == expected


# --- connections -----------------------------------------------------------------------------------


def raw(server, sent: bytes, *, half_close: bool = False, port: str = "otlp_http") -> bytes:
    """Send bytes as they are; return everything that comes back until the server hangs up, or for a while."""
    with socket.create_connection(("127.0.0.1", server.ports[port]), timeout=20) as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        got = b""
        while b"\r\n\r\n" not in got and (part := connection.recv(65536)):
            got += part
        return got


def head(length: int) -> bytes:
    return (
        f"POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: {PROTOBUF}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def test_a_client_that_is_done_sending_gets_its_answer(server):
    body = encoded(gauge("half.closed", point(1)))
    got = raw(server, head(len(body)) + body, half_close=True)
    assert values(server.store, "half.closed") == [1]
    assert got.startswith(b"HTTP/1.1 200")


def test_a_client_that_hangs_up_in_the_middle(server):
    body = encoded(gauge("hung.up", point(1)))
    raw(server, head(len(body)) + body[:-5], half_close=True)
    assert search(server.store, "| mstats count(hung.up) AS n where index=*") in ([], [{"n": 0}], [{}])


@pytest.mark.parametrize(
    "sent",
    [b"\0" * 100, b"hello\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"x" * 200_000],
    ids=["zeros", "text", "version", "header"],
)
@pytest.mark.parametrize("port", ["otlp_http", "otlp_grpc", "http"])
def test_what_is_not_the_protocol(server, sent, port):
    try:
        raw(server, sent, port=port)
    except OSError:
        assert server.alive  # it has hung up, which is an answer too


def test_slow_clients_are_hung_up_on(server):
    """A few connections that send next to nothing: others are served, and in the end these are closed."""
    beginnings = [b"", b"P", b"POST /v1/metrics HTTP/1.1\r\n", b"POST /v1/metrics HTTP/1.1\r\nX: "]
    connections = [
        socket.create_connection(("127.0.0.1", server.ports["otlp_http"]), 60) for _ in beginnings * 3
    ]
    for connection, begun in zip(connections, beginnings * 3, strict=True):
        connection.settimeout(0.2)
        connection.sendall(begun)
    assert server.post(GOOD).status == 200
    wait_until(lambda: all(map(is_hung_up_on, connections)))
    for connection in connections:
        connection.close()


def is_hung_up_on(connection: socket.socket) -> bool:
    """Send one more byte; tell whether the other side has closed."""
    try:
        connection.sendall(b"x")
        return not connection.recv(65536)
    except TimeoutError:
        return False
    except OSError:
        return True


def test_bodies_that_never_come_do_not_keep_others_waiting(server):
    connections = [socket.create_connection(("127.0.0.1", server.ports["otlp_http"]), 60) for _ in range(20)]
    for connection in connections:
        connection.sendall(head(1000) + b"\x0a")
    try:
        assert server.post(GOOD).status == 200
        assert server.export(GOOD) == b""
    finally:
        for connection in connections:
            connection.close()


def test_many_clients_at_once(server):
    """More requests at once than are served at once: each is stored or told to come again."""
    statuses: list[int] = []
    body = encoded(gauge("many", *(point(i, pod=f"p{i}") for i in range(200))))
    threads = [threading.Thread(target=lambda: statuses.append(server.post(body).status)) for _ in range(150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 150
    assert 200 in statuses
    assert set(statuses) <= {200, 503}
    assert search(server.store, "| mstats count(many) AS n where index=*") == [{"n": 200}]


HEC_POINT = b'{"event":"metric","fields":{"metric_name:of.a.page":1}}'


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("http://127.0.0.1.evil.example:8088", 403),
        ("null", 403),
        ("http://[", 403),
        ("http://localhost:3000", 200),
        ("http://127.0.0.1", 200),
        (None, 200),
    ],
)
def test_no_web_page_of_elsewhere_sends_points(server, origin, status):
    headers = {"Origin": origin} if origin else {}
    answer = server.post(HEC_POINT, "text/plain", "/services/collector", **headers)
    assert answer.status == status
    assert server.post(b"{}", "application/json", **headers).status == status
