"""OCSF Detection Findings: valid by the published schema, and saying what the document says."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from documents import EDGE, FINDING_ID, INCIDENT_ID, OPENED, PROCESS, WORKLOAD, finding, incident, notice
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from kubestray import __version__
from kubestray.notify import ocsf
from kubestray.notify.outputs.ocsf_webhook import payload

MS = OPENED // 10**6


@pytest.fixture(scope="module")
def validator():
    """The class as the schema's authors publish it; it refuses keys that the class does not have."""
    made = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=ocsf.VERSION))
    return jsonschema_rs.Draft202012Validator(made.get_class_schema(class_name="detection_finding"))


NOTICES = {
    "opened": notice(finding()),
    "updated": notice(finding(score=80.25), 2, "updated", first=False),
    "closed": notice(finding(state="closed"), 3, "closed", first=False, ended=True),
    "acknowledged": notice(finding(state="acknowledged", owner="ann"), 2, "decided", first=False),
    "commented": notice(
        finding(
            history=[{"actor": "ann", "action": "comment", "text": "was us"}], comments=[{"text": "was us"}]
        ),
        1,
        "decided",
        first=False,
    ),
    "suppressed": notice(finding(state="suppressed"), 2, "decided", first=False),
    "joined": notice(finding(incident=INCIDENT_ID), 2, "updated", first=False, ended=True),
    "without limits": notice(finding(observed=[{"field": "n", "value": "a lot"}])),
    "by risk": notice(finding(opened_by={"how": "threshold"}, observed=[], evidence=[], tactics=[])),
    "bare": notice(finding(observed=[], evidence=[], entities=[], techniques=[], tactics=[], respond=[])),
    "incident": notice(incident()),
    "merged": notice(incident(merged_into="2e" * 16), 2, "merged", first=False, ended=True),
    "test": notice(finding(), test=True),
}


@pytest.mark.parametrize("name", NOTICES)
def test_every_event_is_valid(validator, name):
    body, headers = payload(NOTICES[name])
    told = NOTICES[name]
    assert [error.message for error in validator.iter_errors(json.loads(body))] == []
    assert headers == {"Content-Type": "application/json", "Idempotency-Key": told.uid}


def test_the_validator_refuses(validator):
    event = ocsf.detection_finding(NOTICES["opened"])
    assert not validator.is_valid({**event, "colour": "red"})
    assert not validator.is_valid({**event, "finding_info": {"title": "no uid"}})


def test_a_finding():
    event = ocsf.detection_finding(notice(finding()))
    evidence, resources = event.pop("evidences"), event.pop("resources")
    del event["unmapped"]
    assert event == {
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200401,
        "type_name": "Detection Finding: Create",
        "time": 1_795_317_000_000,
        "start_time": 1_795_316_880_000,
        "end_time": 1_795_316_940_000,
        "severity_id": 4,
        "severity": "High",
        "status_id": 1,
        "status": "New",
        "is_alert": True,
        "risk_score": 72,
        "risk_level_id": 3,
        "risk_level": "High",
        "message": "node of shop/checkout sent 48211900 bytes, 79 times what is usual at 03:00.",
        "metadata": {
            "version": "1.5.0",
            "uid": f"{FINDING_ID}-1",
            "product": {"name": "kubestray", "vendor_name": "kubestray", "version": __version__},
        },
        "finding_info": {
            "uid": FINDING_ID,
            "title": "Outbound surge of shop/checkout",
            "desc": "node of shop/checkout sent 48211900 bytes, 79 times what is usual at 03:00.",
            "types": ["finding"],
            "created_time": MS,
            "modified_time": MS,
            "first_seen_time": MS - 120_000,
            "last_seen_time": MS - 60_000,
            "attacks": [
                {"technique": {"uid": "T1048"}, "tactic": {"uid": "TA0010", "name": "Exfiltration"}},
            ],
            "analytic": {"uid": "7d0c", "name": "Outbound traffic of a process", "type_id": 2},
        },
        "anomaly_analyses": [
            {
                "analysis_targets": [{"name": "shop/checkout/node", "type": "process"}],
                "anomalies": [
                    {
                        "observation_parameter": "tcp.bytes",
                        "observed_pattern": "SURGE",
                        "observations": [{"value": "48211900"}],
                    }
                ],
                "baselines": [
                    {
                        "observation_parameter": "tcp.bytes",
                        "observations": [{"value": "expected=611000 upper=4020000"}],
                    }
                ],
            }
        ],
        "remediation": {"desc": "Look at where the bytes went."},
    }
    assert [(one["name"], one["uid"], one["process"]) for one in evidence] == [
        ("Outbound traffic of a process", "e1", {"uid": PROCESS, "name": "node"})
    ]
    assert evidence[0]["data"]["row"] == {"pod": "checkout-x", "tcp.bytes": 48_211_900}
    assert [(one["type"], one["name"], one["namespace"], one["uid"]) for one in resources] == [
        ("process", "shop/checkout/node", "shop", PROCESS),
        ("workload", "shop/checkout", "shop", WORKLOAD),
        ("edge", "shop/checkout>batch/reports", "shop", EDGE),
    ]


def test_an_incident_names_its_findings_steps_and_endpoints():
    event = ocsf.detection_finding(notice(incident()))
    info = event["finding_info"]
    assert (info["uid"], info["types"]) == (INCIDENT_ID, ["incident"])
    assert info["related_events"] == [{"uid": FINDING_ID, "type_uid": 200401}]
    assert [one["technique"]["uid"] for one in info["attacks"] if "technique" in one] == ["T1059", "T1048"]
    assert [one["tactic"]["uid"] for one in info["attacks"] if "tactic" in one] == ["TA0002", "TA0010"]
    assert [step["detection"] for step in event["unmapped"]["steps"]] == [
        "Shell in a container",
        "Outbound surge",
    ]
    assert event["risk_score"] == 164
    assert {"src_endpoint": {"name": "shop/checkout"}, "dst_endpoint": {"name": "batch/reports"}} in event[
        "evidences"
    ]


@pytest.mark.parametrize(
    ("name", "activity", "status", "detail"),
    [
        ("opened", 1, 1, None),
        ("updated", 2, 1, None),
        ("acknowledged", 2, 2, None),
        ("suppressed", 2, 3, None),
        ("closed", 3, 4, "has become quiet"),
        ("joined", 3, 1, f"part of incident {INCIDENT_ID}"),
    ],
)
def test_what_becomes_of_a_finding(name, activity, status, detail):
    event = ocsf.detection_finding(NOTICES[name])
    assert (event["activity_id"], event["type_uid"], event["status_id"], event.get("status_detail")) == (
        activity,
        200400 + activity,
        status,
        detail,
    )


def test_a_value_below_its_limit_is_a_drop():
    event = ocsf.detection_finding(notice(finding(observed=[{"field": "rps", "value": 0.5, "lower": 2}])))
    assert event["anomaly_analyses"][0]["anomalies"][0]["observed_pattern"] == "DROP"
    assert event["anomaly_analyses"][0]["baselines"][0]["observations"] == [{"value": "lower=2"}]


def test_what_a_person_decided_is_a_comment():
    assert ocsf.detection_finding(NOTICES["commented"])["comment"] == "ann: comment: was us"
    assert "comment" not in ocsf.detection_finding(NOTICES["updated"])


def test_a_test_is_marked():
    event = ocsf.detection_finding(NOTICES["test"])
    assert event["is_alert"] is False
    assert event["finding_info"]["title"].startswith("[TEST]")
