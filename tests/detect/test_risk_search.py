"""Risk events are searched like any index: the published risk rule finds what detections have recorded."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from helpers import NOW
from kubestray.search.events import StoredEvents
from kubestray.search.run import Request, run_search
from kubestray.store.points import Span
from kubestray.store.store import Store

HOUR = 3600 * 10**9


def record(store: Store, *events: tuple[int, str, str]) -> None:
    count = len(events)
    table = {
        "id": [str(number) for number in range(count)],
        "time": pa.array([time for time, _, _ in events], pa.uint64()),
        "detection": [detection for _, detection, _ in events],
        "risk_object": ["c1"] * count,
        "risk_object_type": ["system"] * count,
        "risk_score": [25.0] * count,
        "fields": [fields for _, _, fields in events],
        "recorded": pa.array([0] * count, pa.uint64()),
    }
    store.record("risk", pa.table(table))


def search(store: Store, text: str, span: Span | None = None) -> list[dict[str, Any]]:
    events = StoredEvents(store.query, store.record)
    return run_search(Request(text, NOW, span or Span(), events=events), store.query).rows


EVENT = (
    '{"risk_object": "c1", "risk_score": 25, "annotations.mitre_attack": ["T1204", "T1059"], "source": "%s"}'
)


def test_the_fields_of_risk_events_are_fields(store: Store) -> None:
    record(store, (NOW - HOUR, "one", EVENT % "one"), (NOW - 2 * HOUR, "two", EVENT % "two"))
    assert search(store, "index=risk | fields risk_object risk_score annotations.mitre_attack source") == [
        {
            "_time": (NOW - hours * HOUR) // 10**9,
            "risk_object": "c1",
            "risk_score": 25,
            "annotations.mitre_attack": ["T1204", "T1059"],
            "source": name,
        }
        for hours, name in ((1, "one"), (2, "two"))
    ]


def test_a_risk_rule_adds_scores_up_over_its_window(store: Store) -> None:
    record(store, *((NOW - hour * HOUR, "d", EVENT % hour) for hour in range(1, 30)))
    rule = (
        "index=risk | stats sum(risk_score) as score dc(source) as sources by risk_object | where score > 100"
    )
    day = Span(NOW - 24 * HOUR, NOW)
    assert search(store, rule, day) == [{"risk_object": "c1", "score": 24 * 25, "sources": 24}]
    assert search(store, rule.replace("index=risk", "index=risk earliest=-4h")) == []


def test_hostile_texts_in_events_are_texts(store: Store) -> None:
    name = "x'; DROP TABLE risk_local --"
    record(store, (NOW - HOUR, "d", json.dumps({name: "\\' OR 1=1", "n": None})))
    assert search(store, "index=risk | fields - _time") == [{name: "\\' OR 1=1"}]
