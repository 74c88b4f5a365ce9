"""``replay``, ``verify`` and ``findings``, as they are typed."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

from kubestray.cli import findings
from serve.product import run

START = 1_795_000_200  # seconds, at the begin of ten minutes

DETECTION = """
name: Busy
id: 00000000-0000-4000-8000-000000000001
version: 1
type: TTP
search: |-
  | mstats max(cpu) AS load WHERE index=* BY k8s.cluster.name k8s.namespace.name k8s.pod.name
  | where load > 10
schedule: {cron: '*/10 * * * *', earliest: -10m, latest: now}
rba:
  message: $k8s.pod.name$ has $load$
  risk_objects: [{field: k8s.pod.name, type: other, score: 60}]
tags: {mitre_attack_id: [T1496]}
"""


def attribute(key: str, value: str) -> dict:
    return {"key": key, "value": {"stringValue": value}}


@pytest.fixture
def setting(tmp_path: Path) -> dict[str, Path]:
    """A store with a pod that is busy from the tenth to the twentieth minute, and content that sees it."""
    content = tmp_path / "content"
    content.mkdir()
    (content / "busy.yml").write_text(DETECTION)
    names = {"k8s.cluster.name": "prod", "k8s.namespace.name": "shop", "k8s.pod.name": "cart-0"}
    points = [
        {"timeUnixNano": str((START + 60 * m) * 10**9), "asDouble": 50.0 if 10 <= m < 20 else 1.0}
        for m in range(22)
    ]
    metric = {"name": "cpu", "gauge": {"dataPoints": points}}
    resource = {"attributes": [attribute(*pair) for pair in names.items()]}
    request = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}
    (tmp_path / "points.json").write_text(json.dumps(request))
    store = tmp_path / "store"
    assert run("ingest", "--store", store, tmp_path / "points.json").code == 0
    return {"store": store, "content": content}


def test_from_a_replay_to_a_verified_file(setting, tmp_path):
    span = ("--from", str(START + 901), "--to", str(START + 1201))  # one time at which anything is due
    where = ("--store", setting["store"], "--content", setting["content"])
    told = run("replay", *span, *where, "--format", "json")
    assert told.code == 0, told.err
    found = json.loads(told.out)
    (finding,) = [one for one in found["findings"] if one["opened_by"]["name"] == "Busy"]
    assert finding["entity"] == "pod:prod/shop/cart-0"
    assert finding["techniques"] == ["T1496"]
    assert finding["would_not_have_fired"] == ["Busy: load at most 10 (50)"]
    (incident,) = found["incidents"]
    assert incident["steps"][0]["detection"] == "Busy"
    assert incident["findings"] == [finding["id"]]

    manual = (Path(__file__).parents[2] / "docs/findings.md").read_text()
    inner = [one for key in ("parts", "observed", "evidence", "steps") for one in finding[key]]
    untold = {key for one in (finding, incident, *inner) for key in one if f"`{key}`" not in manual}
    assert untold == set()

    file = tmp_path / "finding.json"
    file.write_text(json.dumps(finding))
    verified = run("verify", file)
    assert (verified.code, verified.out) == (0, "identical\n")
    file.write_text(json.dumps({**finding, "score": finding["score"] + 1}))
    verified = run("verify", file)
    assert verified.code == 1
    assert verified.out.startswith("score: ")
    file.write_text("{")
    assert run("verify", file).code == 2
    file.write_text(json.dumps(incident))
    verified = run("verify", file)
    assert (verified.code, "verify each of its findings" in verified.err) == (2, True)

    listed = run("findings", "list", "--store", setting["store"], "--format", "json")
    assert json.loads(listed.out) == []  # nothing of a replay stays


def test_what_is_decided_without_a_reason_or_a_finding_is_refused(setting):
    where = ("--store", setting["store"])
    for arguments, said in (
        (("show", "nothing"), "there is no finding"),
        (("suppress", "--entity", "workload:*"), "reason"),
        (("suppress", "--reason", "x"), "scope"),
        (("suppress", "--entity", "*", "--reason", "x", "--expires", "-1d"), "has to expire after"),
        (("withdraw", "nothing"), "there is no suppression"),
    ):
        told = run("findings", *arguments, *where)
        assert (told.code, said in told.err) == (2, True), told.err
    made = run("findings", "suppress", "--entity", "workload:prod/*", "--reason", "a test", *where)
    assert made.code == 0, made.err
    (known,) = json.loads(run("findings", "suppressions", *where).out)
    assert known["id"] == json.loads(made.out)["id"]
    assert known["reason"] == "a test"
    for action, column in (("suppressions", "reason"), ("audit", "action")):
        table = run("findings", action, "--format", "table", *where).out
        assert column in table.split("─")[0].split(), table
    shown = run("findings", "suppress", "--entity", "pod:*", "--preview", "-30d", "--format", "json", *where)
    assert shown.json == []
    ended = run("findings", "withdraw", known["id"], *where)
    assert (ended.code, ended.json) == (0, {"id": known["id"]}), ended.err
    (after,) = json.loads(run("findings", "suppressions", *where).out)
    assert after["expires"] < known["expires"]


def test_a_user_without_a_name_decides_by_number(monkeypatch):
    """Containers run as users that no file of theirs knows."""

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", unknown)
    parser = argparse.ArgumentParser()
    findings.arguments(parser)
    assert parser.parse_args(["resolve", "ID"]).actor == f"uid {os.getuid()}"
    assert parser.parse_args(["resolve", "ID", "--actor", "ann"]).actor == "ann"
