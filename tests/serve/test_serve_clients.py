"""Real clients feed a server; commands beside it see what it has acknowledged."""

from __future__ import annotations

import gzip
import json

import grpc
import pytest
from metrics import encoded, gauge, line, point, recent, rejected, rejected_in_json, request
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as over_grpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import metric_exporter as over_http
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from product import JSON, run, search, values

SPIKES = """
name: Spikes of {metric}
id: 3f6c0d6e-7c57-4b0e-9d7a-0d3f5f1b7a11
version: 1
type: TTP
search: '| mstats max({metric}) AS most where index=* by pod | where most > 10'
rba:
  message: $pod$ reached $most$
  risk_objects: [{{field: pod, type: other, score: 40}}]
"""


def grpc_exporter(server, compressed):
    compression = grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression
    return over_grpc.OTLPMetricExporter(
        f"127.0.0.1:{server.ports['otlp_grpc']}", insecure=True, compression=compression
    )


def http_exporter(server, compressed):
    compression = Compression.Gzip if compressed else Compression.NoCompression
    url = f"http://127.0.0.1:{server.ports['otlp_http']}/v1/metrics"
    return over_http.OTLPMetricExporter(url, compression=compression)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("exporter", [grpc_exporter, http_exporter])
def test_the_opentelemetry_sdk(server, exporter, compressed):
    prefix = f"{exporter.__name__}.{compressed}".lower()
    reader = PeriodicExportingMetricReader(exporter(server, compressed), export_interval_millis=3_600_000)
    resource = Resource({"k8s.pod.name": "web-1"})
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    meter = provider.get_meter("test")
    meter.create_counter(f"{prefix}.requests").add(3, {"path": "/"})
    meter.create_up_down_counter(f"{prefix}.open").add(-2)
    meter.create_histogram(f"{prefix}.duration").record(1.5)
    meter.create_observable_gauge(f"{prefix}.temperature", [lambda _: [Observation(21.5, {"room": 1})]])
    try:
        assert provider.force_flush(30_000)
        rows = search(server.store, f'| mpreview index=* filter="metric_name={prefix}.*"')
    finally:
        provider.shutdown()
    stored = {row["metric_name"].removeprefix(f"{prefix}."): row["_value"] for row in rows}
    parts = {"duration.count": 1, "duration.sum": 1.5, "duration.min": 1.5, "duration.max": 1.5}
    assert stored == {"requests": 3, "open": -2, "temperature": 21.5, **parts}
    assert all(row["k8s.pod.name"] == "web-1" for row in rows)
    assert [row["room"] for row in rows if "room" in row] == ["1"]
    assert [row["path"] for row in rows if "path" in row] == ["/"]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_client_that_sends_json(server, compressed):
    name, at = f"json.{compressed}", recent()
    body = line(request(gauge(name, point(0.1, at, pod="a")), cluster="c1"))
    headers = {"Content_Encoding": "gzip"} if compressed else {}
    answer = server.post(gzip.compress(body) if compressed else body, JSON, **headers)
    assert (answer.status, answer.media_type, json.loads(answer.body)) == (200, JSON, {})
    [row] = search(server.store, f'| mpreview index=* filter="metric_name={name}"')
    named = {"metric_name": name, f"metric_name:{name}": 0.1, "_value": 0.1}
    assert row == {**named, "_time": pytest.approx(at / 1e9, abs=1e-6), "pod": "a", "cluster": "c1"}


def test_both_protocols_feed_one_series(server):
    at = recent()
    server.post(encoded(gauge("one.series", point(1, at, pod="a"))))
    server.post(line(request(gauge("one.series", point(2, at + 1000, pod="a")))), JSON)
    server.export(encoded(gauge("one.series", point(3, at + 2000, pod="a"))))
    rows = search(
        server.store, "| mstats count(one.series) AS n latest(one.series) AS last where index=* by pod"
    )
    assert rows == [{"pod": "a", "n": 3, "last": 3}]


def test_a_resend_counts_once(server):
    body = encoded(gauge("resent", *(point(i, pod=f"p{i}") for i in range(50))))
    for send in (server.post, server.export, server.post):
        send(body)
    assert search(server.store, "| mstats count(resent) AS n where index=*") == [{"n": 50}]


def test_points_are_seen_right_after_each_acknowledgement(server):
    for number in range(1, 6):
        server.export(encoded(gauge("steps", point(number))))
        assert search(server.store, "| mstats count(steps) AS n where index=*") == [{"n": number}]


def test_commands_beside_a_server_answer_as_after_it(serve, store, tmp_path):
    running, at = serve(), recent()
    running.export(encoded(gauge("load", *(point(i, at + i * 1000, pod=f"p{i % 3}") for i in range(30)))))
    more = tmp_path / "more.jsonl"
    more.write_bytes(line(request(gauge("load", point(99, at, pod="p9")))))
    content = tmp_path / "spikes.yml"
    content.write_text(SPIKES.format(metric="load"))

    counts = run("ingest", "--store", store, more).json
    assert counts == {"files": 1, "data_points": 1, "rejected": 0, "series": 1}

    asked = [
        ["search", "| mstats avg(load) AS load count(load) AS n where index=* by pod"],
        ["search", '| mpreview index=* filter="metric_name=load"'],
        ["detect", "--now", str(at / 1e9 + 1200), content],
    ]
    beside = [run(*command, "--store", store, "--format", "json").json for command in asked]
    assert sum(row["n"] for row in beside[0]) == len(beside[1]) == 31
    assert {event["risk_object"] for event in beside[2][0]["risk_events"]} == {"p0", "p1", "p2", "p9"}

    assert running.terminate() == 0
    assert [run(*command, "--store", store, "--format", "json").json for command in asked] == beside


def test_good_answers_are_those_of_the_protocol(server):
    accepted = encoded(gauge("accepted", point(1)))
    assert server.export(accepted) == b""
    assert (server.post(accepted).status, server.post(accepted).body) == (200, b"")
    mixed = request(gauge("mixed", point(1), point(2, 0), point(float("nan"))))
    told = "2 data points rejected: not_finite 1, older_than_retention 1"
    assert rejected(server.export(mixed.SerializeToString())) == (2, told)
    assert rejected(server.post(mixed.SerializeToString()).body) == (2, told)
    assert rejected_in_json(server.post(line(mixed), JSON).body) == (2, told)
    assert values(server.store, "mixed") == [1]


def test_health(server):
    assert [server.get(page) for page in ("/healthz", "/readyz", "/static/nothing")] == [200, 200, 404]
