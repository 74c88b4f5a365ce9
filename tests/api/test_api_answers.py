"""What the API says about a small store whose content is known."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families

from console import DETECTION, HOSTILE
from helpers import HOUR, NOW
from kubestray.api.accounts import Role
from kubestray.detect.runner import macros_of
from kubestray.detect.scheduler import due
from kubestray.pipeline.schedule import LOOKED


@pytest.fixture(scope="module")
def client(people):
    return people.program(Role.ANALYST)


def test_a_search(client):
    text = "| mstats sum(tcp.bytes) AS bytes where index=* source.namespace.name=shop by source.workload.name"
    found = client.post("/api/v1/search", json={"text": text, "earliest": "-3h"}).json()
    assert found["fields"] == ["source.workload.name", "bytes"]
    assert found["rows"] == [
        {"source.workload.name": "cart", "bytes": 24 * 10 + sum(range(24)) + 11 * 5},
        {"source.workload.name": "web", "bytes": 24 * 10 + sum(range(24))},
    ]
    assert found["chart"]["data"]["values"][0] == {"name": "cart", "value": 571}
    history = client.get("/api/v1/search/history").json()
    assert (history[0]["text"], history[0]["rows"]) == (text, 2)


def test_a_search_that_is_cut_says_so(client):
    text = "| makeresults count=20 | streamstats count AS n | fields n"
    found = client.post("/api/v1/search", json={"text": text, "rows": 7}).json()
    assert (found["more"], [row["n"] for row in found["rows"]]) == (True, [1, 2, 3, 4, 5, 6, 7])
    assert client.post("/api/v1/search", json={"text": text, "rows": 20}).json()["more"] is False


def test_an_error_in_a_search_has_its_place(client):
    answer = client.post("/api/v1/search", json={"text": "| makeresults\n| evl a=1"})
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": "search",
        "message": "unknown command 'evl'",
        "hint": "did you mean eval?",
        "place": {"line": 2, "column": 3},
    }


def test_a_viewer_reads_and_does_not_write(people, client):
    text = "| makeresults | eval a=1 | outputlookup made_by_a_viewer"
    viewer = people.program(Role.VIEWER)
    assert viewer.post("/api/v1/search", json={"text": text}).status_code == 403
    read = {"text": "| inputlookup made_by_a_viewer"}
    assert client.post("/api/v1/search", json=read).status_code == 400
    assert client.post("/api/v1/search", json={"text": text}).status_code == 200
    assert len(viewer.post("/api/v1/search", json=read).json()["rows"]) == 1


def test_explain_does_not_run_the_search(client):
    text = "| makeresults | outputlookup never_written"
    assert "SELECT" in client.post("/api/v1/search/explain", json={"text": text}).json()["text"]
    read = {"text": "| inputlookup never_written"}
    assert client.post("/api/v1/search", json=read).status_code == 400


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("| ms", "mstats"),
        ("| mstats avg(tcp", "tcp.bytes"),
        ("| mstats avg(tcp.bytes) where index=* by source.work", "source.workload.name"),
        ("| mstats avg(tcp.bytes) where index=* by work", "dest.workload.name"),
        ("| makeresults | eval a=rou", "round("),
        ("| makeresults | sta", "stats"),
        ("| mstats count(*) where `kub", "kubernetes_metrics"),
    ],
)
def test_completions(client, text, first):
    found = client.get("/api/v1/search/complete", params={"text": text, "caret": len(text)}).json()
    assert found[0]["word"] == first
    assert found[0]["end"] == len(text)


def test_risk_events(client):
    found = client.get("/api/v1/risk/events", params={"earliest": "-24h"}).json()
    assert found["total"] == 3 + len(HOSTILE) + 3
    assert [one["time"] for one in found["events"]] == sorted(
        (one["time"] for one in found["events"]), reverse=True
    )
    one = client.get("/api/v1/risk/events", params={"entity": "workload:prod/shop/cart"}).json()
    assert one["total"] == 2
    assert {event["message"] for event in one["events"]} == {"workload:prod/shop/cart sent too much"}


def test_entities_add_up(client):
    found = client.get("/api/v1/entities", params={"earliest": "-24h", "kind": "namespace"}).json()
    scores = {one["entity"]: one["score"] for one in found["entities"]}
    hostile = sum(22.0 + n for n in range(len(HOSTILE)))
    cart = 20.0 + 20.0 + 2 + len(HOSTILE)
    assert scores["namespace:prod/shop/shop"] == cart
    assert scores["namespace:prod/data/data"] == 21.0
    assert scores["namespace:prod/ops/ops"] == 0
    cluster = client.get("/api/v1/entity", params={"entity": "cluster:prod//prod"}).json()
    assert cluster["score"] == pytest.approx(cart + 21.0 + hostile + 3 * 60.0)
    assert cluster["own_score"] == 0


def test_an_entity_knows_what_is_above_and_below_it(client):
    cart = client.get("/api/v1/entity", params={"entity": "workload:prod/shop/cart"}).json()
    assert [one["entity"] for one in cart["above"]] == ["namespace:prod/shop/shop"]
    assert {one["entity"] for one in cart["below"]} == {
        "pod:prod/shop/cart-7d9f8b5c6d-2xkzt",
        "pod:prod/shop/cart-7d9f8b5c6d-9wqtn",
    }
    pod = client.get("/api/v1/entity", params={"entity": "pod:prod/shop/cart-7d9f8b5c6d-2xkzt"}).json()
    assert {one["kind"] for one in pod["above"]} == {"workload", "node"}
    assert client.get("/api/v1/entity", params={"entity": "workload:prod/shop/none"}).status_code == 404


def test_the_heat_map_is_the_risk_events_again(client):
    found = client.get("/api/v1/heatmap", params={"earliest": "-24h", "bins": 24, "most": 100}).json()
    by_entity = {row["entity"]: row for row in found["rows"]}
    assert by_entity["workload:prod/shop/cart"]["total"] == 20.0 + 20.0 + 2 + len(HOSTILE)
    assert all(sum(row["scores"]) == pytest.approx(row["total"]) for row in found["rows"])
    assert len(found["edges"]) == 25
    few = client.get("/api/v1/heatmap", params={"most": 2}).json()
    assert (len(few["rows"]), few["more"]) == (2, len(HOSTILE) + 1)


def test_the_map_tells_new_edges_from_known_ones(client):
    found = client.get("/api/v1/map", params={"over": "24h"}).json()
    new = {(one["source"], one["dest"]) for one in found["new_edges"]}
    bad = {(f"workload:prod/bad/{name}", "workload:prod/data/db") for name in HOSTILE}
    assert new == {("workload:prod/shop/cart", "workload:prod/outside/evil")} | bad
    names = [node["id"] for node in found["nodes"]]
    edges = {(names[one["source"]], names[one["dest"]], one["new"]) for one in found["edges"]}
    assert ("workload:prod/shop/web", "workload:prod/shop/cart", False) in edges
    assert not found["collapsed"]


def test_edges_of_the_map_tell_what_they_carried(client):
    """The bytes of edges are the sum of the points of that time, as a search adds them up."""
    found = client.get("/api/v1/map", params={"over": "24h"}).json()
    names = [node["id"] for node in found["nodes"]]
    carried = {(names[one["source"]], names[one["dest"]]): one["bytes"] for one in found["edges"]}
    assert carried["workload:prod/shop/web", "workload:prod/shop/cart"] == 24 * 10 + sum(range(24))
    assert carried["workload:prod/shop/cart", "workload:prod/outside/evil"] == 11 * 5
    closed = client.get("/api/v1/map", params={"most": 3, "over": "24h"}).json()
    ends = [node["name"] for node in closed["nodes"]]
    joined = {(ends[one["source"]], ends[one["dest"]]): one["bytes"] for one in closed["edges"]}
    assert joined["bad", "data"] == len(HOSTILE)
    assert {one["bytes"] for one in found["new_edges"]} == {55, 1}


def test_the_map_as_it_was(client):
    before = client.get("/api/v1/map", params={"at": str((NOW - 3 * HOUR) // 10**9), "over": "7d"}).json()
    assert {node["name"] for node in before["nodes"]} == {"web", "cart", "db", "cron"}
    assert before["new_edges"] == []


def test_the_map_collapses_and_opens(client):
    closed = client.get("/api/v1/map", params={"most": 3}).json()
    assert closed["collapsed"]
    assert {node["kind"] for node in closed["nodes"]} == {"namespace"}
    assert sum(node["workloads"] for node in closed["nodes"]) == closed["workloads"]
    opened = client.get("/api/v1/map", params={"most": 3, "open": "namespace:prod/shop/shop"}).json()
    assert {node["name"] for node in opened["nodes"]} >= {"web", "cart", "data"}


def test_detections_and_their_switch(people, client):
    admin, name = people.program(Role.ADMIN), "Process sending far more than usual"
    page = client.get(f"/api/v1/detections/{name}").json()
    assert page["search"].startswith("| mstats")
    assert "tcp.bytes" in page["data"]["found"]
    assert "source.process.name" in page["data"]["missing"]
    off = admin.put(f"/api/v1/detections/{name}/enabled", json={"enabled": False})
    assert off.json()["enabled"] is False
    assert people.running.content.detections[name].enabled is False
    on = admin.put(f"/api/v1/detections/{name}/enabled", json={"enabled": True})
    assert on.json()["enabled"] is True
    assert client.get("/api/v1/detections/Proces sending").json()["error"]["code"] == "not_found"


def test_a_backtest_ends_and_keeps_nothing(client):
    name = "Process sending far more than usual"
    before = client.get("/api/v1/risk/events").json()["total"]
    path, params = f"/api/v1/detections/{name}/backtest", {"earliest": "-30m", "every": 2}
    deadline = time.monotonic() + 60
    while not client.get(path, params=params).json()["done"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = client.get(path, params=params).json()
    cron = client.get(f"/api/v1/detections/{name}").json()["schedule"]["cron"]
    scheduled = list(due(cron, NOW - HOUR // 2, NOW))[::2]
    assert (found["runs"], found["finished"]) == (len(scheduled), len(scheduled))
    assert scheduled
    assert not any(run["error"] for run in found["found"])
    assert client.get("/api/v1/risk/events").json()["total"] == before
    assert client.get(path, params={"earliest": "-5000d"}).json()["error"]["code"] == "too_long"


def test_attack_coverage(client, people):
    technique = people.running.content.detections[DETECTION].techniques[0].partition(".")[0]
    matrix = client.get("/api/v1/attack").json()
    cells = {cell["id"]: cell for tactic in matrix["tactics"] for cell in tactic["techniques"]}
    assert cells[technique]["coverage"] == "partial"
    assert cells[technique]["hits"] == 3 + len(HOSTILE) + 1
    assert cells["T1486"]["coverage"] == "blind"
    assert sum(matrix["counts"].values()) == len(cells)


def test_stories(client):
    stories = client.get("/api/v1/stories").json()
    page = client.get(f"/api/v1/stories/{stories[0]['name']}").json()
    assert (
        len([one for one in page["searches"] if one["kind"] == "detection"]) == stories[0]["detections"] > 0
    )
    assert page["narrative"]


def test_sources(client):
    found = client.get("/api/v1/sources").json()
    assert found["series"] == 3 + 1 + len(HOSTILE) + 2
    rates = sum(one["points_per_second"] for one in found["sources"])
    # In five minutes: two points of each known edge, none of the others, six of each pod.
    assert rates == pytest.approx((3 * 2 + 2 * 6) / 300, abs=0.02)
    assert found["newest"].startswith("2026-09-21T14:20:00")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/nothing", 404, "not_found"),
        ("/api/v1/risk/events?earliest=yesterday-ish", 400, "usage"),
        ("/api/v1/risk/events?most=0", 422, "invalid"),
        ("/api/v1/risk/events?earliest=now&latest=-1h", 400, "usage"),
        ("/api/v1/map?over=long", 400, "usage"),
        ("/api/v1/stories/none", 404, "not_found"),
    ],
)
def test_errors_have_one_shape(client, path, status, code):
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert set(answer.json()) == {"error"}
    assert client.post("/api/v1/me").json()["error"]["code"] == "method"


def test_a_body_that_is_too_large_is_refused(client):
    assert client.post("/api/v1/search", content=b"x" * (2 << 20)).status_code == 413


def test_a_parameter_is_changed_and_taken_back(people, client):
    admin, content = people.program(Role.ADMIN), people.running.content
    name, parameter = next((d.name, d.parameters[0]) for d in content.detections.values() if d.parameters)
    path = f"/api/v1/detections/{name}/parameters/{parameter.name}"

    def value() -> str:
        found = client.get(f"/api/v1/detections/{name}").json()["parameters"]
        return next(one["value"] for one in found if one["name"] == parameter.name)

    assert value() == parameter.default
    assert client.put(path, json={"value": "7"}).status_code == 403
    for wrong in ("| delete", "`other`", "(", ""):
        assert admin.put(path, json={"value": wrong}).status_code == 400
    assert admin.put(path, json={"value": "7"}).status_code == 200
    assert (value(), macros_of(content)(parameter.name, 0).definition) == ("7", "7")
    assert admin.put(path, json={"value": None}).status_code == 200
    assert (value(), macros_of(content)(parameter.name, 0).definition) == (parameter.default,) * 2
    assert admin.put(path + "x", json={"value": "7"}).json()["error"]["hint"].startswith("did you mean")


def test_metrics_are_read_by_prometheus_with_a_token(people, client):
    refused = people.client().get("/metrics")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    row = {
        "detection": people.running.content.detections[DETECTION].id,
        "error": "",
        "rows": 2,
        "seconds": 0.5,
    }
    numbers = {"scheduled": NOW - HOUR, "finished": NOW - HOUR, "rows": 2}
    made = {name: pa.array([value], pa.uint64()) for name, value in numbers.items()}
    texts = {name: [row[name]] for name in ("detection", "error", "seconds")}
    people.running.store.record("runs", pa.table({**made, **texts}))
    look = {**texts, "detection": [LOOKED + row["detection"]], "error": ["no time"]}
    people.running.store.record("runs", pa.table({**made, **look}))
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert told["kubestray_received_data_points_total",] == 0
    assert told["kubestray_detection_runs_total", DETECTION] == 1
    assert told["kubestray_detection_last_run_seconds", DETECTION] == 0.5
    assert told["kubestray_detection_last_run_timestamp_seconds", DETECTION] == (NOW - HOUR) / 1e9
    looks = ("looks_total", "failed_looks_total", "look_rows_total", "look_seconds_total")
    assert [told[f"kubestray_detection_{name}", DETECTION] for name in looks] == [1, 1, 2, 0.5]
    for kind in ("finding", "incident"):
        opened = client.get("/api/v1/findings", params={"kind": kind}).json()["total"]
        assert opened
        counts = (value for key, value in told.items() if key[:2] == ("kubestray_open_findings", kind))
        assert sum(counts) == opened
    sources = client.get("/api/v1/sources").json()["keeping"]
    assert (sources["waiting_points"], sources["error"], sources["passed"]) == (0, "", None)
