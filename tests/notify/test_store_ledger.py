"""The ledger in a store, on every engine; what people ask of it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from documents import FINDING_ID, INCIDENT_ID, OPENED, PROCESS, SECOND, change, finding, incident
from receiver import Receiver, Reply, wait_until

from kubestray.config import load_config
from kubestray.model.errors import UsageError
from kubestray.model.finding import Change, Decision
from kubestray.notify.configuration import Configured
from kubestray.notify.ledger import ADDED, DEAD, DELIVERED, LEASED, RESENT, SKIPPED, Delivery, Entry, Key
from kubestray.notify.outputs.alertmanager import Alertmanager
from kubestray.notify.outputs.ocsf_webhook import OcsfWebhook
from kubestray.notify.secret import Secret
from kubestray.pipeline import notifying
from kubestray.pipeline.deliveries import DeliveryLedger
from kubestray.risk.lifecycle import suppression
from kubestray.store.ledger import Ledger
from kubestray.store.store import Store


def record(store: Store, *changes: Change, at: int) -> None:
    """Put changes into the ledger as at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kubestray.store.ledger.time.time_ns", lambda: at)
        Ledger(store).record_changes(changes)


def webhook(url: str, name: str = "hook") -> OcsfWebhook:
    return OcsfWebhook(name, {"url": Secret("test", lambda: url), "timeout": 5 * SECOND})


TOLD = [
    change(finding(), 1),
    change(finding(sentence="ä 'quoted' \\ one"), 2, "updated"),
    change(incident(), 1),
]


def test_what_is_recorded_is_read(store):
    record(store, *TOLD[:2], at=100)
    record(store, TOLD[2], at=200)
    ledger = DeliveryLedger(store)
    assert sorted(ledger.changes(0), key=lambda one: (one.recorded, one.key)) == [
        Entry(Key(FINDING_ID, 1), "opened", 100),
        Entry(Key(FINDING_ID, 2), "updated", 100),
        Entry(Key(INCIDENT_ID, 1), "opened", 200),
    ]
    assert [one.key.id for one in ledger.changes(101)] == [INCIDENT_ID]
    keys = [Key(INCIDENT_ID, 1), Key("none", 1), Key(FINDING_ID, 2)]
    standing = {"owner": None, "comments": [], "history": [], "suppressed_by": []}
    assert list(ledger.read(keys).items()) == [
        (key, replace(one, document={**one.document, **standing}))
        for key, one in ((keys[0], TOLD[2]), (keys[2], TOLD[1]))
    ]
    assert ledger.read([]) == {}

    rows = [
        Delivery("a", "", 0, ADDED, 5, "s"),
        Delivery("a", FINDING_ID, 1, DELIVERED, 10, "s", {"ended": False, "reference": {"ts": "1"}}),
        Delivery("b", FINDING_ID, 1, SKIPPED, 11, "s", {"reason": "it's"}),
        Delivery("a", "", 0, LEASED, 12, "s", {"since": 1, "until": 2**63}),
    ]
    ledger.record(rows)
    later = Delivery("a", "", 0, LEASED, 20, "s", {"since": 1, "until": 0})
    ledger.record([later])
    ledger.record([])
    found = ledger.deliveries(0)
    assert sorted(found, key=lambda row: row.time) == [*rows[:3], later]
    assert ledger.deliveries(11, ["b"]) == [rows[2]]
    assert ledger.deliveries(12, ["b"]) == []


def test_what_people_decide_is_a_change_at_its_place(store):
    """Between the changes that came by themselves; the document is as it stood then."""
    ledger = Ledger(store)
    record(store, TOLD[0], at=OPENED + 100)
    ledger.decide(Decision("d1", OPENED + 150, "ann", "acknowledge", FINDING_ID, {}))
    ledger.decide(Decision("d0", OPENED + 160, "ann", "assign", FINDING_ID, {"owner": "bob"}))
    record(store, TOLD[1], at=OPENED + 200)
    ledger.decide(Decision("d2", OPENED + 300, "bob", "resolve", FINDING_ID, {"text": "was us"}))
    ledger.decide(Decision("d3", OPENED + 310, "bob", "comment", "nothing there", {"text": "?"}))
    seen = DeliveryLedger(store)
    entries = sorted(seen.changes(0), key=lambda one: one.key)
    assert [(one.key.sequence, one.change, one.recorded) for one in entries] == [
        (1, "opened", OPENED + 100),
        (1, "decided", OPENED + 150),
        (1, "decided", OPENED + 160),
        (2, "updated", OPENED + 200),
        (2, "decided", OPENED + 300),
    ]
    assert [one.key.uid for one in entries][1:3] == [f"{FINDING_ID}-1-d1", f"{FINDING_ID}-1-d0"]
    changes = seen.read([one.key for one in entries])
    assert [(one.document["state"], one.document["owner"]) for one in changes.values()] == [
        ("new", None),
        ("acknowledged", None),
        ("acknowledged", "bob"),
        ("acknowledged", "bob"),
        ("resolved", "bob"),
    ]
    assert [one.key.sequence for one in seen.changes(OPENED + 201)] == [2]
    assert DeliveryLedger(store).read([entries[2].key]) == {entries[2].key: changes[entries[2].key]}


