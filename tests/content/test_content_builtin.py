"""The tests that built-in detections bring: those that learn and one in four others, all with ``--all``."""

from __future__ import annotations

import pytest

from helpers import more
from kubestray.detect.loader import load_content
from kubestray.pipeline.setting_up import built_in
from kubestray.search.times import per_day
from serve.product import run

CONTENT = load_content([built_in()])
OURS = sorted(CONTENT.detections)
RULES = [name for name in OURS if CONTENT.detections[name].type == "Correlation"]
LEARN = [name for name in OURS if "| stray" in CONTENT.detections[name].search]
CHOSEN = {*OURS[::4], *RULES[:1], *LEARN}


@pytest.mark.parametrize("name", [name if name in CHOSEN else more(name) for name in OURS])
def test_a_built_in_detection_passes_its_tests(name: str) -> None:
    """In a process of its own: a test of a detection opens a store, and this one has another open."""
    told = run("content", "test", CONTENT.detections[name].path)
    assert told.code == 0, told.out + told.err
    verdicts = told.out.splitlines()
    assert len(verdicts) >= 2
    assert all(verdict.startswith(f"ok   {name}: ") for verdict in verdicts)


def test_one_macro_is_the_budget_of_alarms_of_all_detections_that_learn() -> None:
    learned = [one for one in CONTENT.detections.values() if "| stray" in one.search]
    assert len(learned) > 5
    assert all("alerts=`learned_alarms`" in one.search for one in learned)
    assert per_day(CONTENT.macros["learned_alarms", 0].definition.strip('"')) == 5.0


def test_no_description_promises_alarms_rarer_than_the_budget_asks_for() -> None:
    monthly = [one for one in CONTENT.detections.values() if 'budget="1/30d"' in one.search]
    assert len(monthly) > 5
    assert [one.name for one in monthly if "in a year" in one.description] == []
