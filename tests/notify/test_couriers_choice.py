"""Which changes an output is told where several belong together, or where the clock is not to be trusted."""

from __future__ import annotations

import pytest
from documents import INCIDENT_ID, SECOND, MemoryLedger, change, finding, incident, notice
from test_courier import Bench, Clock, Recorder, a, b

from kubestray.notify.ledger import ADDED, SKIPPED
from kubestray.notify.notifier import Notifier
from kubestray.notify.output import NotDelivered
from kubestray.notify.route import Route
from kubestray.notify.words import over

HOUR = 3600 * SECOND


@pytest.fixture
def output() -> Recorder:
    return Recorder()


def of_incident(n: int, **more):
    return a(n, incident=INCIDENT_ID, **more)


@pytest.mark.parametrize(
    ("route", "of_the_finding"),
    [
        (Route(("out",), min_severity="high"), {"severity": "critical"}),
        (Route(("out",), namespaces=("pay",)), {"entities": ["namespace:prod/pay/"]}),
        (Route(("out",), detections=("Rule*",)), {"opened_by": {"how": "rule", "name": "Rule 7", "id": ""}}),
    ],
)
def test_a_finding_is_told_where_no_route_leads_its_incident(output, route, of_the_finding):
    """An incident has the severity of its steps, which do not grow while they last as findings do."""
    bench = Bench(output, route)
    bench.tell(of_incident(1, severity="low", entities=[]), change(incident(severity="low"), 1))
    bench.run()
    assert output.told == []
    bench.tell(of_incident(2, **{"severity": "low", **of_the_finding}))
    bench.run()
    assert [(one.uid[-3:], one.first) for one in output.told] == [("a-2", True)]
    bench.tell(change(incident(state="closed"), 2, "closed"), of_incident(3, what="closed", state="closed"))
    bench.run()
    assert [(one.uid[-3:], one.ended) for one in output.told] == [("a-2", False), ("a-3", True)]


def test_a_finding_that_was_told_ends_when_its_incident_is_told_after_all(output):
    bench = Bench(output, Route(("out",), min_severity="high"))
    bench.tell(of_incident(1, severity="high"), change(incident(severity="low"), 1))
    bench.run()
    bench.tell(change(incident(severity="high"), 2, "updated"), of_incident(2, severity="critical"))
    bench.run()
    assert [(one.uid[-3:], one.ended) for one in output.told] == [
        ("a-1", False),
        ("f-2", False),
        ("a-2", True),
    ]


@pytest.mark.parametrize("wait", [0, 30])
def test_an_incident_is_told_instead_of_its_findings_whatever_their_names(output, wait):
    """The finding's line comes first by its name; it waits for what becomes of its incident."""
    bench = Bench(output, Route(("out",), wait=wait * SECOND))
    own = change(incident("f" * 32), 1)
    bench.tell(a(1, incident="f" * 32), own)
    bench.run(60)
    assert [one.id for one in output.told] == ["f" * 32]
    assert bench.ledger.events(SKIPPED) == [("a" * 32, 1)]


def test_what_was_over_before_its_receiver_came_back_is_told_all_the_same(output):
    """The wait is for what comes within it: an end hours later takes the place of nothing."""
    bench = Bench(output, Route(("out",), wait=30 * SECOND))
    bench.tell(a(1))
    bench.clock.now += 10 * SECOND
    bench.tell(a(2))
    bench.clock.now += 5 * HOUR
    bench.tell(a(3, "closed", state="closed"))
    bench.run(60)
    assert [(one.uid[-3:], one.first, one.ended) for one in output.told] == [
        ("a-2", True, False),
        ("a-3", False, True),
    ]


@pytest.mark.parametrize("wait", [0, 30])
def test_a_clock_that_is_set_back_holds_nothing_up(output, wait):
    """What was to be tried again in half a minute is, and not when the clock has come there again."""
    bench = Bench(output, Route(("out",), wait=wait * SECOND))
    output.faults = [NotDelivered("away")] * 8
    bench.tell(a(1))
    bench.run(wait + 60)
    bench.tell(b(1))
    bench.clock.now -= 20 * HOUR
    bench.run(120)
    assert sorted(one.uid[-3:] for one in output.told) == ["a-1", "b-1"]


def test_a_clock_that_was_ahead_when_an_output_was_first_seen_loses_nothing(output):
    """A machine whose clock is hours ahead until it hears the time: all that comes after that is due."""
    ledger, clock = MemoryLedger(), Clock()

    def tell_all(notifier: Notifier) -> None:
        notifier.look()
        while notifier._couriers[0].step() == 0:
            pass

    clock.now += 2 * HOUR
    notifier = Notifier(ledger, [output], [], clock)
    ledger.tell(a(1), recorded=clock.now)
    tell_all(notifier)
    clock.now -= 2 * HOUR
    tell_all(notifier)
    ledger.tell(b(1), recorded=clock.now)
    tell_all(notifier)
    clock.now += SECOND
    tell_all(Notifier(ledger, [output], [], clock))
    assert output.uids == ["a-1", "b-1"]
    assert len(ledger.events(ADDED)) == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"state": "closed"}, "has become quiet"),
        ({"state": "resolved"}, "resolved"),
        ({"state": "suppressed"}, "suppressed"),
        ({"state": "new"}, f"part of incident {INCIDENT_ID}"),
        ({"state": "closed", "merged_into": "f" * 32}, f"part of incident {'f' * 32}"),
    ],
)
def test_why_something_has_ended_is_said(more, told):
    """Each finding belongs to an incident; that it is over has another reason most of the time."""
    ended = notice(finding(incident=INCIDENT_ID, **more), 2, "closed", first=False, ended=True)
    assert over(ended) == told
