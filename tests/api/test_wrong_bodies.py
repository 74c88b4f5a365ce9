"""Bodies that the API refuses, and in what words: a misspelt field is no field that was left out."""

from __future__ import annotations

import json

import pytest

from kubestray.api.accounts import Role

SUPPRESSION = {"scope": {"entity": "pod:*"}, "reason": "a test"}


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        (
            "POST",
            "suppressions",
            {**SUPPRESSION, "scope": {"entitty": "pod:*"}},
            "body.scope: there is no field 'entitty'; did you mean entity?",
        ),
        (
            "POST",
            "suppressions",
            {**SUPPRESSION, "expire": "+1h"},
            "body: there is no field 'expire'; did you mean expires?",
        ),
        (
            "POST",
            "suppressions/preview",
            {"scope": {}},
            "body: there is no field 'scope'; there are entity, detection, fields",
        ),
        (
            "POST",
            "search",
            {"text": "| makeresults", "row": 5},
            "body: there is no field 'row'; did you mean rows?",
        ),
        (
            "POST",
            "search",
            {"text": 5, "rows": "many"},
            "body.text: expected a text, not 5; body.rows: expected a whole number, not 'many'",
        ),
        ("POST", "search", {"text": "x", "rows": 0}, "body.rows: has to be at least 1"),
        ("POST", "search", {}, "body.text: is missing"),
        ("POST", "search", [], "body: expected an object, not a list"),
        (
            "POST",
            "findings/decisions",
            {"action": "close", "ids": ["x"]},
            "body.action: expected 'acknowledge', ",
        ),
        (
            "POST",
            "findings/decisions",
            {"action": "resolve", "ids": []},
            "body.ids: has to have at least 1 entry",
        ),
        (
            "POST",
            "findings/x/decisions",
            {"action": "resolve", "txt": ""},
            "body: there is no field 'txt'; did you mean text?",
        ),
        ("POST", "tokens", {"label": "", "day": 1}, "body: there is no field 'day'; did you mean days?"),
        ("POST", "tokens", {"label": ""}, "body.label: has to have at least 1 character"),
        ("POST", "tokens", {"label": "  "}, "body.label: has to have at least 1 character"),
        (
            "POST",
            "accounts",
            {"name": "x", "rôle": "admin"},
            "body: there is no field 'rôle'; did you mean role?",
        ),
        (
            "POST",
            "accounts",
            {"name": "x", "role": "root"},
            "body.role: expected 'viewer', 'analyst' or 'admin', not 'root'",
        ),
        (
            "PATCH",
            "accounts/x",
            {"disable": True},
            "body: there is no field 'disable'; did you mean disabled?",
        ),
        (
            "PUT",
            "detections/x/enabled",
            {"enabled": "perhaps"},
            "body.enabled: expected true or false, not 'perhaps'",
        ),
        ("GET", "risk/events?most=0", None, "query.most: has to be at least 1"),
    ],
)
def test_what_is_wrong_is_said(people, method, path, body, told):
    answer = people.program(Role.ADMIN).request(method, f"/api/v1/{path}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] == "invalid"
    assert answer.json()["error"]["message"].startswith(told)


def test_bodies_that_are_no_json(people):
    admin = people.program(Role.ADMIN)

    def told(content: bytes, kind: str = "application/json") -> str:
        answer = admin.post("/api/v1/search", content=content, headers={"Content-Type": kind})
        assert answer.status_code == 422, answer.text
        return answer.json()["error"]["message"]

    assert told(b"{").startswith("body.1: is no JSON: ")
    assert told(json.dumps({"text": "x"}).encode(), "text/plain") == (
        "body: expected an object in JSON, with the header Content-Type: application/json"
    )
    assert told(b'{"\\ud800": 1}').startswith("body: there is no field ")
    assert told(b"") == "body: is missing"


def test_a_misspelt_suppression_hides_nothing(people):
    analyst = people.program(Role.ANALYST)
    before = analyst.get("/api/v1/suppressions").json()
    wanted = {**SUPPRESSION, "scope": {"entity": "pod:*", "detections": "Miner"}}
    assert analyst.post("/api/v1/suppressions", json=wanted).status_code == 422
    assert analyst.get("/api/v1/suppressions").json() == before
