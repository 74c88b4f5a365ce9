"""Alerts: labels that stay, ends that resolve, what is open kept alive."""

from __future__ import annotations

import json

from documents import FINDING_ID, INCIDENT_ID, OPENED, SECOND, change, finding, incident, notice

from kubestray.notify.notice import Notice
from kubestray.notify.outputs.alertmanager import alert, alerts, labels, payload

LABELS = {
    "alertname": "Outbound traffic of a process",
    "severity": "high",
    "kind": "finding",
    "finding": FINDING_ID,
    "detection": "Outbound traffic of a process",
    "cluster": "prod",
    "namespace": "shop",
    "workload": "checkout",
    "process": "node",
}


def test_an_alert_that_fires():
    body, headers = payload(alerts(notice(finding())))
    assert headers == {"Content-Type": "application/json"}
    assert json.loads(body) == [
        {
            "labels": LABELS,
            "annotations": {
                "summary": "[HIGH] Outbound surge of shop/checkout",
                "description": "node of shop/checkout sent 48211900 bytes, 79 times what is usual at 03:00.",
                "score": "72",
                "state": "new",
                "techniques": "T1048",
                "entities": "process:prod/shop/checkout/node, workload:prod/shop/checkout, "
                "edge:prod/shop/checkout>batch/reports",
                "observed": "tcp.bytes 48211900 (expected 611000, upper 4020000)",
                "respond": "Look at where the bytes went.",
            },
            "startsAt": "2026-11-22T03:10:00Z",
        }
    ]


def test_the_labels_of_an_incident():
    assert labels(notice(incident())) == {
        "alertname": "Incident",
        "severity": "critical",
        "kind": "incident",
        "finding": INCIDENT_ID,
        "cluster": "prod",
        "namespace": "shop",
        "workload": "checkout",
    }


def test_a_later_score_leaves_the_labels_alone():
    later = notice(finding(score=75, title="Another title", state="acknowledged"), 2, "updated", first=False)
    assert labels(later) == LABELS


def test_an_end_resolves():
    over = notice(finding(state="closed"), 5, "closed", first=False, ended=True)
    assert alert(over)["endsAt"] == "2026-11-22T03:10:00.001Z", "an end must be after its beginning"
    decided = change(finding(state="resolved"), 5, "decided", OPENED + 90 * SECOND)
    assert alert(Notice(decided, first=False, ended=True))["endsAt"] == "2026-11-22T03:11:30Z"


def test_another_severity_ends_the_alert_with_the_old_one():
    worse = notice(finding(severity="critical"), 2, "updated", first=False, reference={"labels": LABELS})
    old, new = alerts(worse)
    assert old["labels"] == LABELS
    assert (old["startsAt"], old["endsAt"]) == ("2026-11-22T03:10:00Z", "2026-11-22T03:10:00.001Z")
    assert new["labels"] == {**LABELS, "severity": "critical"}
    assert "endsAt" not in new
    assert len(alerts(notice(finding(), 2, "updated", first=False, reference={"labels": LABELS}))) == 1


def test_a_test_has_a_label():
    assert labels(notice(finding(), test=True))["test"] == "true"