def test_a_suppression_is_a_change_of_what_it_hides(embedded):
    ledger = Ledger(embedded)
    hidden = finding(steps=[{**incident()["steps"][1], "entity": PROCESS}])
    other = finding("b" * 32, steps=[{**incident()["steps"][0], "detection": "Miner"}])
    record(embedded, change(hidden, 1), change(other, 1), at=OPENED)
    taken = suppression(
        {"detection": "Outbound*"}, "planned", "ann", OPENED + 5 * SECOND, OPENED + 90 * SECOND
    )
    ledger.decide(taken)
    entries = [one for one in DeliveryLedger(embedded).changes(0) if one.change == "decided"]
    assert [(one.key.id, one.recorded) for one in entries] == [(FINDING_ID, taken.time)]
    (told,) = DeliveryLedger(embedded).read([entries[0].key]).values()
    assert (told.document["state"], told.document["suppressed_by"]) == ("suppressed", [taken.target])
    record(embedded, change(hidden, 2, "updated"), at=OPENED + 100 * SECOND)
    (later,) = DeliveryLedger(embedded).read([Key(FINDING_ID, 2)]).values()
    assert later.document["state"] == "new", "it has expired"


def test_from_the_ledger_to_the_receiver_and_back(embedded):
    """The notifier as `serve` makes it: told of what is open, then of what comes; dead letters and all."""
    embedded.clock = time.time_ns
    receiver = Receiver()
    receiver.otherwise = Reply(400, b"never")
    told = Configured((webhook(receiver.url),))
    config = load_config({"store": "chdb:///nowhere"}, {}, None)
    record(embedded, *TOLD, at=time.time_ns())
    notifier = notifying.notifier(embedded, config, told)
    notifier.start()
    try:
        wait_until(lambda: len(notifying.dead_letters(embedded)) == 3)
        state = notifying.states(embedded, told)[0]
        assert (state["delivered"], state["waiting"], state["dead"]) == (0, 0, 3)
        assert "never" in state["trouble"]
        letter = notifying.dead_letters(embedded, "hook")[-1].as_json()
        assert (letter["id"], letter["key"], letter["title"]) == (
            FINDING_ID,
            f"{FINDING_ID}-2",
            finding()["title"],
        )
        assert "400" in letter["reason"]

        receiver.otherwise = Reply()
        with pytest.raises(UsageError, match="no dead letter has the id 'x'"):
            notifying.resend(embedded, ["x"])
        assert [row.sequence for row in notifying.resend(embedded, [f"{FINDING_ID}-2"])] == [2]
        notifier.wake()
        wait_until(lambda: len(receiver.taken) == 1)
        assert len(notifying.resend(embedded, [FINDING_ID])) == 1
        assert len(notifying.resend(embedded, [])) == 1
        assert notifying.resend(embedded, []) == []
        notifier.wake()
        wait_until(lambda: notifying.states(embedded, told)[0]["delivered"] == 3)
        state = notifying.states(embedded, told)[0]
        assert (state["waiting"], state["dead"], state["trouble"]) == (0, 0, None)
        assert sorted(request.headers["idempotency-key"] for request in receiver.taken) == sorted(
            f"{one.id}-{one.sequence}" for one in TOLD
        )
    finally:
        notifier.stop()
        receiver.close()


def test_a_test_leaves_nothing_open():
    receiver = Receiver()
    output = Alertmanager(
        "am", {"url": Secret("test", lambda: receiver.url), "timeout": 5 * SECOND, "repeat": 60 * SECOND}
    )
    notifying.try_output(output, time.time_ns)
    opened, closed = (request.json[0] for request in receiver.taken)
    assert opened["labels"] == closed["labels"]
    assert opened["labels"]["test"] == "true"
    assert "endsAt" not in opened
    assert "endsAt" in closed
    receiver.close()


def test_dead_letters_of_outputs_that_are_gone_are_listed(embedded):
    ledger = DeliveryLedger(embedded)
    ledger.record([Delivery("gone", "x" * 32, 1, DEAD, 7, "s", {"reason": "no"})])
    assert [letter.as_json()["output"] for letter in notifying.dead_letters(embedded)] == ["gone"]
    assert notifying.states(embedded, Configured()) == []
    ledger.record([Delivery("gone", "x" * 32, 1, RESENT, 8, "s")])
    assert notifying.dead_letters(embedded) == []
