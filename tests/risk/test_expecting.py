"""What is expected, or hidden by name, is that and nothing else, whatever names hold."""

from __future__ import annotations

import pytest
from riskful import HOUR, START, WHO, Assessed, event

from kubestray.model.finding import Decision
from kubestray.notify.route import Route
from kubestray.risk.lifecycle import as_it_stands, expectations
from kubestray.risk.placing import Circumstances
from kubestray.risk.suppressions import detail_of, suppressions_of

NAMES = ["sh", "[kworker/0:1]", "*", "a?c", "[!x]", "[", "]", "a[b]*"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_expected_is_each_step_as_such(name):
    entity, detection = f"process:prod/shop/cart/{name}", f"escape {name}"
    others = [
        ("process:prod/shop/cart/abc", detection),
        (entity, "escape x"),
        ("process:prod/shop/cart/x", "b"),
    ]
    assessed = Assessed(detection)
    assessed.at(START, event(detection, entity, START))
    (found,) = assessed.latest("finding")
    expected = suppressions_of(expectations(found, "ann", START, ""))
    assert as_it_stands(found, (), expected, START + HOUR)["state"] == "suppressed"
    around = Circumstances(WHO, (), expected)
    later = START + HOUR
    assert "suppressed_by" in event(detection, entity, later, around=around).fields
    assert all("suppressed_by" not in event(d, e, later, around=around).fields for e, d in others)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_written_as_it_is_fits_itself(name):
    """The form of the console begins with the entity and the detection as they are called."""
    entity, detection = f"process:prod/shop/cart/{name}", f"escape {name}"
    scope = {"entity": entity, "detection": detection, "fields": {"args": name}}
    decision = Decision("1", START, "ann", "suppress", "s", detail_of(scope, "tested", START, START + HOUR))
    (hidden,) = suppressions_of([decision])
    assert hidden.fits(detection, [entity], {"args": name})
    document = {"entities": [entity], "severity": "low", "kind": "finding", "opened_by": {"name": detection}}
    assert Route((), detections=(detection,)).interest(document).name == "WANTED"


@pytest.mark.parametrize("scope", ["workload:prod/shop/*", "namespace:prod/shop/", "cluster:prod//"])
@pytest.mark.parametrize(
    "entity", ["process:prod/shop/cart/sh", "pod:prod/shop/db-0", "edge:prod/shop/cart>pay/db"]
)
def test_an_incident_is_hidden_with_what_its_steps_are_part_of(entity, scope):
    """People are told of incidents: one whose findings were all hidden went on calling them."""
    assessed = Assessed("escape")
    assessed.at(START, event("escape", entity, START))
    decision = Decision(
        "1", START, "ann", "suppress", "s", detail_of({"entity": scope}, "w", START, START + HOUR)
    )
    hidden = suppressions_of([decision])
    for kind in ("finding", "incident"):
        (found,) = assessed.latest(kind)
        assert as_it_stands(found, (), hidden, START)["suppressed_by"] == ["s"]
        assert as_it_stands(found, (), hidden, START + HOUR)["state"] == "new"
    assert "suppressed_by" in event("escape", entity, START, around=Circumstances(WHO, (), hidden)).fields
