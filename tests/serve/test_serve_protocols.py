"""A running server takes remote write, SignalFx and Splunk HEC beside OTLP, and keeps their promises."""

from __future__ import annotations

import json
import threading
from http.client import HTTPException

import pytest
from metrics import encoded, gauge, point, recent
from product import JSON, PROTOBUF, TRACEBACK, Answer, run, search, values, wait_until

from remote_write_messages import Request2, labels_of, request, sample, series, snappy
from signalfx_messages import data_point, upload

TOKEN = "s3cr3t-t0k3n-0123456789"
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"


def ms_ago(number: int = 0) -> int:
    return recent() // 10**6 + number


def remote_write(server, name: str, value: float, ms: int, **headers: str) -> Answer:
    body = snappy(request(series(labels_of(name, pod="a"), sample(ms, value))))
    return server.post(body, PROTOBUF, "/api/v1/write", Content_Encoding="snappy", **headers)


def remote_write2(server, name: str, value: float, ms: int, **headers: str) -> Answer:
    body = snappy(Request2().add(labels_of(name, pod="a"), sample(ms, value)).bytes())
    return server.post(body, V2, "/api/v1/write", Content_Encoding="snappy", **headers)


def signalfx(server, name: str, value: float, ms: int, **headers: str) -> Answer:
    return server.post(upload(data_point(name, value, ms, pod="a")), PROTOBUF, "/v2/datapoint", **headers)


def signalfx_json(server, name: str, value: float, ms: int, **headers: str) -> Answer:
    sent = {"metric": name, "value": value, "timestamp": ms, "dimensions": {"pod": "a"}}
    return server.post(json.dumps({"gauge": [sent]}).encode(), JSON, "/v2/datapoint", **headers)


def signalfx_otlp(server, name: str, value: float, ms: int, **headers: str) -> Answer:
    body = encoded(gauge(name, point(value, ms * 10**6, pod="a")))
    return server.post(body, "application/x-protobuf;format=otlp", "/v2/datapoint", **headers)


def hec(server, name: str, value: float, ms: int, **headers: str) -> Answer:
    event = {"time": ms / 1000, "event": "metric", "fields": {f"metric_name:{name}": value, "pod": "a"}}
    return server.post(json.dumps(event).encode(), JSON, "/services/collector", **headers)


def otlp(server, name: str, value: float, ms: int, **headers: str) -> Answer:
    return server.post(encoded(gauge(name, point(value, ms * 10**6, pod="a"))), **headers)


SENDERS = [remote_write, remote_write2, signalfx, signalfx_json, signalfx_otlp, hec]
SUCCESS = {
    remote_write: (204, b""),
    remote_write2: (204, b""),
    signalfx: (200, b'"OK"'),
    signalfx_json: (200, b'"OK"'),
    signalfx_otlp: (200, b'"OK"'),
    hec: (200, b'{"text":"Success","code":0}'),
}


@pytest.fixture(autouse=True)
def _nothing_breaks(request):
    yield
    if "server" in request.fixturenames:
        assert TRACEBACK not in request.getfixturevalue("server").log


def test_the_same_points_from_every_protocol_are_one(server):
    """One series, one point: what one source sends over two ways is not counted twice."""
    at = ms_ago()
    for send in (otlp, *SENDERS, *SENDERS):
        answer = send(server, "shared.gauge", 2.5, at)
        if send in SUCCESS:
            assert (answer.status, answer.body) == SUCCESS[send]
    rows = search(server.store, '| mpreview index=* filter="metric_name=shared.gauge"')
    assert [(row["_value"], row["pod"], row["_time"]) for row in rows] == [
        (2.5, "a", pytest.approx(at / 1000, abs=1e-6))
    ]


def test_increases_of_counters_from_every_protocol(server):
    """Each way of saying that values climb: 100, then 130 a second later, is an increase of 30."""
    at = ms_ago()
    for i, value in enumerate((100.0, 130.0)):
        ms = at + 1000 * i
        remote_write(server, "rw.requests_total", value, ms)
        body = upload(data_point("sfx.requests", value, ms, 3, pod="a"))
        server.post(body, PROTOBUF, "/v2/datapoint")
        hec(server, "k8s.pod.network.io", value, ms)
    sums = "sum(rw.requests_total) AS rw sum(sfx.requests) AS sfx sum(k8s.pod.network.io) AS hec"
    assert search(server.store, f"| mstats {sums} where index=*") == [{"rw": 30, "sfx": 30, "hec": 30}]


