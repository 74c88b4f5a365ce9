"""The payloads of the other outputs, worked out by hand, and what they do with answers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from documents import FINDING_ID, INCIDENT_ID, OPENED, PROCESS, SECOND, change, finding, incident, notice
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from receiver import Receiver, Reply

from kubestray import __version__
from kubestray.model.finding import written
from kubestray.notify import ocsf, words
from kubestray.notify.notice import Notice
from kubestray.notify.output import NotDelivered
from kubestray.notify.outputs import ecs, falcosidekick, otlp_logs, pagerduty, splunk_hec, webhook
from kubestray.notify.secret import Secret

KEY = "r0ut1ng-s3cr3t"


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def values(receiver: Receiver, **more):
    return {"url": Secret("test", lambda: receiver.url), "timeout": 5 * SECOND, **more}


def secret(text: str) -> Secret:
    return Secret("test", lambda: text)


def decided(state: str, *, first: bool = False, ended: bool = False) -> Notice:
    return Notice(change(finding(state=state), 2, "decided"), first=first, ended=ended)


def test_pagerduty():
    body, headers = pagerduty.payload(notice(finding()), KEY)
    event = json.loads(body)
    details = event["payload"].pop("custom_details")
    assert headers == {"Content-Type": "application/json"}
    assert event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": FINDING_ID,
        "client": "kubestray",
        "payload": {
            "summary": "[HIGH] Outbound surge of shop/checkout",
            "source": PROCESS,
            "severity": "error",
            "timestamp": "2026-11-22T03:10:00.000Z",
            "component": "shop/checkout/node",
            "group": "shop",
            "class": "Outbound traffic of a process",
        },
    }
    assert details["would_not_have_fired"] == ["With 4020000 bytes or fewer."]
    assert (
        len(json.loads(pagerduty.payload(notice(finding(title="t" * 3000)), KEY)[0])["payload"]["summary"])
        == 1024
    )


@pytest.mark.parametrize(
    ("told", "action"),
    [
        (decided("acknowledged"), "acknowledge"),
        (decided("acknowledged", first=True), "trigger"),
        (decided("new"), "trigger"),
        (decided("resolved", ended=True), "resolve"),
        (decided("suppressed", ended=True), "resolve"),
        (notice(finding(), 2, "updated", first=False), "trigger"),
        (notice(incident(state="closed"), 3, "closed", first=False, ended=True), "resolve"),
    ],
)
def test_what_pagerduty_is_asked_to_do(told, action):
    assert json.loads(pagerduty.payload(told, KEY)[0])["event_action"] == action


@pytest.mark.parametrize(("steps", "characters", "told"), [(20_000, 10, 1000), (50, 100_000, 50)])
def test_pagerduty_hears_of_what_is_too_large_for_it(steps, characters, told):
    """It refuses more than 512 KB for good, and nobody would be called for what is largest."""
    step = {"detection": "New program", "entity": PROCESS, "message": "m" * characters}
    large = incident(steps=[{**step, "count": n} for n in range(steps)], entity=f"{PROCESS}{'x' * 600_000}")
    body, _ = pagerduty.payload(notice(large), "key")
    assert len(body) < 512 * 1000
    details = json.loads(body)["payload"]["custom_details"]
    assert len(details["steps"]) == told
    assert details["left_out"] == ({"steps": steps - told} if steps > told else {})


def test_pagerduty_says_the_key_back(receiver):
    receiver.otherwise = Reply(400, f'{{"errors": ["{KEY} is no key"]}}'.encode())
    output = pagerduty.Pagerduty("pd", values(receiver, routing_key=secret(KEY)))
    with pytest.raises(NotDelivered) as told:
        output.deliver(notice(finding()))
    assert KEY not in str(told.value)
    assert "*** is no key" in str(told.value)
    assert receiver.requests[0].path == "/v2/enqueue"
    assert (
        pagerduty.Pagerduty("pd", {**values(receiver), "url": None}).where == "https://events.pagerduty.com"
    )


def test_splunk_gets_each_risk_event_once(receiver):
    output = splunk_hec.SplunkHec("es", values(receiver, token=secret("t"), index="risk", sourcetype="stash"))
    reference = output.deliver(notice(finding()))
    assert reference == {"risk_events": ["e1"]}
    request = receiver.taken[0]
    assert (request.path, request.headers["authorization"]) == ("/services/collector/event", "Splunk t")
    assert request.json == {
        "time": 1_795_316_940,
        "index": "risk",
        "source": "Outbound traffic of a process",
        "sourcetype": "stash",
        "host": "prod",
        "event": {
            "search_name": "Outbound traffic of a process",
            "risk_object": "shop/checkout/node",
            "risk_object_type": "other",
            "risk_score": 72.0,
            "risk_message": "node sent 48211900 bytes",
            "annotations": '{"mitre_attack":["T1048"]}',
            "annotations.mitre_attack": ["T1048"],
            "kubestray_finding": FINDING_ID,
            "kubestray_entity": PROCESS,
            "risk_event": "e1",
        },
    }
    output.deliver(notice(finding(), 2, "updated", first=False, reference=reference))
    assert len(receiver.taken) == 1
    old = finding()["evidence"][0]
    new = {**old, "risk_event": "e2", "entity": "node:prod//n1", "detection": "Another"}
    later = finding(evidence=[old, new])
    assert output.deliver(notice(later, 3, "updated", first=False, reference=reference)) == {
        "risk_events": ["e1", "e2"]
    }
    sent = receiver.taken[1].json["event"]
    assert (sent["risk_event"], sent["risk_object"], sent["risk_object_type"]) == ("e2", "n1", "system")
    assert splunk_hec.SplunkHec.kinds == ("finding",)
    assert output.deliver(notice(incident())) == {"risk_events": []}
    assert len(receiver.taken) == 2


def test_our_own_document():
    body, headers = webhook.payload(notice(finding(state="closed"), 7, "closed", first=False, ended=True))
    assert json.loads(body) == {
        "change": {
            "id": FINDING_ID,
            "kind": "finding",
            "sequence": 7,
            "time": "2026-11-22T03:10:00.000Z",
            "change": "closed",
            "first": False,
            "ended": True,
            "test": False,
        },
        "document": finding(state="closed"),
    }
    assert headers["Idempotency-Key"] == f"{FINDING_ID}-7"


def test_falcosidekick():
    body, _ = falcosidekick.payload(notice(finding()))
    assert json.loads(body) == {
        "output": "[HIGH] Outbound surge of shop/checkout: "
        "node of shop/checkout sent 48211900 bytes, 79 times what is usual at 03:00.",
        "priority": "Error",
        "rule": "Outbound traffic of a process",
        "source": "kubestray",
        "time": "2026-11-22T03:10:00.000Z",
        "hostname": "prod",
        "tags": ["T1048", "mitre_exfiltration"],
        "output_fields": {
            "k8s.cluster.name": "prod",
            "k8s.ns.name": "shop",
            "k8s.workload.name": "checkout",
            "proc.name": "node",
            "entity": PROCESS,
            "score": "72",
            "state": "new",
            "finding": FINDING_ID,
            "change": f"{FINDING_ID}-1",
        },
    }


@pytest.mark.parametrize(
    "document", [finding(sentence="s" * 9000), incident(), finding(entity="x", entities=[])]
)
def test_falcosidekick_takes_texts_only_and_little(document):
    body, _ = falcosidekick.payload(notice(document))
    fields = json.loads(body)["output_fields"]
    assert fields
    assert all(isinstance(value, str) for value in fields.values())
    assert len(body) <= 4096


def test_ecs():
    made = ecs.document_of(notice(finding()))
    assert made == {
        "@timestamp": "2026-11-22T03:10:00.000Z",
        "ecs": {"version": "9.0.0"},
        "message": "node of shop/checkout sent 48211900 bytes, 79 times what is usual at 03:00.",
        "tags": [],
        "event": {
            "kind": "alert",
            "category": ["process"],
            "type": ["start"],
            "id": f"{FINDING_ID}-1",
            "module": "kubestray",
            "dataset": "kubestray.findings",
            "severity": 73,
            "risk_score": 72.0,
            "start": "2026-11-22T03:08:00Z",
            "end": "2026-11-22T03:09:00Z",
        },
        "observer": {"vendor": "kubestray", "product": "kubestray", "version": __version__},
        "rule": {"name": "Outbound traffic of a process", "id": "7d0c"},
        "threat": {
            "framework": "MITRE ATT&CK",
            "tactic": {"id": ["TA0010"], "name": ["Exfiltration"]},
            "technique": {"id": ["T1048"]},
        },
        "kubestray": {
            "kind": "finding",
            "id": FINDING_ID,
            "title": "Outbound surge of shop/checkout",
            "state": "new",
            "severity": "high",
            "entity": PROCESS,
            "entities": finding()["entities"],
            "observed": finding()["observed"],
        },
        "orchestrator": {"type": "kubernetes", "cluster": {"name": "prod"}, "namespace": "shop"},
        "process": {"name": "node", "executable": "node"},
    }


def test_elasticsearch_has_it_already(receiver):
    receiver.replies = [Reply(201, b"{}"), Reply(409, b"version conflict"), Reply(403)]
    output = ecs.Ecs("es", values(receiver, api_key=secret("k"), index="findings"))
    for _ in range(2):
        output.deliver(notice(finding()))
    assert [request.path for request in receiver.requests] == [f"/findings/_create/{FINDING_ID}-1"] * 2
    assert receiver.requests[0].headers["authorization"] == "ApiKey k"
    with pytest.raises(NotDelivered, match="403"):
        output.deliver(notice(finding()))


def test_otlp_logs(receiver):
    output = otlp_logs.OtlpLogs("col", values(receiver))
    output.deliver(notice(incident()))
    request = receiver.taken[0]
    assert (request.path, request.headers["content-type"]) == ("/v1/logs", "application/x-protobuf")
    (resource,) = ExportLogsServiceRequest.FromString(request.body).resource_logs
    assert {one.key: one.value.string_value for one in resource.resource.attributes} == {
        "service.name": "kubestray",
        "service.version": __version__,
    }
    (record,) = resource.scope_logs[0].log_records
    assert (record.event_name, record.severity_number, record.severity_text) == (
        "kubestray.incident",
        21,
        "critical",
    )
    assert record.time_unix_nano == OPENED + 1
    assert json.loads(record.body.string_value) == json.loads(
        written(ocsf.detection_finding(notice(incident())))
    )
    told = {one.key: one.value.string_value or one.value.double_value for one in record.attributes}
    assert told == {
        "k8s.cluster.name": "prod",
        "k8s.namespace.name": "shop",
        "kubestray.id": INCIDENT_ID,
        "kubestray.change": "opened",
        "kubestray.change.uid": f"{INCIDENT_ID}-1",
        "kubestray.entity": "workload:prod/shop/checkout",
        "kubestray.state": "new",
        "kubestray.score": 164.5,
    }
    partial = ExportLogsPartialSuccess(rejected_log_records=1, error_message="too old")
    receiver.otherwise = Reply(200, ExportLogsServiceResponse(partial_success=partial).SerializeToString())
    with pytest.raises(NotDelivered, match="too old") as error:
        output.deliver(notice(incident()))
    assert error.value.permanent


def test_what_is_news_for_people():
    before = notice(incident(), reference={"told": words.news(incident())}, first=False)

    def changed(**more) -> bool:
        return words.is_news(replace(before, change=change(incident(**more), 2, "updated")))

    assert not changed()
    assert not changed(score=170.25, last_seen="2026-11-22T04:00:00Z", sentence="More of it.")
    assert changed(severity="high")
    assert changed(owner="ann")
    assert changed(techniques=["T1059"])
    assert changed(steps=[*incident()["steps"], {**incident()["steps"][0], "detection": "Miner"}])
    assert not changed(steps=[{**step, "score": 99, "count": 7} for step in incident()["steps"]])


@pytest.mark.parametrize(
    "answer",
    [
        "nothing at /in/T0/abcdefgh-12345678?key=s3cr3t-query&x=1",
        "unknown hook abcdefgh-12345678",
        "bad key s3cr3t-query",
        "refused Basic dXNlcjpzM2NyM3QtcGFzcw==",
        "refused s3cr3t-pass",
    ],
)
def test_what_a_receiver_says_of_a_secret_is_not_told(receiver, answer):
    receiver.replies = [Reply(400, answer.encode())]
    where = receiver.url + "/in/T0/abcdefgh-12345678?key=s3cr3t-query&x=1"
    sending = webhook.Webhook(
        "hook",
        values(receiver, url=secret(where), user="user", password=secret("s3cr3t-pass")),
    )
    with pytest.raises(NotDelivered) as told:
        sending.deliver(notice(finding()))
    for one in ("s3cr3t", "12345678", "dXNl"):
        assert one not in str(told.value)
    assert "***" in str(told.value)
