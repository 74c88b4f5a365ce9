"""A schedule that makes findings of points can be stopped anywhere, and a replay comes to the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from helpers import HOUR, MINUTE, SECOND, batch, series
from kubestray.config import load_config
from kubestray.detect.loader import load_content
from kubestray.detect.scheduler import Patience
from kubestray.model.content import Content
from kubestray.model.finding import rfc3339
from kubestray.pipeline.casework import Casework
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.replaying import Trial, replay
from kubestray.pipeline.schedule import Scheduler
from kubestray.pipeline.setting_up import searching
from kubestray.risk.assessing import Assessor
from kubestray.risk.verifying import differences
from kubestray.store.ledger import Ledger
from kubestray.store.store import Store

START = 1_795_000_020 // 600 * 600 * SECOND
END = START + 2 * HOUR

DETECTION = """
name: {name}
id: 00000000-0000-4000-8000-00000000000{n}
version: 1
type: {type}
search: |-
  | mstats max({metric}) AS load WHERE index=* BY k8s.cluster.name k8s.namespace.name k8s.pod.name
  | where load > 10
schedule: {{cron: '*/{every} * * * *', earliest: -{every}m, latest: now}}
rba:
  message: $k8s.pod.name$ has $load$
  risk_objects: [{{field: k8s.pod.name, type: other, score: {score}}}]
tags: {{mitre_attack_id: [{technique}]}}
"""

KINDS = (
    ("Busy", "Anomaly", "cpu", 10, 60, "T1496"),
    ("Chatty", "Anomaly", "bytes", 10, 60, "T1048"),
    ("Escaped", "TTP", "escapes", 30, 50, "T1611"),
)

RULE = """
name: Much risk
id: 00000000-0000-4000-8000-000000000009
version: 1
type: Correlation
search: |-
  search index=risk
  | stats sum(calculated_risk_score) AS risk_score values(entity) AS entity BY normalized_risk_object
  | where risk_score > 250
schedule: {cron: '*/30 * * * *', earliest: -2h, latest: now}
finding:
  title: Much risk of $normalized_risk_object$
  entity: {field: normalized_risk_object, type: other, score: 0}
