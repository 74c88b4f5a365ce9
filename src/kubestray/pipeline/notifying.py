"""notify ↔ store: the ledger that outputs read and write, and what people ask of it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from kubestray.config import READERS, SECOND_NS, Config
from kubestray.model.entity import Entity
from kubestray.model.errors import UsageError
from kubestray.model.finding import CLOSED, OPENED, Change, Document, rfc3339, written
from kubestray.notify.configuration import Configured, read
from kubestray.notify.ledger import DEAD, DELIVERED, FAILED, RESENT, Delivery, Entry, Key
from kubestray.notify.notice import Notice
from kubestray.notify.notifier import Notifier
from kubestray.notify.output import Output
from kubestray.notify.pace import Pace
from kubestray.notify.queue import Queue
from kubestray.store.store import Store
from kubestray.store.trees import call, column, one_of, select, text, unsigned

_AT_ONCE = 500
"""Findings that are asked for in one statement."""


class StoreLedger:
    """The tables ``findings`` and ``deliveries`` of a store, as `notify.ledger.Ledger`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def changes(self, since: int) -> list[Entry]:
        """Return the changes recorded at or after a time (ns)."""
        names = ("id", "sequence", "change", "recorded")
        tree: exp.Expr = (
            select(*map(column, names))
            .from_("findings")
            .where(call("greaterOrEquals", column("recorded"), unsigned(max(0, since))))
        )
        rows = self._store.query(tree).to_pylist()
        return [Entry(Key(row["id"], row["sequence"]), row["change"], row["recorded"]) for row in rows]

    def read(self, keys: Collection[Key]) -> list[Change]:
        """Return changes with their documents, in the order of their keys."""
        found: dict[Key, Change] = {}
        wanted = list(keys)
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            names = ("id", "kind", "sequence", "time", "change", "document")
            tree = (
                select(*map(column, names))
                .from_("findings")
                .where(one_of(column("id"), [text(id_) for id_ in dict.fromkeys(key.id for key in some)]))
                .where(one_of(column("sequence"), [unsigned(n) for n in {key.sequence for key in some}]))
            )
            for row in self._store.query(tree).to_pylist():
                change = Change(**{**row, "document": json.loads(row["document"])})
                found[Key(change.id, change.sequence)] = change
        return [found[key] for key in wanted if key in found]

    def deliveries(self, since: int, outputs: Sequence[str] = ()) -> list[Delivery]:
        """Return what became of changes at or after a time (ns); of all outputs, if none is named."""
        names = ("output", "id", "sequence", "event", "time", "server", "detail")
        tree: exp.Select = (
            select(*map(column, names))
            .from_("deliveries")
            .where(call("greaterOrEquals", column("time"), unsigned(max(0, since))))
        )
        if outputs:
            tree = tree.where(one_of(column("output"), map(text, outputs)))
        rows = self._store.query(tree).to_pylist()
        return [Delivery(**{**row, "detail": json.loads(row["detail"])}) for row in rows]

    def record(self, rows: Iterable[Delivery]) -> None:
        """Keep what became of changes."""
        rows = list(rows)
        self._store.record(
            "deliveries",
            pa.table(
                {
                    "output": pa.array([row.output for row in rows], pa.string()),
                    "id": pa.array([row.id for row in rows], pa.string()),
                    "sequence": pa.array([row.sequence for row in rows], pa.uint32()),
                    "event": pa.array([row.event for row in rows], pa.string()),
                    "time": pa.array([row.time for row in rows], pa.uint64()),
                    "server": pa.array([row.server for row in rows], pa.string()),
                    "detail": pa.array([written(row.detail) for row in rows], pa.string()),
                }
            ),
        )


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
        StoreLedger(store),
        told.outputs,
        told.routes,
        store.clock,
        alone=not config["store"].startswith("clickhouse://"),
        pace=Pace(give_up=config["give_up_after"] / SECOND_NS),
    )


def states(store: Store, told: Configured) -> list[dict[str, Any]]:
    """Return how each output is doing: what it has, what waits, what it last said."""
    ledger = StoreLedger(store)
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
        key=lambda row: (row.output, row.id, row.sequence),
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
            "sequence": row.sequence,
            "change": self.change.change if self.change else None,
            "title": document.get("title"),
            "severity": document.get("severity"),
            "time": rfc3339(row.time),
            "attempts": row.detail.get("attempts"),
            "reason": row.detail.get("reason"),
        }


def dead_letters(store: Store, output: str | None = None) -> list[DeadLetter]:
    """Return the dead letters of one output or all, also of those that are not configured any more."""
    ledger = StoreLedger(store)
    rows = _dead(ledger.deliveries(0, [output] if output else ()))
    changes = {Key(one.id, one.sequence): one for one in ledger.read({row.key for row in rows})}
    return [DeadLetter(row, changes.get(row.key)) for row in rows]


def resend(store: Store, ids: Sequence[str], output: str | None = None) -> list[Delivery]:
    """Make dead letters due again: those named by ``ID`` or ``ID-SEQUENCE``, or all; return them."""
    ledger = StoreLedger(store)
    dead = _dead(ledger.deliveries(0, [output] if output else ()))
    names = {name for row in dead for name in (row.id, f"{row.id}-{row.sequence}")}
    for wanted in ids:
        if wanted not in names:
            raise UsageError(f"no dead letter has the id {wanted!r}; kubestray notify dead lists them")
    chosen = [row for row in dead if not ids or row.id in ids or f"{row.id}-{row.sequence}" in ids]
    server, now = f"resend-{secrets.token_hex(4)}", store.clock()
    rows = [
        Delivery(row.output, row.id, row.sequence, RESENT, max(now, row.time + 1), server) for row in chosen
    ]
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
