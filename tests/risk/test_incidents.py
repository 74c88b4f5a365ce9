"""Incidents: what belongs together and what does not."""

from __future__ import annotations

import pytest
from riskful import HOUR, MINUTE, START, Assessed, event

from kubestray.model.entity import Entity
from kubestray.risk.findings import Hit

CART, WEB, DB = (f"workload:prod/shop/{name}" for name in ("cart", "web", "db"))


def steps(incident):
    return [(step["detection"], step["entity"]) for step in incident["steps"]]


def test_a_finding_opens_an_incident_with_what_was_seen_of_its_workload_before():
    assessed = Assessed("escape")
    assessed.at(START, event("shell", "process:prod/shop/cart/sh", START, 20))
    assessed.at(START + 5 * HOUR, event("escape", CART, START + 5 * HOUR, 20))
    (incident,) = assessed.latest("incident")
    assert steps(incident) == [("shell", "process:prod/shop/cart/sh"), ("escape", CART)]
    assert incident["findings"] == [assessed.latest("finding")[0]["id"]]
    assert assessed.latest("finding")[0]["incident"] == incident["id"]


def test_a_process_on_a_node_belongs_to_the_workload_whose_process_of_that_name_is_on_it():
    """Hostmetrics name the node, network metrics the workload; cart has a pod on n1, web has none there."""
    assessed = Assessed("send")
    on = {"process.executable.name": "kdevtmpfsd"}
    first = event("miner", "n1.internal", START, 20, field="host.name", kind="system", **on)
    other = event("miner", "n3", START, 20, field="host.name", kind="system", **on)
    assessed.at(START, first, other)
    assessed.at(START + HOUR, event("send", CART, START + HOUR, **{"source.process.name": "kdevtmpfsd"}))
    (incident,) = assessed.latest("incident")
    assert steps(incident) == [("miner", "node:prod//n1"), ("send", CART)]


def test_where_an_edge_led_belongs_to_it_from_then_on_and_not_before():
    assessed = Assessed("edge")
    assessed.at(START, event("shell", DB, START, 20))
    assessed.at(START + HOUR, event("edge", "edge:prod/shop/cart>shop/db", START + HOUR))
    assessed.at(START + 2 * HOUR, event("miner", DB, START + 2 * HOUR, 20))
    (incident,) = assessed.latest("incident")
    assert steps(incident) == [
        ("edge", "edge:prod/shop/cart>shop/db"),
        ("miner", DB),
    ]


def test_processes_on_one_node_belong_together_within_two_hours():
    assessed = Assessed("shell")

    def seen(detection, name, time):
        return event(detection, f"process:prod//n1/{name}", time, 20)

    assessed.at(START, seen("shell", "sh", START))
    assessed.at(START + HOUR, seen("new", "dropper", START + HOUR))
    assessed.at(START + 5 * HOUR, seen("new", "logrotate", START + 5 * HOUR))
    (incident,) = assessed.latest("incident")
    assert steps(incident) == [("shell", "process:prod//n1/sh"), ("new", "process:prod//n1/dropper")]


def test_unrelated_noise_stays_out_and_opens_no_incident():
    assessed = Assessed("escape")
    noise = [event("noise", WEB, START + n * HOUR, 30) for n in range(4)]
    for n, one in enumerate(noise):
        extra = [event("escape", CART, one.time)] if n == 2 else []
        assessed.at(one.time, one, *extra)
    (incident,) = assessed.latest("incident")
    assert steps(incident) == [("escape", CART)]


def test_two_incidents_that_turn_out_to_be_related_become_the_older_one():
    assessed = Assessed("escape")
    assessed.at(START, event("escape", CART, START))
    assessed.at(START + HOUR, event("escape", WEB, START + HOUR))
    assert len(assessed.latest("incident")) == 2
    older = assessed.latest("incident")[0]["id"]
    bridge = event("edge", "edge:prod/shop/cart>shop/web", START + HOUR + MINUTE, 10)
    changes = assessed.at(START + HOUR + MINUTE, bridge)
    later = event("shell", WEB, START + HOUR + 2 * MINUTE, 10)
    changes += assessed.at(START + HOUR + 2 * MINUTE, later)
    merged = [change for change in changes if change.change == "merged"]
    assert [change.document["merged_into"] for change in merged] == [older]
    (incident,) = assessed.latest("incident")
    assert incident["id"] == older
    assert len(incident["findings"]) == 2
    assert {finding["incident"] for finding in assessed.latest("finding")} == {older}


def test_an_incident_closes_with_its_last_finding():
    assessed = Assessed("escape")
    assessed.at(START, event("escape", CART, START))
    changes = assessed.at(START + 4 * HOUR)
    assert [(change.kind, change.change) for change in changes] == [
        ("finding", "closed"),
        ("incident", "closed"),
    ]
    assert assessed.latest("incident")[0]["closed"]


def test_steps_are_in_the_order_in_which_things_took_place_not_in_which_they_were_found():
    assessed = Assessed("escape")
    began = (START - 2 * HOUR) / 1e9
    assessed.at(START, event("escape", CART, START))
    assessed.at(START + MINUTE, event("late", CART, START + MINUTE, 10, since=began, techniques=("T1059",)))
    (incident,) = assessed.latest("incident")
    assert [step["detection"] for step in incident["steps"]] == ["late", "escape"]
    assert incident["techniques"] == ["T1059", "T1496"]
    assert [tactic["id"] for tactic in incident["tactics"]] == ["TA0002", "TA0040"]


def test_counts_of_a_step_are_those_of_its_events():
    assessed = Assessed("escape")
    for n in range(5):
        assessed.at(START + n * MINUTE, event("escape", CART, START + n * MINUTE))
    assert assessed.latest("finding")[0]["steps"][0]["count"] in (1, 5)
    assessed.at(START + 20 * MINUTE, event("escape", CART, START + 20 * MINUTE))
    assert assessed.latest("finding")[0]["steps"][0]["count"] == 6


def test_an_incident_is_told_in_order():
    assessed = Assessed("a", "b")
    assessed.at(START, event("a", CART, START, 90))
    assert assessed.latest("incident")[0]["sentence"] == f"a of {CART}"
    assessed.at(START + 3 * HOUR, event("b", CART, START + 3 * HOUR, 30))
    (told,) = assessed.latest("incident")
    begun = [step["time"][11:16] for step in told["steps"]]
    assert told["sentence"] == (
        f"2 steps in 3 hours at {Entity.parse(told['entity']).said}. The latest: b of {CART}. "
        f"In order: {begun[0]} a, {begun[1]} b."
    )


@pytest.mark.parametrize("entity", [CART, "cluster:prod//"])
def test_what_a_rule_says_without_events_of_the_last_day_is_an_incident_of_its_entity(entity):
    """A rule over seven days: the incident had no entity, so no route led to it, and an empty sentence."""
    assessed = Assessed(who=("rule",))
    assessed.at(START, hits=[Hit("rule", "id", Entity.parse(entity), START, "much in seven days", {})])
    (found,) = assessed.latest("incident")
    assert (found["entity"], found["entities"], found["sentence"]) == (entity, [entity], "much in seven days")
    assert [step["detection"] for step in found["steps"]] == ["rule"]
    assessed.restart()
    later = assessed.at(START + HOUR, event("a", CART, START + HOUR, 60))
    assert [change.kind for change in later].count("incident") == (entity == CART)
