"""Findings: what opens, updates and closes them, that a restart changes nothing, that they verify."""

from __future__ import annotations

import copy
import random

import pytest
from riskful import HOUR, MINUTE, START, WHO, Assessed, event

from kubestray.model.entity import Entity
from kubestray.model.finding import Decision, rfc3339
from kubestray.risk.findings import Hit
from kubestray.risk.placing import Circumstances
from kubestray.risk.suppressions import detail_of, suppressions_of
from kubestray.risk.verifying import differences

CART, WEB = "workload:prod/shop/cart", "workload:prod/shop/web"


def kinds(changes, kind="finding"):
    return [(change.change, change.document["entity"]) for change in changes if change.kind == kind]


def test_risk_below_the_threshold_opens_nothing():
    assessed = Assessed()
    assert assessed.at(START, event("a", CART, START, 60)) == []


def test_risk_that_adds_up_opens_a_finding_of_the_narrowest_entity_once():
    assessed = Assessed()
    process = "process:prod/shop/cart/sh"
    changes = assessed.at(START, event("a", process, START, 60), event("b", process, START, 60))
    assert kinds(changes) == [("opened", process)]
    finding = assessed.latest("finding")[0]
    assert finding["score"] == pytest.approx(120)
    assert finding["opened_by"]["how"] == "threshold"
    assert {part["detection"]: part["value"] for part in finding["parts"]} == {"a": 60, "b": 60}
    assert len(finding["would_not_have_fired"]) == 3  # the threshold, and without either part
    assert assessed.at(START + MINUTE, event("a", process, START + MINUTE, 60)) == []


def test_what_is_a_finding_already_does_not_count_for_another_of_what_it_is_part_of():
    assessed = Assessed()
    process = "process:prod/shop/cart/sh"
    assessed.at(START, event("a", process, START, 60), event("b", process, START, 60))
    changes = assessed.at(START + MINUTE, event("c", CART, START + MINUTE, 60))
    assert ("opened", CART) not in kinds(changes)
    changes = assessed.at(START + 2 * MINUTE, event("d", CART, START + 2 * MINUTE, 60))
    assert ("opened", CART) in kinds(changes)


def test_a_direct_detection_needs_one_event():
    assessed = Assessed("escape")
    changes = assessed.at(START, event("escape", CART, START, 30))
    assert kinds(changes) == [("opened", CART)]
    assert assessed.latest("finding")[0]["respond"] == ["look at what escape says"]


def test_a_rule_opens_a_finding_and_keeps_it_open():
    assessed = Assessed()
    entity = Entity.parse(CART)
    hit = Hit("rule", "id", entity, START, "too much", {})
    assert kinds(assessed.at(START, hits=[hit])) == [("opened", CART)]
    assert assessed.latest("finding")[0]["sentence"] == "too much"
    for hour in range(1, 6):
        now = START + hour * HOUR
        changes = assessed.at(now, hits=[Hit("rule", "id", entity, now, "too much", {})])
        assert kinds(changes) == [("updated", CART)]
    assert kinds(assessed.at(START + 8 * HOUR)) == [("closed", CART)]


def test_what_a_rule_keeps_open_stays_open_over_a_restart():
    """It was closed by each restart hours after the last event, and opened as another."""
    assessed = Assessed()
    entity = Entity.parse(CART)
    changes = assessed.at(START, event("a", CART, START), hits=[Hit("rule", "id", entity, START, "much", {})])
    for hour in range(1, 9):
        now = START + hour * HOUR
        assessed.restart()
        changes += assessed.at(now - MINUTE)
        changes += assessed.at(now, hits=[Hit("rule", "id", entity, now, "much", {})])
    assert kinds(changes) == [("opened", CART)] + [("updated", CART)] * 8
    assert kinds(assessed.at(now + 4 * HOUR)) == [("closed", CART)]


def test_a_finding_closes_when_it_was_quiet_and_the_next_is_another():
    assessed = Assessed("escape")
    first = assessed.at(START, event("escape", CART, START))[0]
    assert assessed.at(START + 3 * HOUR - 1) == []
    closed = assessed.at(START + 3 * HOUR)
    assert kinds(closed) == [("closed", CART)]
    assert closed[0].document["closed"] == rfc3339(START + 3 * HOUR)
    again = assessed.at(START + 4 * HOUR, event("escape", CART, START + 4 * HOUR))
    assert again[0].id != first.id


