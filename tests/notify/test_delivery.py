"""Requests to receivers that misbehave: every change arrives, in order, known by its key."""

from __future__ import annotations

import logging
import time

import pytest
from documents import SECOND, MemoryLedger, change, finding, incident, notice
from receiver import Receiver, Reply, wait_until

from kubestray.model.errors import StoreError
from kubestray.notify.http import Client, checked_url
from kubestray.notify.ledger import DEAD, DELIVERED
from kubestray.notify.notifier import Notifier
from kubestray.notify.output import NotDelivered
from kubestray.notify.outputs.alertmanager import Alertmanager
from kubestray.notify.outputs.ocsf_webhook import OcsfWebhook
from kubestray.notify.outputs.slack import Slack
from kubestray.notify.pace import Pace
from kubestray.notify.secret import Secret

QUICK = Pace(first=0.01, longest=0.05)
TOKEN = "s3cr3t-t0k3n-0123456789"
PATH_SECRET = "T0/B0/p4th-s3cr3t"


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def ledger():
    return MemoryLedger()


@pytest.fixture
def notify(ledger):
    """A function that starts a notifier with outputs."""
    running = []

    def start(*outputs) -> Notifier:
        running.append(Notifier(ledger, outputs, [], pace=QUICK))
        running[-1].start()
        return running[-1]

    yield start
    for one in running:
        one.stop()


def values(url: str, timeout: float = 5, **more):
    return {"url": Secret("test", lambda: url), "timeout": round(timeout * SECOND), **more}


def webhook(url: str, name: str = "hook", **more) -> OcsfWebhook:
    return OcsfWebhook(name, values(url, **more))


def changes(ids: str = "abc", count: int = 3):
    """Some findings, each with several changes."""
    return [
        change(finding(name * 32, sentence=f"{n}"), n, "opened" if n == 1 else "updated")
        for n in range(1, count + 1)
        for name in ids
    ]


def tell(ledger: MemoryLedger, notifier: Notifier, told) -> None:
    ledger.tell(*told, recorded=time.time_ns())
    notifier.wake()


def keys(receiver: Receiver) -> list[str]:
    return [request.headers["idempotency-key"] for request in receiver.taken]


def in_order(got: list[str]) -> bool:
    """Whether the changes of each finding came in order; one may come again, right after itself."""
    last: dict[str, int] = {}
    for key in got:
        id_, sequence = key.split("-")
        if int(sequence) < last.get(id_, 0):
            return False
        last[id_] = int(sequence)
    return True


MISBEHAVIOURS = {
    "unavailable": Reply(503),
    "failing": Reply(500, b"oops"),
    "too many": Reply(429, headers={"Retry-After": "0"}),
    "too many, a date": Reply(429, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}),
    "not found": Reply(404),
    "forbidden": Reply(403),
    "moved": Reply(302, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    "cut": Reply(how="cut"),
    "stall": Reply(how="stall"),
    "drip": Reply(how="drip"),
}


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_receiver_that_misbehaves_gets_everything(receiver, ledger, notify, name):
    receiver.replies = [MISBEHAVIOURS[name], Reply(), MISBEHAVIOURS[name], MISBEHAVIOURS[name]]
    told = changes()
    endless = receiver.replies[0].how in ("stall", "drip")
    tell(ledger, notify(webhook(receiver.url, timeout=0.3 if endless else 30)), told)
    wait_until(lambda: len(ledger.events(DELIVERED)) == len(told))
    assert len(receiver.requests) >= len(told) + 3
    assert in_order(keys(receiver))
    # On a slow machine an answer can come too late to be heard: then the same key comes again.
    got = set(keys(receiver)) if endless else keys(receiver)
    assert sorted(got) == sorted(f"{one.id}-{one.sequence}" for one in told)
    assert ledger.events(DEAD) == []


def test_a_receiver_that_was_away_gets_everything(ledger, notify):
    gone = Receiver()
    port = gone.port
    gone.close()
    told = changes()
    notifier = notify(webhook(f"http://127.0.0.1:{port}"))
    tell(ledger, notifier, told[:5])
    wait_until(lambda: any("connection refused" in str(row.detail) for row in ledger.rows))
    tell(ledger, notifier, told[5:])
    back = Receiver(port)
    try:
        wait_until(lambda: len(ledger.events(DELIVERED)) == len(told))
        assert in_order(keys(back))
        assert sorted(keys(back)) == sorted(f"{one.id}-{one.sequence}" for one in told)
    finally:
        back.close()


