"""How risk adds up: hand-computed sums."""

from __future__ import annotations

import pytest
from riskful import HOUR, MINUTE, SCORING, START, event

from kubestray.model.entity import Entity
from kubestray.risk.placing import entity_of, parents_of
from kubestray.risk.scoring import Scores

CART = "workload:prod/shop/cart"


def scores(*events):
    made = Scores(SCORING)
    for one in sorted(events, key=lambda e: e.time):
        made.add(one, entity_of(one), parents_of(one))
    return made


def score(of: str, now: int, *events) -> float:
    entity = Entity.parse(of)
    assert entity
    return scores(*events).score(entity, now)


def test_an_event_counts_half_after_the_half_life_and_not_after_the_window():
    one = event("a", CART, START, 40)
    assert score(CART, START, one) == pytest.approx(40)
    assert score(CART, START + 12 * HOUR, one) == pytest.approx(20)
    assert score(CART, START + 24 * HOUR, one) == pytest.approx(10)
    assert score(CART, START + 24 * HOUR + 1, one) == 0


def test_a_detection_that_repeats_itself_counts_once_and_up_to_twice_if_it_lasts():
    """After the ramp of 30 minutes half as much again; a run a minute or two runs make no difference."""
    often = [event("a", CART, START + n * MINUTE, 40) for n in range(31)]
    assert score(CART, START + 30 * MINUTE, *often) == pytest.approx(40 * 1.5)
    assert score(CART, START + 30 * MINUTE, often[0], often[-1]) == pytest.approx(40 * 1.5)
    long = [event("a", CART, START + n * HOUR, 40) for n in range(10)]
    assert score(CART, START + 9 * HOUR, *long) == pytest.approx(80, rel=1e-3)


def test_what_was_quiet_for_long_begins_anew():
    first, second = event("a", CART, START, 40), event("a", CART, START + 4 * HOUR, 40)
    assert score(CART, START + 4 * HOUR, first, second) == pytest.approx(40)


def test_two_detections_add_up_and_one_counts_at_most_twice_for_all_parts():
    processes = [event("a", f"process:prod/shop/cart/p{n}", START, 40) for n in range(5)]
    assert score(CART, START, processes[0], event("b", CART, START, 30)) == pytest.approx(70)
    assert score(CART, START, *processes[:2]) == pytest.approx(80)
    assert score(CART, START, *processes) == pytest.approx(80)


def test_the_highest_of_several_events_counts_even_if_a_later_one_is_lower():
    high, low = event("a", CART, START, 80), event("a", CART, START + HOUR, 10)
    assert score(CART, START + HOUR, high, low) == pytest.approx(80 * 2 ** (-1 / 12) * 1.75)


def test_risk_is_passed_up_with_its_share():
    one = event("a", "process:prod/shop/cart/sh", START, 60)
    for of, share in ((CART, 1), ("namespace:prod/shop/", 0.5), ("cluster:prod//", 0.5)):
        assert score(of, START, one) == pytest.approx(60 * share)
    pod = event("a", "pod:prod/shop/cart-7d9f6c5b8d-x2k4z", START, 60)
    assert score(CART, START, pod) == pytest.approx(60)
    assert score("node:prod//n1", START, pod) == pytest.approx(15)
    process = event("a", "process:prod//n1/sh", START, 60)
    assert score("node:prod//n1", START, process) == pytest.approx(60)


def test_factors_count():
    one = event("a", CART, START, 40)
    assert score(CART, START, one) == pytest.approx(40)
    one.fields["calculated_risk_score"] = 50
    assert score(CART, START, one) == pytest.approx(50)


def test_what_no_longer_counts_is_forgotten():
    made = scores(event("a", CART, START, 40))
    made.forget(START + 25 * HOUR)
    assert made.entities() == []