def test_a_new_step_is_told_at_once_and_what_goes_on_every_quarter_of_an_hour():
    assessed = Assessed("escape")
    told = []
    for minute in range(60):
        now = START + minute * MINUTE
        events = [event("escape", CART, now)]
        if minute == 20:
            events.append(event("b", CART, now))
        told += [minute for c in assessed.at(now, *events) if c.kind == "finding"]
    assert told == [0, 15, 30, 45]


def test_a_threshold_finding_tells_a_new_step_at_once():
    assessed = Assessed()
    assessed.at(START, event("a", CART, START, 60), event("b", CART, START, 60))
    changes = assessed.at(START + MINUTE, event("c", CART, START + MINUTE, 10))
    assert kinds(changes) == [("updated", CART)]
    assert [step["detection"] for step in assessed.latest("finding")[0]["steps"]] == ["a", "b", "c"]


def test_what_is_suppressed_opens_nothing_until_it_expires():
    scope = {"entity": "workload:prod/shop/*", "detection": "escape"}
    decision = Decision("1", START, "ann", "suppress", "s", detail_of(scope, "tested", START, START + HOUR))
    around = Circumstances(WHO, (), suppressions_of([decision]))
    assessed = Assessed("escape", "other")
    process = "process:prod/shop/cart/sh"
    hidden = event("escape", process, START, around=around)
    assert hidden.fields["suppressed_by"] == "s"
    assert assessed.at(START, hidden) == []
    assert kinds(assessed.at(START + 1, event("other", process, START + 1, around=around)))
    later = START + HOUR
    assert kinds(assessed.at(later, event("escape", process, later, around=around)))


def random_stream(seed: int):
    """Yield times and events of a day and a half in which findings open, go on, close and incidents merge."""
    draw = random.Random(seed)
    names = [CART, WEB, "process:prod/shop/cart/sh", "node:prod//n1", "pod:prod/shop/db-0", "cluster:prod//"]
    edges = ["edge:prod/shop/cart>shop/web", "edge:prod/shop/web>shop/db"]
    now = START
    for _ in range(60):
        now += draw.choice([1, 5, 10, 60, 200]) * MINUTE
        events = [
            event(
                draw.choice("abcd"),
                draw.choice(names + edges),
                now,
                draw.choice([10, 40, 60, 90]),
                techniques=(draw.choice(["T1496", "T1059", "T1048"]),),
                **{"process.executable.name": draw.choice(["sh", "node"])},
            )
            for _ in range(draw.choice([0, 0, 1, 2, 4]))
        ]
        yield now, {one.id: one for one in events}.values()


@pytest.mark.parametrize("seed", range(6))
def test_a_restart_at_any_time_changes_nothing(seed):
    draw = random.Random(seed + 1000)
    through, interrupted = Assessed("d"), Assessed("d")
    for now, events in random_stream(seed):
        expected = through.at(now, *events)
        if draw.random() < 0.3:
            interrupted.restart()
        assert interrupted.at(now, *events) == expected
    assert {change.change for change in through.changes} >= {"opened", "updated", "closed"}


@pytest.mark.parametrize("seed", range(3))
def test_every_document_verifies(seed):
    assessed = Assessed("d")
    for now, events in random_stream(seed):
        for change in assessed.at(now, *events):
            if change.kind == "finding":
                assert differences(change.document) == []


def paths(value, at=()):
    """Yield the place of every number and text in a document."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from paths(one, (*at, key))
    elif isinstance(value, list):
        for key, one in enumerate(value):
            yield from paths(one, (*at, key))
    elif value is not None:
        yield at


def test_a_document_that_was_changed_anywhere_does_not_verify():
    assessed = Assessed()
    assessed.at(START, event("a", CART, START, 60, bytes=7.0), event("b", CART, START, 60, bytes=9.0))
    document = assessed.latest("finding")[0]
    for path in paths(document):
        if path == ("state",):
            continue  # what people decide about it
        changed = copy.deepcopy(document)
        holder = changed
        for key in path[:-1]:
            holder = holder[key]
        value = holder[path[-1]]
        holder[path[-1]] = value + 1 if isinstance(value, int | float) else f"{value}x"
        assert differences(changed), path


def test_a_score_that_was_changed_is_told_with_what_it_should_be():
    assessed = Assessed()
    assessed.at(START, event("a", CART, START, 60), event("b", CART, START, 60))
    document = {**assessed.latest("finding")[0], "score": 130}
    assert differences(document)[0] == "score: 130 is told, 120.000000 is recomputed"
