"""Result rows to risk events: fields, messages, identity; stored once on every engine."""

from __future__ import annotations

import dataclasses
import json

import pytest
from sqlglot import parse_one

from helpers import HOUR, NOW, Row
from kubestray.config import load_config
from kubestray.detect.runner import Times
from kubestray.model.content import Content, Detection, RiskObject, ThreatObject
from kubestray.model.errors import Position
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.setting_up import searching
from kubestray.risk.attack import TACTICS, TECHNIQUES
from kubestray.risk.events import fill, risk_events
from kubestray.search.run import Request, run_search
from kubestray.store.points import Span
from kubestray.store.store import Store

WINDOW = (NOW - HOUR, NOW)

DETECTION = Detection(
    name="Too much",
    id="a-b",
    version=1,
    type="Anomaly",
    status="production",
    description="Says when it is too much.",
    search="",
    path="too_much.yml",
    place=Position(1, 1),
    schedule=None,
    raw={},
    message="$user$ on $k8s.node.name$ took $n$",
    risk_objects=(RiskObject("host", "system", 25.0), RiskObject("user", "user", 10.0)),
    threat_objects=(ThreatObject("src", "ip_address"),),
    techniques=("T1204", "T1048"),
    stories=("A story",),
    security_domain="network",
)


def test_one_event_a_row_and_risk_object() -> None:
    rows: list[Row] = [
        {"host": "Node-1", "user": "u", "n": 5, "k8s.node.name": "x", "src": "10.0.0.1"},
        {"host": "h2"},
        {"n": 1},
    ]
    events = risk_events(DETECTION, rows, WINDOW, NOW)
    assert [(e.risk_object, e.risk_object_type, e.risk_score) for e in events] == [
        ("Node-1", "system", 25.0),
        ("u", "user", 10.0),
        ("h2", "system", 25.0),
    ]
    assert {e.time for e in events} == {NOW}
    assert {e.detection for e in events} == {"Too much"}


def test_the_fields_are_those_of_the_risk_index() -> None:
    row: Row = {"host": "Node-1", "user": "u", "n": 5, "k8s.node.name": "x", "src": "10.0.0.1", "_time": 17.0}
    event = risk_events(DETECTION, [row], WINDOW, NOW)[0]
    assert {name for name, value in row.items() if event.fields[name] != value} == {"_time"}
    expected = {
        "search_name": "Too much",
        "risk_object": "Node-1",
        "risk_object_type": "system",
        "risk_object_field": "host",
        "normalized_risk_object": "node-1",
        "risk_score": 25.0,
        "calculated_risk_score": 25.0,
        "risk_message": "u on x took 5",
        "threat_object": ["10.0.0.1"],
        "threat_object_type": ["ip_address"],
        "analyticstories": ["A story"],
        "annotations.mitre_attack": ["T1204", "T1048"],
        "savedsearch_description": "Says when it is too much.",
        "security_domain": "network",
        "info_min_time": (NOW - HOUR) / 1e9,
        "info_max_time": NOW / 1e9,
        "info_search_time": NOW / 1e9,
        "orig_time": 17.0,
        "_time": NOW / 1e9,
    }
    assert {name: event.fields.get(name) for name in expected} == expected


def test_techniques_say_which_tactics_they_serve() -> None:
    detection = dataclasses.replace(DETECTION, techniques=("T1204", "T1059.004", "T1078", "T9999"))
    fields = risk_events(detection, [{"host": "h"}], WINDOW, NOW)[0].fields
    place = "annotations.mitre_attack"
    assert fields[f"{place}.mitre_technique_id"] == ["T1204", "T1059.004", "T1078", "T9999"]
    assert fields[f"{place}.mitre_technique"] == [
        "User Execution",
        "Command and Scripting Interpreter",
        "Valid Accounts",
    ]
    tactics = ["execution", "initial-access", "persistence", "privilege-escalation", "defense-evasion"]
    assert fields[f"{place}.mitre_tactic"] == tactics
    assert fields[f"{place}.mitre_tactic_id"] == ["TA0002", "TA0001", "TA0003", "TA0004", "TA0005"]


def test_tactics_of_techniques_are_known() -> None:
    assert {tactic for one in TECHNIQUES.values() for tactic in one.tactics} <= set(TACTICS)