"""


@pytest.fixture
def content(tmp_path: Path) -> Content:
    for n, (name, kind, metric, every, score, technique) in enumerate(KINDS):
        text = DETECTION.format(
            name=name, n=n, type=kind, metric=metric, every=every, score=score, technique=technique
        )
        (tmp_path / f"{name.lower()}.yml").write_text(text)
    (tmp_path / "rule.yml").write_text(RULE)
    return load_content([tmp_path])


def points():
    """Cart is busy for 40 minutes and chatty in the last 20, web busy for 6, db escapes once."""
    for minute in range(0, 120, 2):
        time = START + minute * MINUTE + SECOND
        for pod in ("cart-7d9f6c5b8d-x2k4z", "web-6c5b8d7d9f-zz2bk", "db-0"):
            cart = pod.startswith("cart")
            busy = (cart and 20 <= minute < 60) or (pod.startswith("web") and 20 <= minute < 26)
            chatty = cart and 40 <= minute < 60
            escaped = pod == "db-0" and minute == 80
            for metric, high in (("cpu", busy), ("bytes", chatty), ("escapes", escaped)):
                where = {
                    "k8s.cluster.name": "prod",
                    "k8s.namespace.name": "shop",
                    "k8s.pod.name": pod,
                    "k8s.node.name": "n1",
                }
                yield series(metric, **where), time, 0, 50.0 if high else 1.0


def live(store: Store, content: Content, restarts: tuple[int, ...] = ()) -> None:
    """Run the schedule as `serve` does, every ten minutes; a new scheduler goes on after each restart."""
    now = [START]

    def new() -> Scheduler:
        detector = Detector(store, content, searching(load_config({}, {}, None)))
        patience = Patience(lateness=0, idle=HOUR, catch_up=24 * HOUR)
        return Scheduler(store, content, detector, patience, lambda: now[0])

    scheduler = new()
    for minute in range(0, 121, 10):
        if minute in restarts:
            scheduler = new()
            scheduler.resume(now[0])
        now[0] = START + minute * MINUTE
        scheduler.pass_once(now[0])


def documents(store: Store, kind: str) -> list[dict]:
    return sorted((one.document for one in Ledger(store).latest(kind=kind)), key=lambda told: told["id"])


@pytest.mark.more("distributed")
def test_what_ran_live_stopped_or_not_and_what_is_replayed_are_the_same(store, content):
    store.append(batch(points()))
    make = searching(load_config({}, {}, None))
    replayed = replay(store, content, make, START, END, lambda *_: None)
    assert Ledger(store).latest() == []  # nothing of a replay stays
    assert Ledger(store).risk(0, END) == []
    live(store, content, restarts=(40, 70, 100))
    assert replayed.errors == {}
    assert sorted(replayed.findings, key=lambda told: told["id"]) == documents(store, "finding")
    assert sorted(replayed.incidents, key=lambda told: told["id"]) == documents(store, "incident")

    cart = [told for told in replayed.findings if told["entity"] == "pod:prod/shop/cart-7d9f6c5b8d-x2k4z"]
    assert {told["opened_by"]["how"] for told in cart} == {"threshold", "rule"}
    (risen,) = [told for told in cart if told["opened_by"]["how"] == "threshold"]
    # Busy is seen from 0:30 on, chatty from 0:50 on: together they come to more than 100 then.
    assert risen["opened"] == rfc3339(START + 50 * MINUTE)
    assert [step["detection"] for step in risen["steps"]] == ["Busy", "Chatty"]
    assert [told["title"] for told in replayed.findings if "db-0" in told["entity"]] == ["Escaped: shop/db-0"]
    assert not [told for told in replayed.findings if "web" in told["entity"]]
    assert all(differences(told) == [] for told in replayed.findings)


def test_a_trial_tells_what_one_detection_alone_would_have_found(embedded, content):
    """What others found is left out, but for a rule, which looks at it."""
    embedded.append(batch(points()))
    live(embedded, content)
    before = Ledger(embedded).latest()

    def tried(name: str, risk_until: int = 0, every: int = 1):
        alone = dataclasses.replace(content, detections={name: content.detections[name]})
        runs: list[tuple[int, int]] = []
        trial = Trial(lambda when, run: runs.append((when, len(run.outcome.rows))), every, risk_until)
        make = searching(load_config({}, {}, None))
        return replay(embedded, alone, make, START, END, lambda *_: None, trial=trial), runs

    escaped, runs = tried("Escaped")
    assert [told["title"] for told in escaped.findings] == ["Escaped: shop/db-0"]
    assert [rows for _, rows in runs] == [0, 0, 1, 0]
    assert tried("Escaped", every=2)[0].runs == 2
    rule, _ = tried("Much risk", risk_until=END)
    assert [told for told in rule.findings if told["opened_by"]["name"] == "Much risk"]
    assert Ledger(embedded).latest() == before  # nothing of a trial stays


def test_a_crash_between_runs_and_their_findings_loses_and_doubles_nothing(embedded, content, monkeypatch):
    """What is recorded before the crash is recorded again: the same rows."""
    embedded.append(batch(points()))
    make = searching(load_config({}, {}, None))
    expected = replay(embedded, content, make, START, END, lambda *_: None)

    record, fail = Ledger.record_changes, {"at": 2}

    def failing(self, changes):
        record(self, changes)
        fail["at"] -= bool(changes)
        if fail["at"] == 0:
            raise KeyboardInterrupt  # the process dies here

    monkeypatch.setattr(Ledger, "record_changes", failing)
    with pytest.raises(KeyboardInterrupt):
        live(embedded, content)
    monkeypatch.setattr(Ledger, "record_changes", record)
    live(embedded, content, restarts=(0,))
    found = documents(embedded, "finding")
    assert found == sorted(expected.findings, key=lambda told: told["id"])
    for told in found:
        sequences = [change.sequence for change in Ledger(embedded).changes(told["id"])]
        assert sequences == list(range(1, len(sequences) + 1))


def test_a_fault_in_findings_is_told_and_made_up_for(embedded, content, monkeypatch, caplog):
    embedded.append(batch(points()))
    advance, faults = Assessor.advance, [START + 50 * MINUTE]

    def failing(self, now, events, hits=()):
        if now in faults:
            faults.remove(now)
            raise LookupError("no such thing")
        return advance(self, now, events, hits)

    monkeypatch.setattr(Assessor, "advance", failing)
    live(embedded, content)
    assert "findings at" in caplog.text
    assert "no such thing" in caplog.text
    found = documents(embedded, "finding")
    (risen,) = [told for told in found if told["opened_by"]["how"] == "threshold"]
    assert risen["opened"] == rfc3339(START + 60 * MINUTE)  # ten minutes later than without the fault
    assert [step["detection"] for step in risen["steps"]] == ["Busy", "Chatty"]


def test_what_is_suppressed_is_recorded_and_is_no_finding_and_a_preview_tells_so(embedded, content):
    embedded.append(batch(points()))
    make = searching(load_config({}, {}, None))
    scope = {"entity": "workload:prod/shop/cart"}
    cases = Casework(embedded, clock=lambda: START)
    before = replay(embedded, content, make, START, END, lambda *_: None)
    identity = cases.suppress(scope, "a load test", "ann", END)
    hidden = replay(embedded, content, make, START, END, lambda *_: None)
    assert {told["title"] for told in before.findings} - {told["title"] for told in hidden.findings}
    assert not [told for told in hidden.findings if "cart" in told["entity"]]
    live(embedded, content)
    marked = [event.fields.get("suppressed_by") for event in Ledger(embedded).risk(0, END)]
    assert identity in marked
    assert None in marked

    cases.withdraw(identity, "ann")
    assert [one.expires for one in cases.suppressions()] == [START]
    assert {told["entity"] for told in cases.preview({"detection": "Escaped"}, 0)} == {"pod:prod/shop/db-0"}


def test_decisions_make_the_state_and_are_kept(embedded, content):
    embedded.append(batch(points()))
    live(embedded, content)
    clock = [END]
    cases = Casework(embedded, clock=lambda: clock[0])
    finding = next(told for told in cases.documents("finding") if "db-0" in told["entity"])
    assert finding["state"] == "new"
    for action, detail, state in (
        ("acknowledge", {}, "acknowledged"),
        ("assign", {"owner": "bob"}, "acknowledged"),
        ("comment", {"text": "looks <b>odd</b>"}, "acknowledged"),
        ("resolve", {"text": "was us"}, "resolved"),
        ("reopen", {}, "new"),
    ):
        clock[0] += SECOND
        assert cases.decide(action, finding["id"], "ann", **detail)["state"] == state
    told = cases.document(finding["id"])
    assert told["owner"] == "bob"
    assert [comment["text"] for comment in told["comments"]] == ["looks <b>odd</b>", "was us"]
    assert [one["action"] for one in told["history"]] == [
        "acknowledge", "assign", "comment", "resolve", "reopen",
    ]  # fmt: skip
    assert cases.documents("finding", ["resolved"]) == []
    assert differences(json.loads(json.dumps(told))) == []  # what was decided is no part of what is verified
    clock[0] += SECOND
    assert cases.decide("expect", finding["id"], "ann")["state"] == "resolved"
    assert [one.detection for one in cases.suppressions()] == ["Escaped"]
