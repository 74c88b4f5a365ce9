"""What is listed of findings: all that is open, and the latest of what is over."""

from __future__ import annotations

import sys

import pytest

from helpers import HOUR, SECOND
from kubestray.model.errors import UsageError
from kubestray.model.finding import CLOSED, OPENED, UPDATED, Change, rfc3339
from kubestray.pipeline.casework import Casework
from kubestray.store.ledger import Ledger

START = 1_795_000_020 * SECOND


def change(name: str, sequence: int, time: int, what: str, kind: str = "finding") -> Change:
    document = {
        "kind": kind,
        "id": name,
        "opened": rfc3339(time - sequence * HOUR),
        "last_seen": rfc3339(time),
        "closed": rfc3339(time) if what == CLOSED else None,
        "state": "closed" if what == CLOSED else "new",
        "entities": ["node:c//n"],
        "steps": [{"detection": "Busy", "entity": "node:c//n"}],
    }
    return Change(name, kind, sequence, time, what, document)


def test_what_is_open_is_listed_whenever_it_was_and_of_what_is_over_the_latest(embedded):
    changes = [change("old", 1, START, OPENED), change("old", 2, START + HOUR, UPDATED)]
    for n in range(6):
        opened = START + (n + 2) * 24 * HOUR
        changes += [change(f"over{n}", 1, opened, OPENED), change(f"over{n}", 2, opened + HOUR, CLOSED)]
    changes.append(change("young", 1, START + 240 * HOUR, OPENED, "incident"))
    Ledger(embedded).record_changes(changes)
    cases = Casework(embedded, clock=lambda: START + 300 * HOUR)

    def listed(*states: str, **more: object) -> list[str]:
        return [told["id"] for told in cases.documents(states=states, **more)]

    assert listed(most_over=2) == ["young", "over5", "over4", "old"]
    assert listed("new", most_over=2) == ["young", "old"]
    assert listed("closed", most_over=2) == ["over5", "over4"]
    assert (
        listed(most_over=None)
        == listed(most_over=sys.maxsize)
        == ["young", *(f"over{n}" for n in (5, 4, 3, 2, 1, 0)), "old"]
    )
    assert [told["id"] for told in cases.documents("finding", most_over=1)] == ["over5", "old"]

    cases.decide("resolve", "over0", "ann")
    assert listed("resolved", most_over=2) == []  # it is over, and others are later
    assert listed("resolved", most_over=6) == ["over0"]
    cases.decide("acknowledge", "old", "ann")
    assert listed("acknowledged", most_over=0) == ["old"]
    assert [told["id"] for told in cases.chosen(["over0", "young", "none"])] == ["young", "over0"]
    assert [told["id"] for told in cases.opened(START + 119 * HOUR)] == ["over5", "over4", "over3"]
    scope = {"entity": "node:c//*"}
    assert [told["id"] for told in cases.preview(scope, START + 143 * HOUR)] == ["over5", "over4"]


def test_what_is_decided_counts_after_the_clock_was_set_back(embedded):
    Ledger(embedded).record_changes([change("one", 1, START, OPENED)])
    ahead = Casework(embedded, clock=lambda: START + 9000 * HOUR)
    ahead.decide("resolve", "one", "ann")
    hidden = ahead.suppress({"entity": "node:c//n"}, "noise", "ann", START + 9999 * HOUR)
    right = Casework(embedded, clock=lambda: START + HOUR)
    assert right.decide("reopen", "one", "ann")["state"] == "new"
    assert right.decide("acknowledge", "one", "ann")["state"] == "acknowledged"
    right.withdraw(hidden, "ann")
    assert [one.expires for one in right.suppressions()] == [START + HOUR]
    later = Casework(embedded, clock=lambda: START + 9001 * HOUR)
    assert later.document("one")["state"] == "acknowledged"


def test_many_are_decided_with_as_few_queries_as_one(embedded, monkeypatch):
    """Each took ten, a tenth of a second: a hundred of the queue kept a browser waiting for ten seconds."""
    names = [f"f{n}" for n in range(30)]
    Ledger(embedded).record_changes([change(name, 1, START, OPENED) for name in names])
    cases, asked, query = Casework(embedded, clock=lambda: START + HOUR), [], embedded.query
    monkeypatch.setattr(embedded, "query", lambda tree, *more: asked.append(1) or query(tree, *more))
    cases.decide("acknowledge", "f0", "ann")
    alone = len(asked)
    assert {one["state"] for one in cases.decide_all("resolve", [*names, "f0"], "ann")} == {"resolved"}
    assert len(asked) == 2 * alone
    assert [one["id"] for one in cases.decide_all("expect", ["f7", "f3"], "ann")] == ["f7", "f3"]
    assert len(cases.suppressions()) == 2
    assert cases.decide_all("reopen", [], "ann") == []


def test_nothing_is_decided_where_one_is_missing(embedded):
    Ledger(embedded).record_changes([change("one", 1, START, OPENED)])
    cases = Casework(embedded, clock=lambda: START + HOUR)
    with pytest.raises(UsageError, match="there is no finding or incident none; kubestray findings"):
        cases.decide_all("resolve", ["one", "none"], "ann")
    assert cases.document("one")["state"] == "new"