@pytest.mark.parametrize(
    ("raw", "source"),
    [
        ({"tags": {"product": ["Splunk Enterprise", "Splunk Cloud"]}}, "ESCU - Too much - Rule"),
        ({"product": "Splunk Enterprise Security"}, "ESCU - Too much - Rule"),
        ({"tags": {"product": ["another"]}}, "Too much"),
        ({"tags": None}, "Too much"),
    ],
)
def test_content_published_for_splunk_keeps_the_name_of_its_saved_search(raw: Row, source: str) -> None:
    detection = dataclasses.replace(DETECTION, raw=raw)
    assert risk_events(detection, [{"host": "h"}], WINDOW, NOW)[0].fields["source"] == source


def test_data_sources_are_annotations() -> None:
    detection = dataclasses.replace(DETECTION, raw={"data_source": ["Kubernetes metrics"]})
    event = risk_events(detection, [{"host": "h"}], WINDOW, NOW)[0]
    assert event.fields["annotations.data_source"] == ["Kubernetes metrics"]
    assert json.loads(event.fields["annotations"])["data_source"] == ["Kubernetes metrics"]


@pytest.mark.parametrize(
    "name",
    [
        "annotations",
        "annotations.analytic_story",
        "annotations.type",
        "annotations.type_list",
        "contributing_events_search",
    ],
)
def test_the_rest_of_the_fields_of_the_risk_index(name: str) -> None:
    event = risk_events(DETECTION, [{"host": "h"}], WINDOW, NOW)[0]
    assert event.fields.get(name)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("$a$ and $k8s.b$", "1 and x"),
        ("$many$", "p, q"),
        ("$gone$", "unknown"),
        ("5$ or 6$", "5$ or 6$"),
        ("$a$$a$", "11"),
        ("$$", "$$"),
        ("no tokens", "no tokens"),
        ("$t$", "$a$"),
    ],
)
def test_messages_are_filled_in(message: str, expected: str) -> None:
    assert fill(message, {"a": 1, "k8s.b": "x", "many": ["p", "q"], "t": "$a$"}) == expected


def test_several_values_are_several_risk_objects() -> None:
    events = risk_events(DETECTION, [{"host": ["a", "b", "a"]}], WINDOW, NOW)
    assert [event.risk_object for event in events] == ["a", "b"]


def test_the_identity_is_detection_window_row_and_risk_object() -> None:
    row: Row = {"host": "h", "user": "u", "m": ["x", "y"], "n": 0.1}
    again: Row = dict(reversed(row.items()))
    one = [event.id for event in risk_events(DETECTION, [row], WINDOW, NOW)]
    assert len(set(one)) == 2
    assert [event.id for event in risk_events(DETECTION, [again], WINDOW, NOW + 5)] == one
    others = [
        risk_events(dataclasses.replace(DETECTION, id="other"), [row], WINDOW, NOW),
        risk_events(DETECTION, [row], (WINDOW[0], WINDOW[1] + 1), NOW),
        risk_events(DETECTION, [{**row, "n": 0.2}], WINDOW, NOW),
        risk_events(DETECTION, [{**row, "n": "0.1"}], WINDOW, NOW),
        risk_events(DETECTION, [{**row, "m": "x, y"}], WINDOW, NOW),
    ]
    assert not {event.id for events in others for event in events} & set(one)


def test_a_row_that_comes_twice_is_one_event() -> None:
    assert len(risk_events(DETECTION, [{"host": "h"}, {"host": "h"}], WINDOW, NOW)) == 1


def test_running_twice_stores_once(store: Store) -> None:
    text = """| makeresults | eval host="it's ü🐍", user="u", n=0.1, src=split("a,b", ",")"""
    detection = dataclasses.replace(DETECTION, search=text)
    detector = Detector(store, Content(), searching(load_config({}, {}, None)))
    first = detector.run(detection, Times(NOW))
    second = detector.run(detection, Times(NOW))
    assert (first.outcome.error, len(first.events)) == (None, 2)
    assert [event.id for event in second.events] == [event.id for event in first.events]
    query = "SELECT id, time, risk_object, risk_score, fields FROM risk ORDER BY risk_score"
    stored = store.query(parse_one(query, dialect="clickhouse")).to_pylist()
    assert [row["risk_object"] for row in stored] == ["u", "it's ü🐍"]
    assert {row["id"] for row in stored} == {event.id for event in first.events}
    assert {row["time"] for row in stored} == {NOW}
    assert [json.loads(row["fields"])["src"] for row in stored] == [["a", "b"], ["a", "b"]]
    detector.run(detection, Times(NOW + HOUR))
    assert len(store.query(parse_one(query, dialect="clickhouse")).to_pylist()) == 4


