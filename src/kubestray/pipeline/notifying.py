"""Outputs as the settings have them, and what people ask of them: how they do, dead letters, a test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubestray.config import READERS, SECOND_NS, Config
from kubestray.model.entity import Entity
from kubestray.model.errors import UsageError
from kubestray.model.finding import CLOSED, OPENED, Change, Document, rfc3339
from kubestray.notify.configuration import Configured, read
from kubestray.notify.ledger import DEAD, DELIVERED, FAILED, RESENT, Delivery, Entry, Key
from kubestray.notify.notice import Notice
from kubestray.notify.notifier import Notifier
from kubestray.notify.output import Output
from kubestray.notify.pace import Pace
from kubestray.notify.queue import Queue
from kubestray.pipeline.deliveries import DeliveryLedger
from kubestray.store.store import Store


def configured(
    config: Config, environment: Mapping[str, str] = os.environ, *, look: bool = True
) -> Configured:
    """Return the outputs and routes of the settings; raise `UsageError` if they are wrong.

    With ``look`` also if a secret is missing: who only asks about outputs need not have those.
    """
    return read(config.tables.tables, config.tables.origin, environment, READERS, look=look)


def notifier(store: Store, config: Config, told: Configured) -> Notifier:
    """Return what sends the changes of a store to outputs, not started yet."""
    return Notifier(
        DeliveryLedger(store),
        told.outputs,
        told.routes,
        store.clock,
        alone=not config["store"].startswith("clickhouse://"),
        pace=Pace(give_up=config["give_up_after"] / SECOND_NS),
    )


def states(store: Store, told: Configured) -> list[dict[str, Any]]:
    """Return how each output is doing: what it has, what waits, what it last said."""
    ledger = DeliveryLedger(store)
    rows, entries = ledger.deliveries(0), ledger.changes(0)
    return [
        _state(output, [row for row in rows if row.output == output.name], entries) for output in told.outputs
    ]


def _state(output: Output, rows: Sequence[Delivery], entries: Sequence[Entry]) -> dict[str, Any]:
    queue = Queue()
    queue.learn(rows)
    queue.offer(entries)
    last = max((row.time for row in rows if row.event == DELIVERED), default=0)
    troubles = [row for row in rows if row.event in (FAILED, DEAD) and row.time > last]
    trouble = max(troubles, key=lambda row: row.time, default=None)
    return {
        "name": output.name,
        "type": output.type,
        "where": output.where,
        "delivered": sum(row.event == DELIVERED for row in rows),
        "waiting": sum(len(line.recorded) for line in queue.lines.values()),
        "dead": len(_dead(rows)),
        "last_delivered": rfc3339(last) if last else None,
        "trouble": trouble.detail["reason"] if trouble else None,
    }


def _dead(rows: Iterable[Delivery]) -> list[Delivery]:
    """Return the dead letters that were not resent since."""
    last: dict[tuple[str, Key], Delivery] = {}
    for row in sorted(rows, key=lambda row: row.time):
        if row.event in (DEAD, RESENT, DELIVERED):
            last[row.output, row.key] = row
    return sorted(
        (row for row in last.values() if row.event == DEAD),
        key=lambda row: (row.output, row.key),
    )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A change that an output gave up."""

    delivery: Delivery
    change: Change | None

    def as_json(self) -> dict[str, Any]:
        """Return what people see of it."""
        row, document = self.delivery, self.change.document if self.change else {}
        return {
            "output": row.output,
            "id": row.id,
            "key": row.key.uid,
            "change": self.change.change if self.change else None,
            "title": document.get("title"),
            "severity": document.get("severity"),
            "time": rfc3339(row.time),
            "attempts": row.detail.get("attempts"),
            "reason": row.detail.get("reason"),
        }


def dead_letters(store: Store, output: str | None = None) -> list[DeadLetter]:
    """Return the dead letters of one output or all, also of those that are not configured any more."""
    ledger = DeliveryLedger(store)
    rows = _dead(ledger.deliveries(0, [output] if output else ()))
    changes = ledger.read({row.key for row in rows})
    return [DeadLetter(row, changes.get(row.key)) for row in rows]


def resend(store: Store, ids: Sequence[str], output: str | None = None) -> list[Delivery]:
    """Make dead letters due again: those named by the finding's id or by key, or all; return them."""
    ledger = DeliveryLedger(store)
    dead = _dead(ledger.deliveries(0, [output] if output else ()))
    names = {name for row in dead for name in (row.id, row.key.uid)}
    for wanted in ids:
        if wanted not in names:
            raise UsageError(f"no dead letter has the id {wanted!r}; kubestray notify dead lists them")
    chosen = [row for row in dead if not ids or row.id in ids or row.key.uid in ids]
    server, now = f"resend-{secrets.token_hex(4)}", store.clock()
    rows = [Delivery.of(row.output, row.key, RESENT, max(now, row.time + 1), server, {}) for row in chosen]
    if rows:
        ledger.record(rows)
    return rows


def try_output(output: Output, clock: Callable[[], int]) -> None:
    """Send a marked test finding now, and its end to those that keep track; raises `NotDelivered`."""
    id_, now = secrets.token_hex(16), clock()
    opened = Change(id_, "finding", 1, now, OPENED, _test_document(id_, now, "new"))
    reference = output.deliver(Notice(opened, first=True, ended=False, test=True))
    if output.announces:
        closed = Change(id_, "finding", 2, now, CLOSED, _test_document(id_, now, "closed"))
        output.deliver(Notice(closed, first=False, ended=True, reference=reference, test=True))


def _test_document(id_: str, now: int, state: str) -> Document:
    entity = str(Entity("workload", "test-cluster", "test", "kubestray-notify-test"))
    return {
        "kind": "finding",
        "id": id_,
        "version": 1,
        "title": "Test notification",
        "sentence": "This is a test of kubestray notify. Nothing has happened.",
        "entity": entity,
        "entities": [entity],
        "opened_by": {"how": "direct", "name": "kubestray notify test", "id": None},
        "state": state,
        "owner": None,
        "severity": "informational",
        "score": 0,
        "opened": rfc3339(now),
        "first_seen": rfc3339(now),
        "last_seen": rfc3339(now),
        "closed": rfc3339(now) if state == "closed" else None,
        "techniques": [],
        "tactics": [],
        "parts": [],
        "observed": [],
        "would_not_have_fired": [],
        "peers": [],
        "evidence": [],
        "steps": [],
        "respond": ["Nothing to do."],
        "incident": None,
        "scoring": {},
        "content": "",
    }