def test_a_stalled_receiver_holds_up_no_other(receiver, ledger, notify):
    stalled = Receiver()
    stalled.otherwise = Reply(how="stall")
    notifier = notify(webhook(stalled.url, "stalled", timeout=60), webhook(receiver.url, "well"))
    tell(ledger, notifier, changes("a"))
    wait_until(lambda: len(receiver.taken) == 3)
    assert stalled.taken == []
    began = time.monotonic()
    notifier.stop()
    assert time.monotonic() - began < 30, "stopping waits for nobody"
    stalled.close()


def test_nothing_is_lost_or_sent_again_over_a_restart(receiver, ledger, notify):
    receiver.replies = [Reply(), Reply(), Reply(how="stall")]
    told = changes()
    first = notify(webhook(receiver.url, timeout=60))
    tell(ledger, first, told)
    wait_until(lambda: len(receiver.requests) == 3)
    first.stop()
    notify(webhook(receiver.url))
    wait_until(lambda: len(ledger.events(DELIVERED)) == len(told))
    assert sorted(keys(receiver)) == sorted(f"{one.id}-{one.sequence}" for one in told)
    assert in_order(keys(receiver))


def test_a_crash_after_the_answer_sends_the_same_key_again(receiver, ledger, notify):
    """What the store does not know to be delivered is sent again, with the key that tells."""

    class Crashing(MemoryLedger):
        def record(self, rows) -> None:
            rows = list(rows)
            if any(row.event == DELIVERED and row.sequence == 2 for row in rows):
                raise StoreError("the power is gone")
            super().record(rows)

    crashing = Crashing()
    told = changes("a")
    crashing.tell(*told, recorded=time.time_ns())
    first = Notifier(crashing, [webhook(receiver.url)], [], pace=QUICK)
    first.start()
    wait_until(lambda: len(receiver.taken) == 2)
    first.stop()
    ledger.recorded, ledger.rows = crashing.recorded, crashing.rows
    notify(webhook(receiver.url))
    wait_until(lambda: len(ledger.events(DELIVERED)) == 3)
    assert [key[-1] for key in keys(receiver)] == ["1", "2", "2", "3"]
    assert receiver.taken[1].body == receiver.taken[2].body


def test_a_refused_message_is_dead_at_once(receiver, ledger, notify):
    receiver.replies = [Reply(400, b"I do not like it")]
    tell(ledger, notify(webhook(receiver.url)), changes("a", 2))
    wait_until(lambda: len(ledger.events(DELIVERED)) == 1)
    assert ledger.events(DEAD) == [("a" * 32, 1)]
    assert "I do not like it" in next(row.detail["reason"] for row in ledger.rows if row.event == DEAD)


def test_alertmanager_resolves_what_it_was_told(receiver, ledger, notify):
    output = Alertmanager("am", values(f"{receiver.url}/prefix/", repeat=0.02 * SECOND))
    notifier = notify(output)
    tell(ledger, notifier, [change(incident(), 1)])
    wait_until(lambda: len(receiver.taken) > 3)
    assert {request.path for request in receiver.taken} == {"/prefix/api/v2/alerts"}
    assert all(request.json == receiver.taken[0].json for request in receiver.taken), "kept alive unchanged"
    tell(ledger, notifier, [change(incident(state="closed"), 2, "closed")])
    wait_until(lambda: "endsAt" in receiver.taken[-1].json[0])
    wait_until(lambda: len(ledger.events(DELIVERED)) == 2)
    assert receiver.taken[-1].json[0]["labels"] == receiver.taken[0].json[0]["labels"]
    number = len(receiver.taken)
    time.sleep(0.1)
    assert len(receiver.taken) == number, "what has ended is not kept alive"


def test_a_redirect_is_not_followed(receiver):
    other = Receiver()
    receiver.otherwise = Reply(307, headers={"Location": f"{other.url}/x?{TOKEN}"})
    with pytest.raises(NotDelivered, match="redirects are not followed") as told:
        webhook(receiver.url, token=Secret("test", lambda: TOKEN)).deliver(notice(finding()))
    assert other.requests == []
    assert TOKEN not in str(told.value)
    assert not told.value.permanent
    other.close()


