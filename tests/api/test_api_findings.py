"""Findings and incidents through the API: the queue, decisions, suppressions, charts."""

from __future__ import annotations

import pytest

from console import DETECTION
from helpers import HOUR, NOW
from kubestray.api.accounts import Role

STATES = ["new", "acknowledged", "suppressed", "resolved", "closed"]


@pytest.fixture(scope="module")
def client(people):
    return people.program(Role.ANALYST)


@pytest.fixture(scope="module")
def ids(client):
    rows = client.get("/api/v1/findings", params={"state": STATES}).json()["rows"]
    findings = client.get("/api/v1/findings", params={"state": STATES, "kind": "finding"}).json()["rows"]
    return rows[0]["id"], findings[0]["id"]


def test_incidents_come_first_and_have_their_findings(client, ids):
    incident, finding = ids
    queue = client.get("/api/v1/findings", params={"state": STATES}).json()
    assert [row["kind"] for row in queue["rows"]] == ["incident"]
    assert (queue["rows"][0]["findings"], queue["rows"][0]["steps"]) == (1, 3)
    assert client.get(f"/api/v1/findings/{finding}").json()["incident"] == incident
    assert sum(queue["states"].values()) == 1


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"words": "pay T1496"}, 1),
        ({"words": "pay nothing"}, 0),
        ({"severity": "medium"}, 1),
        ({"owner": "nobody-of-this-name"}, 0),
        ({"kind": "finding", "words": "EXFILTRATION"}, 1),
    ],
)
def test_filters(client, asked, count):
    assert client.get("/api/v1/findings", params={"state": STATES, **asked}).json()["total"] == count


def test_decisions_add_up(client, people, ids):
    _, finding = ids
    path = f"/api/v1/findings/{finding}/decisions"
    assert client.post(path, json={"action": "acknowledge"}).json()["state"] == "acknowledged"
    assert client.post(path, json={"action": "assign"}).json()["owner"] == "robot-analyst"
    said = client.post(path, json={"action": "comment", "text": "looked at it"}).json()
    assert said["comments"][-1]["text"] == "looked at it"
    many = {"ids": [finding], "action": "resolve"}
    assert client.post("/api/v1/findings/decisions", json=many).json()[0]["state"] == "resolved"
    assert client.post(path, json={"action": "reopen"}).json()["state"] == "new"
    told = client.get(f"/api/v1/findings/{finding}/history").json()
    assert "opened" in {one["action"] for one in told}
    decided = {one["action"] for one in told if one["actor"] == "robot-analyst"}
    assert decided == {"acknowledge", "assign", "comment", "resolve", "reopen"}
    viewer = people.program(Role.VIEWER)
    assert viewer.post(path, json={"action": "resolve"}).status_code == 403
    assert client.post(path, json={"action": "comment"}).status_code == 400
    nothing = client.post("/api/v1/findings/none/decisions", json={"action": "resolve"})
    assert nothing.status_code == 404


def test_a_suppression_is_previewed_made_and_ended(client, people):
    scope = {"entity": "workload:prod/pay/*"}
    preview = client.post("/api/v1/suppressions/preview", json=scope).json()
    assert (preview["findings"], len(preview["hidden"])) == (1, 1)
    other = client.post("/api/v1/suppressions/preview", json={**scope, "detection": DETECTION}).json()
    assert other["hidden"] == []
    wanted = {"scope": scope, "reason": "a test", "expires": "+1h"}
    assert people.program(Role.VIEWER).post("/api/v1/suppressions", json=wanted).status_code == 403
    made = client.post("/api/v1/suppressions", json=wanted).json()
    assert made["in_force"]
    states = client.get("/api/v1/findings", params={"kind": "finding"}).json()["states"]
    assert states["suppressed"] == 1
    people.clock.now += 10**9
    assert client.delete(f"/api/v1/suppressions/{made['id']}").status_code == 204
    assert client.delete("/api/v1/suppressions/none").status_code == 404
    assert not client.get("/api/v1/suppressions").json()[0]["in_force"]
    assert client.get(f"/api/v1/findings/{preview['hidden'][0]['id']}").json()["state"] != "suppressed"
    for refused in ({"scope": {}, "reason": "x"}, {"scope": scope, "reason": " "}):
        assert client.post("/api/v1/suppressions", json=refused).status_code == 400


def test_the_chart_shows_what_the_search_measured(client, ids):
    _, finding = ids
    spec = client.get(f"/api/v1/findings/{finding}/chart").json()
    layers = {layer["mark"]["type"]: layer["data"]["values"] for layer in spec["layer"]}
    assert max(row["time"] for row in layers["line"]) / 1000 > (NOW - HOUR) / 1e9
    assert all(5 <= row["value"] <= 33 for row in layers["line"])
    assert layers["rule"] == [{"limit": 19.5, "which": "upper"}]
    assert len(layers["point"]) == 3
    assert spec["usermeta"]["shows"][0] == "observed"
    assert client.get(f"/api/v1/findings/{ids[0]}/chart").json()["layer"] == spec["layer"]
    picture = client.get(f"/api/v1/findings/{finding}/chart.png")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_ocsf(client, ids):
    for identity in ids:
        document = client.get(f"/api/v1/findings/{identity}").json()
        told = client.get(f"/api/v1/findings/{identity}/ocsf").json()
        assert told["class_uid"] == 2004
        assert told["finding_info"]["uid"] == identity
        assert told["risk_score"] == round(document["score"])


def test_the_axis_of_what_was_measured_says_what_was_made_of_the_points(client, ids):
    """A finding of sixteen gigabytes in an hour is drawn by points of some megabytes."""
    _, finding = ids
    drawn = client.get(f"/api/v1/findings/{finding}/chart")
    assert drawn.status_code == 200
    assert '"title":"tcp.bytes, average of points"' in drawn.text.replace('": "', '":"')