def test_a_failed_search_stores_nothing(store: Store) -> None:
    detection = dataclasses.replace(DETECTION, search="| nonsense")
    run = Detector(store, Content(), searching(load_config({}, {}, None))).run(detection, Times(NOW))
    assert run.outcome.error is not None
    assert "too_much.yml:1:3: unknown command 'nonsense'" in run.outcome.error
    assert run.events == []
    assert store.query(parse_one("SELECT id FROM risk", dialect="clickhouse")).num_rows == 0


def test_the_json_of_a_run_is_json(embedded: Store) -> None:
    detection = dataclasses.replace(DETECTION, search='| makeresults | eval host="h", n=1e300*1e300')
    run = Detector(embedded, Content(), searching(load_config({}, {}, None))).run(detection, Times(NOW))
    told = json.loads(json.dumps(run.as_json(), allow_nan=False))
    assert told["detection"] == "Too much"
    assert told["id"] == "a-b"
    assert told["error"] is None
    assert [event["risk_object"] for event in told["risk_events"]] == ["h"]


def test_a_row_is_known_by_its_keys_and_not_by_what_was_measured() -> None:
    def ids(*rows: Row) -> list[str]:
        return [event.id for event in risk_events(DETECTION, list(rows), WINDOW, NOW, ["host", "pod"])]

    one = ids({"host": "h", "pod": "p", "n": 0.1, "told": "0.30000000000000004"})
    assert ids({"host": "h", "pod": "p", "n": 7, "told": "0.3"}) == one
    assert ids({"host": "h", "pod": "q", "n": 0.1, "told": "0.30000000000000004"}) != one
    assert ids({"host": "h", "n": 0.1}) != ids({"host": "h", "pod": "", "n": 0.1})


def test_keys_that_do_not_tell_rows_apart_are_not_what_they_are_known_by() -> None:
    rows: list[Row] = [{"host": "h", "value": "a"}, {"host": "h", "value": "b"}]
    assert len(risk_events(DETECTION, rows, WINDOW, NOW, ["host"])) == 2


def test_the_last_digits_of_a_sum_tell_nothing() -> None:
    first, second = (risk_events(DETECTION, [{"host": "h", "n": n}], WINDOW, NOW) for n in (0.1 + 0.2, 0.3))
    assert first[0].id == second[0].id


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("| stats avg(n) as n by a b | where n>1 | rename a as host | sort - n", ("host", "b")),
        ("| stats avg(n) as n", ()),
        ("| stats avg(n) as n by a b | fields - b", None),
        ('| stats avg(n) as n by a | eval a="x"', None),
        ("| eval n=1", None),
        ("| stats avg(n) as n by a | append [ | makeresults ]", None),
    ],
)
def test_a_search_says_which_fields_tell_its_rows_apart(
    store: Store, text: str, keys: tuple[str, ...] | None
) -> None:
    rows: list[Row] = [{"a": "x", "b": "y", "n": 2}]
    assert run_search(Request(text, NOW, Span(), rows=rows), store.query).keys == keys


def test_points_are_told_apart_by_attributes_and_time(store: Store) -> None:
    text = "| mstats avg(x) as x WHERE index=* BY host pod span=10s | rename host as node"
    assert run_search(Request(text, NOW, Span()), store.query).keys == ("node", "pod", "_time")


def test_a_message_names_entities_as_people_say_them() -> None:
    row: Row = {
        "who": ["workload:prod/shop/cart", "node:prod//n1"],
        "path": "image:x",
        "cluster": "cluster:prod//",
    }
    assert fill("$who$ by $path$ in $cluster$, $none$", row) == (
        "workload shop/cart of cluster prod, node n1 of cluster prod by image:x in cluster prod, unknown"
    )
