"""`doctor`: the shape of its JSON, its table, its time range; beside a server it says the same."""

from __future__ import annotations

import time

from metrics import HOUR_END, encoded, framed, gauge, point
from product import Serve, run, wait_until

AT = ("--now", HOUR_END // 10**9)


def test_json(filled):
    told = run("doctor", "--store", filled, *AT, "--format", "json").json
    assert told["range"] == [HOUR_END / 1e9 - 3600, HOUR_END / 1e9]
    hours = told["summaries"]
    assert hours["hours_waiting"] >= hours["days_waiting"] >= 1
    assert hours["oldest"] <= HOUR_END / 1e9
    (source,) = told["sources"]
    assert (source["name"], source["metrics"], source["series"]) == ("anything else", ["load"], 2)
    found = {one["name"]: one for one in told["detections"]}
    detection = found["Process sending far more than usual"]
    assert detection["status"] == "missing"
    assert detection["metrics"]["missing"] == ["tcp.bytes", "udp.bytes"]
    assert detection["metrics"]["found"] == []
    assert "source.process.name" in detection["attributes"]["missing"]
    assert detection["fixes"][0]["setting"].startswith("OpenTelemetry Network")
    assert detection["fixes"][0]["brings"][:2] == ["tcp.bytes", "udp.bytes"]


def test_a_table(filled):
    told = run("doctor", "--store", filled, *AT, "--format", "table")
    assert told.code == 0
    for part in (
        "What arrives",
        "hours wait to be summarised",
        "anything else",
        "missing",
        "1. OpenTelemetry Network",
        "clusterName:",
    ):
        assert part in told.out


def test_another_time(filled):
    told = run(
        "doctor", "--store", filled, *AT, "--earliest", "-3h", "--latest", "-2h", "--format", "json"
    ).json
    assert told["sources"] == []


def test_a_search_that_cannot_run_is_told(filled, tmp_path):
    path = tmp_path / "wrong.yml"
    rba = "rba: {message: x, risk_objects: [{field: host, type: system, score: 5}]}"
    head = "name: Wrong\nid: 11111111-1111-1111-1111-111111111111\ntype: Anomaly\n"
    path.write_text(f"{head}search: '| mstats count(m) AS n WHERE index=* BY host | wehre n > 5'\n{rba}\n")
    told = run("doctor", "--store", filled, *AT, "--content", tmp_path, "--format", "json")
    (wrong,) = (one for one in told.json["detections"] if one["name"] == "Wrong")
    assert (wrong["status"], wrong["gives_rows"]) == ("missing", False)
    assert "wehre" in wrong["error"]
    assert "wrong.yml" in wrong["error"]
    assert "Wrong cannot run" in told.err


def test_wrong_usage(filled, tmp_path):
    run("doctor", "--store", filled, "--earliest", "soon").failed(2, "--earliest")
    run("doctor", "--store", filled, "--collector-settings", tmp_path / "no.yml").failed(2, "no.yml")


def test_beside_a_server(store):
    server = Serve(store, (), {}).start()
    try:
        server.export(encoded(gauge("tcp.bytes", point(1, **{"source.process.name": "p"}))))
        told = run("doctor", "--store", store, "--format", "json").json
    finally:
        server.close()
    assert told == run("doctor", "--store", store, "--format", "json").json | {"range": told["range"]}
    found = {one["name"]: one for one in told["detections"]}
    detection = found["Process sending far more than usual"]
    assert (detection["status"], detection["metrics"]["found"]) == ("partial", ["tcp.bytes"])


OWN = """
name: Mine
id: 11111111-1111-1111-1111-111111111112
type: Baseline
search: '| mstats avg(load) AS load WHERE index=* earliest=-30d span=10s BY pod | stats avg(load) BY pod'
"""


def test_what_waits_is_what_the_server_counts(store, tmp_path):
    """The content of the command keeps statistics of which the server knows nothing."""
    mine = tmp_path / "content" / "baselines"
    mine.mkdir(parents=True)
    (mine / "mine.yml").write_text(OWN)
    words = ("doctor", "--store", store, "--content", mine.parent)
    now = time.time_ns()
    sent = gauge("load", *(point(1, now - 3600 * 10**9 * hours, pod="a") for hours in range(2, 6)))
    assert run("ingest", "--store", store, "-", stdin=framed(encoded(sent))).code == 0
    server = Serve(store, (), {}).start()
    try:
        wait_until(lambda: "summarise: summarised" in server.log)
        beside = run(*words, "--format", "json").json["summaries"]
    finally:
        server.close()
    assert beside["accelerated_hours_waiting"] == 0
    assert run(*words, "--format", "json").json["summaries"]["accelerated_hours_waiting"] > 0
    assert "by the content of this command" in run(*words, "--format", "table").out