@pytest.mark.parametrize(
    ("reply", "permanent", "after"),
    [
        (Reply(400), True, None),
        (Reply(413), True, None),
        (Reply(422), True, None),
        (Reply(401), False, None),
        (Reply(404), False, None),
        (Reply(408), False, None),
        (Reply(425), False, None),
        (Reply(429, headers={"Retry-After": "17"}), False, 17),
        (Reply(503, headers={"Retry-After": "999999"}), False, 3600),
        (Reply(503, headers={"Retry-After": "soon"}), False, None),
        (Reply(503, headers={"Retry-After": "\xb2"}), False, None),
    ],
)
def test_what_answers_mean(receiver, reply, permanent, after):
    receiver.otherwise = reply
    with pytest.raises(NotDelivered, match=str(reply.status)) as told:
        webhook(receiver.url).deliver(notice(finding()))
    assert (told.value.permanent, told.value.retry_after) == (permanent, after)


def test_authorisation(receiver):
    webhook(receiver.url, token=Secret("test", lambda: TOKEN)).deliver(notice(finding()))
    webhook(receiver.url, user="ann", password=Secret("test", lambda: "pw")).deliver(notice(finding()))
    webhook(receiver.url).deliver(notice(finding()))
    assert [request.headers.get("authorization") for request in receiver.taken] == [
        f"Bearer {TOKEN}",
        "Basic YW5uOnB3",
        None,
    ]


def test_a_proxy_of_the_environment_is_used(receiver, monkeypatch):
    monkeypatch.setenv("http_proxy", receiver.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    webhook("http://soc.example/in").deliver(notice(finding()))
    assert receiver.taken[0].path == "http://soc.example/in"
    webhook(f"{receiver.url}/direct").deliver(notice(finding()))
    assert receiver.taken[1].path == "/direct"
    monkeypatch.setenv("http_proxy", receiver.url.replace("//", "//ann:p%77@"))
    webhook("http://soc.example/in").deliver(notice(finding()))
    assert receiver.taken[2].headers["proxy-authorization"] == "Basic YW5uOnB3"


def test_secrets_are_not_shown(receiver, ledger, notify, caplog):
    """Neither where a receiver says them back, nor where they are wrong, nor where nobody answers."""
    caplog.set_level(logging.DEBUG)
    echo = f"bad token {TOKEN} for /services/{PATH_SECRET}".encode()
    receiver.otherwise = Reply(403, echo)
    token = Secret("environment variable TOKEN", lambda: TOKEN)
    broken = Secret("file x", lambda: f"{TOKEN}\nX: y")
    hook = Receiver()
    hook.otherwise = Reply(404, f"no service /services/{PATH_SECRET}".encode())
    outputs = [
        webhook(f"{receiver.url}/services/{PATH_SECRET}", "echo", token=token),
        webhook(f"http://127.0.0.1:1/services/{PATH_SECRET}", "nobody", token=token),
        webhook(receiver.url, "header", token=broken),
        Slack("slack", {**values(f"{hook.url}/services/{PATH_SECRET}"), "channel": "", "chart": False}),
    ]
    told = changes("a", 1)
    tell(ledger, notify(*outputs), told)
    wait_until(lambda: len({row.output for row in ledger.rows if row.detail.get("reason")}) == 4)
    shown = caplog.text + repr(ledger.rows) + repr(outputs) + repr([vars(one) for one in outputs])
    hook.close()
    assert "bad token ***" in shown
    assert "no service ***" in shown
    for secret in (TOKEN, PATH_SECRET, "p4th"):
        assert secret not in shown


@pytest.mark.parametrize(
    "url", ["http://h/ä", "http://h/a b", "file:///etc/passwd", "http://", "h:80", "gopher://h/"]
)
def test_urls_that_are_none(url):
    with pytest.raises(ValueError, match="URL"):
        checked_url(url)


def test_a_certificate_that_nobody_knows_is_refused(receiver):
    with pytest.raises(NotDelivered, match=r"cannot be|cut the connection"):
        webhook(receiver.url.replace("http:", "https:")).deliver(notice(finding()))
    with pytest.raises(NotDelivered, match="ca_file"):
        webhook("https://127.0.0.1:1", ca_file="/nowhere.pem").deliver(notice(finding()))


def test_a_client_that_was_stopped_sends_nothing(receiver):
    client = Client(values(receiver.url))
    client.stop()
    with pytest.raises(NotDelivered, match="stops"):
        client.post(receiver.url, b"", {})
    assert receiver.requests == []
