"""What is sent and in which order, against outputs and clocks that do as they are told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from documents import (
    INCIDENT_ID,
    SECOND,
    MemoryLedger,
    change,
    finding,
    incident,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import examples
from kubestray.model.errors import StoreError
from kubestray.notify.courier import Courier
from kubestray.notify.lease import Lease
from kubestray.notify.ledger import ADDED, DEAD, DELIVERED, FAILED, RESENT, SKIPPED, Delivery, Key
from kubestray.notify.notice import Notice
from kubestray.notify.notifier import Notifier
from kubestray.notify.output import NotDelivered, Output
from kubestray.notify.pace import Pace
from kubestray.notify.route import Interest, Route, interest_of, judge

START = 1_800_000_000 * SECOND


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@dataclass
class Recorder(Output):
    """Keeps what it is given; ``faults`` are raised first, one a call."""

    name: str = "out"
    announces: bool = True
    faults: list[NotDelivered | None] = field(default_factory=list)
    told: list[Notice] = field(default_factory=list)
    kept: list[list[str]] = field(default_factory=list)
    every: float | None = None

    where = "memory"

    @property
    def repeat(self) -> float | None:
        return self.every

    def deliver(self, notice: Notice) -> dict[str, str]:
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault
        self.told.append(notice)
        return {"at": notice.uid}

    def keep(self, notices) -> None:
        self.kept.append([notice.uid for notice in notices])

    @property
    def uids(self) -> list[str]:
        return [notice.uid[-3:] for notice in self.told]


class Bench:
    """A courier, its ledger and its clock, without threads."""

    def __init__(self, output: Recorder, *routes: Route, ledger: MemoryLedger | None = None, **more) -> None:
        self.ledger, self.clock, self.output = ledger or MemoryLedger(), more.pop("clock", Clock()), output
        pace = Pace(chance=lambda: 1.0)
        self.courier = Courier(
            output, routes or (Route(("out",)),), self.ledger, self.clock, pace=pace, **more
        )
        if not self.ledger.rows:
            self.ledger.record([Delivery("out", "", 0, ADDED, 0, "s")])
        self.look()

    def look(self) -> None:
        self.courier.learn(self.ledger.deliveries(0))
        self.courier.offer(self.ledger.changes(0))

    def tell(self, *changes) -> None:
        self.ledger.tell(*changes, recorded=self.clock.now)
        self.look()

    def run(self, seconds: float = 0) -> None:
        """Let the clock go on, and the courier do all that becomes due."""
        end = self.clock.now + round(seconds * SECOND)
        for _ in range(10_000):
            pause = self.courier.step()
            if pause is None or self.clock.now + pause > end:
                self.clock.now = end
                return
            self.clock.now += pause
        raise AssertionError("the courier never rests")


@pytest.fixture
def output():
    return Recorder()


def a(n: int, what: str = "updated", **more):
    return change(finding("a" * 32, **more), n, "opened" if n == 1 else what)


def b(n: int, **more):
    return change(finding("b" * 32, **more), n, "opened" if n == 1 else "updated")


def test_changes_go_in_order_and_are_known_again(output):
    bench = Bench(output)
    bench.tell(a(1), a(2), b(1), a(3, "closed", state="closed"))
    bench.run()
    assert output.uids == ["a-1", "a-2", "a-3", "b-1"]
    assert [(one.first, one.ended) for one in output.told] == [
        (True, False),
        (False, False),
        (False, True),
        (True, False),
    ]
    assert [one.reference for one in output.told[:2]] == [None, {"at": f"{'a' * 32}-1"}]
    assert len(bench.ledger.events(DELIVERED)) == 4
    again = Bench(output, ledger=bench.ledger)
    again.run(1000)
    assert len(output.told) == 4


def test_a_receiver_that_is_away_gets_all_in_order_of_time(output):
    bench = Bench(output)
    bench.tell(a(1), b(1))
    output.faults = [NotDelivered("away") for _ in range(40)]
    bench.run(60)
    bench.tell(a(2), b(2))
    bench.run(3600)
    assert output.faults == []
    assert sorted(output.uids) == ["a-1", "a-2", "b-1", "b-2"]
    assert output.uids.index("a-1") < output.uids.index("a-2")
    assert output.uids.index("b-1") < output.uids.index("b-2")
    assert len(bench.ledger.events(FAILED)) < 20, "not every failure is worth a row"


def test_the_wait_doubles_to_half_a_minute(output):
    bench = Bench(output)
    bench.tell(a(1))
    output.faults = [NotDelivered("away") for _ in range(9)]
    waits = []
    while output.faults:
        bench.courier.step()
        waits.append(bench.courier.step())
        bench.clock.now += waits[-1]
    assert [wait / SECOND for wait in waits] == [1, 2, 4, 8, 16, 30, 30, 30, 30]


def test_waits_of_servers_differ():
    waits = {Pace().wait(5) for _ in range(20)}
    assert len(waits) > 10
    assert all(8 * SECOND <= wait <= 16 * SECOND for wait in waits)


def test_retry_after_is_waited_for(output):
    bench = Bench(output)
    bench.tell(a(1), b(1))
    output.faults = [NotDelivered("429", retry_after=30)]
    bench.run(29)
    assert output.told == []
    bench.run(3)
    assert output.uids == ["a-1", "b-1"]


def test_a_finding_that_is_refused_holds_up_no_other(output):
    bench = Bench(output)
    output.deliver = lambda notice: (  # type: ignore[method-assign]
        Recorder.deliver(output, notice)
        if notice.id[0] != "a"
        else (_ for _ in ()).throw(NotDelivered("500"))
    )
    bench.tell(a(1), b(1), b(2))
    bench.run(10)
    assert output.uids == ["b-1", "b-2"]


def test_a_permanent_refusal_is_a_dead_letter_at_once_and_can_be_resent(output):
    bench = Bench(output)
    bench.tell(a(1), a(2))
    output.faults = [NotDelivered("no", permanent=True), NotDelivered("no", permanent=True)]
    bench.run()
    assert bench.ledger.events(DEAD) == [("a" * 32, 1), ("a" * 32, 2)]
    rows = [Delivery("out", "a" * 32, n, RESENT, bench.clock.now + 5, "cli") for n in (1, 2)]
    bench.ledger.record(rows)
    bench.look()
    bench.run()
    assert output.uids == ["a-1", "a-2"]
    assert Bench(output, ledger=bench.ledger).courier.step() is None


def test_an_old_dead_letter_does_not_open_again_what_has_ended(output):
    bench = Bench(output)
    bench.tell(a(1), a(2), a(3, "closed", state="closed"))
    output.faults = [None, NotDelivered("no", permanent=True)]
    bench.run()
    assert output.uids == ["a-1", "a-3"]
    bench.ledger.record([Delivery("out", "a" * 32, 2, RESENT, bench.clock.now + 5, "cli")])
    bench.look()
    bench.run()
    assert output.uids == ["a-1", "a-3"]
    output.announces = False
    bench.ledger.record([Delivery("out", "a" * 32, 2, RESENT, bench.clock.now + 9, "cli")])
    bench.look()
    bench.run()
    assert output.uids == ["a-1", "a-3", "a-2"]


def test_what_fails_for_a_day_is_given_up_and_the_next_goes_on(output):
    bench = Bench(output)
    bench.tell(a(1))
    output.faults = [NotDelivered("away") for _ in range(5000)]
    bench.run(23.9 * 3600)
    assert bench.ledger.events(DEAD) == []
    bench.run(600)
    assert bench.ledger.events(DEAD) == [("a" * 32, 1)]
    output.faults = []
    bench.tell(a(2))
    bench.run(60)
    assert output.uids == ["a-2"]


def test_a_store_that_fails_holds_everything_up_and_loses_nothing(output):
    bench = Bench(output)
    bench.tell(a(1), a(2))
    deliver = output.deliver

    def breaks(notice):
        bench.ledger.broken = True
        return deliver(notice)

    output.deliver = breaks  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(StoreError):
            bench.courier.step()
    assert output.uids == ["a-1"]
    bench.ledger.broken = False
    output.deliver = deliver  # type: ignore[method-assign]
    bench.run()
    assert output.uids == ["a-1", "a-2"]


def test_a_fault_in_a_payload_is_retried_and_told(output, caplog):
    bench = Bench(output)
    bench.tell(a(1), b(1))
    faults = iter([KeyError("title")])

    def faulty(notice):
        for fault in faults:
            raise fault
        return Recorder.deliver(output, notice)

    output.deliver = faulty  # type: ignore[method-assign]
    bench.run(10)
    assert sorted(output.uids) == ["a-1", "b-1"]
    assert "could not be written" in caplog.text


def test_what_is_open_is_told_again(output):
    output.every = 60.0
    bench = Bench(output)
    bench.tell(a(1), b(1))
    bench.run(150)
    assert output.kept == [[f"{'a' * 32}-1", f"{'b' * 32}-1"]] * 2
    bench.tell(a(2, "closed", state="closed"), b(2))
    bench.run(60)
    assert output.kept[2:] == [[f"{'b' * 32}-2"]]
    restarted = Recorder(every=60.0)
    Bench(restarted, ledger=bench.ledger).run()
    assert restarted.kept == [[f"{'b' * 32}-2"]]


def test_a_decision_is_told_once_wherever_its_place_is(output):
    bench = Bench(output)
    bench.tell(a(1), a(2))
    decided = Key("a" * 32, 1, "5.d")
    bench.ledger.recorded[decided] = (a(1, "decided", state="acknowledged"), bench.clock.now)
    bench.look()
    bench.run()
    assert [notice.uid[33:] for notice in output.told] == ["1", "1-d", "2"]
    bench.ledger.recorded[Key("a" * 32, 2, "5.d")] = bench.ledger.recorded.pop(decided)
    bench = Bench(output, ledger=bench.ledger)
    bench.run()
    assert len(output.told) == 3


def test_an_update_that_is_no_news_is_not_sent_but_every_other_change_is(output):
    output.is_news = lambda notice: notice.document["severity"] == "critical"  # type: ignore[method-assign]
    bench = Bench(output)
    bench.tell(a(1), a(2), a(3, severity="critical"), a(4, "decided"), a(5), a(6, "closed", state="closed"))
    bench.run()
    assert output.uids == ["a-1", "a-3", "a-4", "a-6"]
    assert bench.ledger.events(SKIPPED) == [("a" * 32, 2), ("a" * 32, 5)]


def test_a_wait_sends_the_latest_only(output):
    bench = Bench(output, Route(("out",), wait=30 * SECOND))
    bench.tell(a(1))
    bench.run(10)
    bench.tell(a(2), a(3))
    bench.run(19)
    assert output.told == []
    bench.run(2)
    assert output.uids == ["a-3"]
    assert output.told[0].first
    assert bench.ledger.events(SKIPPED) == [("a" * 32, 1), ("a" * 32, 2)]


def test_what_joins_an_incident_within_the_wait_is_not_told_alone(output):
    bench = Bench(output, Route(("out",), wait=30 * SECOND))
    bench.tell(a(1))
    bench.run(5)
    bench.tell(change(incident(), 1), a(2, incident=INCIDENT_ID))
    bench.run(60)
    assert [notice.id for notice in output.told] == [INCIDENT_ID]


def test_what_joins_an_incident_later_ends_for_the_receiver_once(output):
    bench = Bench(output)
    bench.tell(a(1))
    bench.run()
    bench.tell(change(incident(), 1), a(2, incident=INCIDENT_ID), a(3, incident=INCIDENT_ID))
    bench.run()
    assert [(one.id[0], one.ended, one.joined) for one in output.told] == [
        ("a", False, None),
        ("1", False, None),
        ("a", True, INCIDENT_ID),
    ] or [(one.id[0], one.ended, one.joined) for one in output.told] == [
        ("a", False, None),
        ("a", True, INCIDENT_ID),
        ("1", False, None),
    ]


@pytest.mark.parametrize(
    ("more", "what", "announces", "is_open", "expected"),
    [
        ({}, "opened", True, False, (True, False)),
        ({}, "updated", True, True, (True, False)),
        ({"state": "closed"}, "closed", True, True, (True, True)),
        ({"state": "closed"}, "closed", True, False, (False, False)),
        ({"state": "closed"}, "closed", False, False, (True, True)),
        ({"state": "suppressed"}, "opened", True, False, (False, False)),
        ({"state": "suppressed"}, "decided", True, True, (True, True)),
        ({"state": "suppressed"}, "opened", False, False, (True, False)),
        ({"state": "resolved"}, "decided", True, True, (True, True)),
        ({"incident": "i"}, "updated", True, True, (True, True)),
        ({"incident": "i"}, "updated", False, False, (False, False)),
        ({"severity": "low"}, "updated", True, True, (False, False)),
        ({"severity": "low", "state": "closed"}, "closed", True, True, (True, True)),
        ({"severity": "low", "state": "closed"}, "closed", False, False, (False, False)),
    ],
)
def test_what_a_change_is_for_a_receiver(more, what, announces, is_open, expected):
    told = change(finding(**more), 2, what)
    interest, _ = interest_of([Route(("out",), min_severity="medium")], told.document)
    verdict = judge(told, interest, announces, is_open)
    assert (verdict.send, verdict.ended) == expected
    assert verdict.send or verdict.reason


@pytest.mark.parametrize(
    ("route", "document", "expected"),
    [
        (Route(()), finding(), Interest.WANTED),
        (Route((), "high"), finding(), Interest.WANTED),
        (Route((), "critical"), finding(), Interest.UNWANTED),
        (Route((), namespaces=("sh*",)), finding(), Interest.WANTED),
        (Route((), namespaces=("SHOP",)), finding(), Interest.UNWANTED),
        (Route((), clusters=("prod",), entity_kinds=("edge",)), finding(), Interest.WANTED),
        (Route((), entity_kinds=("node",)), finding(), Interest.UNWANTED),
        (Route((), detections=("Outbound*",)), finding(), Interest.WANTED),
        (Route((), detections=("Shell*",)), incident(), Interest.WANTED),
        (Route((), detections=("Miner",)), incident(), Interest.UNWANTED),
        (Route(()), finding(incident="i"), Interest.JOINED),
        (Route((), kinds=("finding",)), finding(incident="i"), Interest.WANTED),
        (Route((), kinds=("finding",)), incident(), Interest.UNWANTED),
    ],
)
def test_where_routes_lead(route, document, expected):
    assert route.interest(document) is expected


def test_a_new_output_hears_of_what_is_open_and_of_all_that_comes(output):
    ledger, clock = MemoryLedger(), Clock()
    before, after = START - 3600 * SECOND, START
    ledger.tell(a(1), a(2), recorded=before)
    ledger.tell(b(1), change(finding("b" * 32, state="closed"), 2, "closed"), recorded=before)
    ledger.tell(change(finding("c" * 32), 1), recorded=after)
    notifier = Notifier(ledger, [output], [], clock)
    notifier.look()
    courier = notifier._couriers[0]
    while courier.step() == 0:
        pass
    assert sorted(output.uids) == ["a-2", "c-1"]
    assert all(notice.first for notice in output.told)


def lease(ledger: MemoryLedger, server: str, clock: Clock) -> Lease:
    return Lease(ledger, "out", server, clock)


def test_of_two_servers_one_sends():
    ledger, clock = MemoryLedger(), Clock()
    outputs = [Recorder(), Recorder()]
    benches = [
        Bench(output, ledger=ledger, clock=clock, server=name, lease=lease(ledger, name, clock))
        for output, name in zip(outputs, "xy", strict=True)
    ]
    ledger.tell(a(1), a(2), b(1), recorded=clock.now)
    for _ in range(400):
        for bench in benches:
            bench.look()
            bench.courier.step()
        clock.now += SECOND // 10
    assert sorted(outputs[0].uids + outputs[1].uids) == ["a-1", "a-2", "b-1"]
    assert not outputs[0].uids or not outputs[1].uids

    # The one that sends dies; the other goes on when its lease has run out.
    dead, alive = (0, 1) if outputs[0].uids else (1, 0)
    ledger.tell(a(3), recorded=clock.now)
    for _ in range(500):
        benches[alive].look()
        benches[alive].courier.step()
        clock.now += SECOND // 10
    assert outputs[alive].uids == ["a-3"]
    assert len(outputs[dead].uids) == 3


def test_a_server_that_was_paused_asks_again_before_it_sends():
    ledger, clock = MemoryLedger(), Clock()
    one, other = lease(ledger, "x", clock), lease(ledger, "y", clock)
    assert one.wait(clock.now) == SECOND
    clock.now += SECOND
    assert one.wait(clock.now) == 0
    assert other.wait(clock.now) > 0
    clock.now += 60 * SECOND
    assert other.wait(clock.now) == SECOND
    clock.now += SECOND
    assert other.wait(clock.now) == 0
    assert one.wait(clock.now) > 0
    other.give_up()
    assert one.wait(clock.now) == SECOND


@dataclass
class Flaky(Recorder):
    """Fails by plan: 0 takes it, 1 is away, 2 refuses for good, 3 takes it and cuts the answer."""

    plan: list[int] = field(default_factory=list)

    def deliver(self, notice: Notice) -> dict[str, str]:
        what = self.plan.pop(0) if self.plan else 0
        if what in (0, 3):
            self.told.append(notice)
        if what:
            raise NotDelivered("no", permanent=what == 2)
        return {}


@settings(max_examples=examples(20))
@given(
    plan=st.lists(st.integers(0, 3), max_size=25),
    turns=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12),
)
def test_whatever_fails_each_change_arrives_or_is_dead_and_in_order(plan, turns):
    """Also over restarts: the second of each turn drops the courier, as a crash does."""
    output = Flaky(plan=plan)
    bench = Bench(output)
    sequence: dict[str, int] = defaultdict(int)
    for name, crash in turns:
        sequence[name] += 1
        bench.tell(change(finding(name * 32), sequence[name], "updated"))
        bench.run(0.5)
        if crash:
            bench = Bench(output, ledger=bench.ledger, clock=bench.clock)
    bench.run(3600)
    arrived = [(notice.id[0], notice.change.sequence) for notice in output.told]
    dead = [(id_[0], n) for id_, n in bench.ledger.events(DEAD)]
    due = {(name, n) for name, last in sequence.items() for n in range(1, last + 1)}
    assert set(arrived) | set(dead) == due
    for name in sequence:
        own = [n for one, n in arrived if one == name]
        assert own == sorted(own), "a change came after a later one"
    settled = bench.ledger.events(DELIVERED) + bench.ledger.events(DEAD)
    assert len(settled) == len(set(settled)) == len(due)