def test_a_broken_request_costs_nobody_else_anything(server):
    """Sent at once: the good ones of all protocols are stored, the broken ones get their 4xx."""
    at, statuses = ms_ago(), []
    paths = ["/api/v1/write", "/v2/datapoint", "/services/collector", "/v1/metrics"]
    threads = [
        threading.Thread(target=lambda p=path: statuses.append(server.post(b"\xff\xff", PROTOBUF, p).status))
        for path in paths
        for _ in range(5)
    ]
    threads += [
        threading.Thread(target=send, args=(server, "beside.broken", float(number), at + number))
        for number, send in enumerate(SENDERS * 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [400] * 20
    assert values(server.store, "beside.broken") == [float(number) for number in range(18)]


def test_killed_in_the_midst(serve, store):
    """Under each protocol: all that was acknowledged is there after a kill, and a resend counts once."""
    server, at, stopping = serve(), ms_ago(), threading.Event()
    acknowledged: dict[str, list[int]] = {send.__name__: [] for send in SENDERS}

    def keep_sending(send) -> None:
        for number in range(10_000):
            try:
                if (
                    stopping.is_set()
                    or send(server, f"crash.{send.__name__}", number, at + number).status >= 300
                ):
                    return
            except (OSError, HTTPException):
                return
            acknowledged[send.__name__].append(number)

    threads = [threading.Thread(target=keep_sending, args=(send,)) for send in SENDERS]
    for thread in threads:
        thread.start()
    # Not after a time: on a busy machine a protocol's first answer takes long.
    wait_until(lambda: all(len(sent) > 3 for sent in acknowledged.values()))
    server.kill()
    stopping.set()
    for thread in threads:
        thread.join(60)
    again = serve()
    for send in SENDERS:
        sent = acknowledged[send.__name__]
        # What the server was killed over, and some of what it had acknowledged, is sent again.
        for number in [*sent[-3:], sent[-1] + 1]:
            assert send(again, f"crash.{send.__name__}", number, at + number).status < 300
    rows = search(store, '| mpreview index=* filter="metric_name=crash.*"')
    for send in SENDERS:
        name = send.__name__
        found = sorted(row["_value"] for row in rows if row["metric_name"] == f"crash.{name}")
        assert found == [*acknowledged[name], acknowledged[name][-1] + 1], name


def test_addresses_of_their_own_and_the_token(serve, store):
    """Each protocol on one more port, where nothing else is spoken, with its own way to give the token."""
    flags = [f"--{name}=127.0.0.1:0" for name in ("remote-write", "signalfx", "splunk-hec")]
    server = serve(*flags, receiver_token=TOKEN)
    own = {"remote_write": remote_write, "signalfx": signalfx, "splunk_hec": hec}
    headers = {
        "remote_write": {"Authorization": f"Bearer {TOKEN}"},
        "signalfx": {"X_SF_Token": TOKEN},
        "splunk_hec": {"Authorization": f"Splunk {TOKEN}"},
    }
    shared = server.ports["otlp_http"]
    for port in (*own, "otlp_http"):
        server.ports["otlp_http"] = server.ports.get(port, shared) if port in own else shared
        for name, send in own.items():
            spoken = port in (name, "otlp_http")
            assert send(server, "own", 1.0, ms_ago()).status == (401 if spoken else 404)
            assert (send(server, "own", 1.0, ms_ago(), **headers[name]).status < 300) is spoken
    assert TRACEBACK not in server.log


def test_other_machines_need_a_token(store):
    somewhere = ("--otlp-grpc=127.0.0.1:0", "--otlp-http=127.0.0.1:0", "--http=127.0.0.1:0")
    ended = run("serve", "--store", store, *somewhere, "--splunk-hec=0.0.0.0:0", seconds=20)
    ended.failed(2, "splunk_hec 0.0.0.0", "token")
    assert not store.exists()
