"""A finding and an incident as `docs/findings.md` has them, and a ledger in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from kubestray.model.errors import StoreError
from kubestray.model.finding import Change, Kind, rfc3339
from kubestray.notify.ledger import Delivery, Entry, Key
from kubestray.notify.notice import Notice

SECOND = 10**9
OPENED = 1_795_317_000 * SECOND
"""2026-11-22T03:10:00Z."""

PROCESS = "process:prod/shop/checkout/node"
WORKLOAD = "workload:prod/shop/checkout"
EDGE = "edge:prod/shop/checkout>batch/reports"
INCIDENT_ID, FINDING_ID = "1f" * 16, "a0" * 16


def finding(id_: str = FINDING_ID, **more: Any) -> dict[str, Any]:
    """An exfiltration: a process sends more than ever."""
    return {
        "kind": "finding",
        "id": id_,
        "version": 1,
        "title": "Outbound surge of shop/checkout",
        "sentence": "node of shop/checkout sent 48211900 bytes, 79 times what is usual at 03:00.",
        "entity": PROCESS,
        "entities": [PROCESS, WORKLOAD, EDGE],
        "opened_by": {"how": "direct", "name": "Outbound traffic of a process", "id": "7d0c"},
        "state": "new",
        "owner": None,
        "severity": "high",
        "score": 72.0,
        "opened": rfc3339(OPENED),
        "first_seen": rfc3339(OPENED - 120 * SECOND),
        "last_seen": rfc3339(OPENED - 60 * SECOND),
        "closed": None,
        "techniques": ["T1048"],
        "tactics": [{"id": "TA0010", "name": "Exfiltration"}],
        "parts": [
            {
                "detection": "Outbound traffic of a process",
                "detection_id": "7d0c",
                "entity": PROCESS,
                "score": 72,
                "factor": 1,
                "time": rfc3339(OPENED - 60 * SECOND),
                "lasted": 60,
                "value": 72,
            }
        ],
        "observed": [
            {
                "field": "tcp.bytes",
                "value": 48_211_900,
                "expected": 611_000.0,
                "upper": 4_020_000,
                "score": 0.997,
            }
        ],
        "would_not_have_fired": ["With 4020000 bytes or fewer."],
        "peers": ["23 other workloads sent at most 900000 bytes."],
        "evidence": [
            {
                "detection": "Outbound traffic of a process",
                "detection_id": "7d0c",
                "entity": PROCESS,
                "time": rfc3339(OPENED - 60 * SECOND),
                "window": [rfc3339(OPENED - 3600 * SECOND), rfc3339(OPENED)],
                "message": "node sent 48211900 bytes",
                "search": "| mstats sum(tcp.bytes) where index=* by pod",
                "row": {"pod": "checkout-x", "tcp.bytes": 48_211_900},
                "risk_event": "e1",
                "techniques": ["T1048"],
            }
        ],
        "steps": [],
        "respond": ["Look at where the bytes went."],
        "incident": None,
        "scoring": {},
        "content": "c0ffee",
        **more,
    }


def incident(id_: str = INCIDENT_ID, **more: Any) -> dict[str, Any]:
    """A shell, then an exfiltration."""
    steps = [("Shell in a container", PROCESS, "T1059", 3600, 40), ("Outbound surge", EDGE, "T1048", 60, 72)]
    return {
        "kind": "incident",
        "id": id_,
        "version": 1,
        "title": "Attack on shop/checkout",
        "sentence": "A shell ran in shop/checkout, and 59 minutes later much was sent to batch/reports.",
        "state": "new",
        "owner": None,
        "severity": "critical",
        "score": 164.5,
        "opened": rfc3339(OPENED),
        "first_seen": rfc3339(OPENED - 3600 * SECOND),
        "last_seen": rfc3339(OPENED - 60 * SECOND),
        "closed": None,
        "entity": WORKLOAD,
        "entities": [WORKLOAD, PROCESS, EDGE],
        "steps": [
            {
                "time": rfc3339(OPENED - before * SECOND),
                "last": rfc3339(OPENED - before * SECOND),
                "detection": detection,
                "entity": entity,
                "techniques": [technique],
                "message": f"{detection}.",
                "count": 1,
                "score": score,
            }
            for detection, entity, technique, before, score in steps
        ],
        "findings": [FINDING_ID],
        "techniques": ["T1059", "T1048"],
        "tactics": [{"id": "TA0002", "name": "Execution"}, {"id": "TA0010", "name": "Exfiltration"}],
        "merged_into": None,
        **more,
    }


def change(
    document: dict[str, Any], sequence: int = 1, what: str = "opened", time: int | None = None
) -> Change:
    kind: Kind = document["kind"]
    return Change(document["id"], kind, sequence, OPENED + sequence if time is None else time, what, document)


def notice(
    document: dict[str, Any], sequence: int = 1, what: str = "opened", *, first: bool = True, **more: Any
) -> Notice:
    return Notice(change(document, sequence, what), first=first, **{"ended": False, **more})


class MemoryLedger:
    """A ledger in memory. ``broken`` makes every method fail."""

    def __init__(self) -> None:
        self.recorded: dict[Key, tuple[Change, int]] = {}
        self.rows: list[Delivery] = []
        self.broken = False

    def tell(self, *changes: Change, recorded: int) -> None:
        for one in changes:
            self.recorded[Key(one.id, one.sequence)] = (one, recorded)

    def changes(self, since: int) -> list[Entry]:
        self._check()
        found = [(key, one, at) for key, (one, at) in self.recorded.items() if at >= since]
        return [Entry(key, one.change, at) for key, one, at in found]

    def read(self, keys: Collection[Key]) -> dict[Key, Change]:
        self._check()
        return {key: self.recorded[key][0] for key in keys if key in self.recorded}

    def deliveries(self, since: int, outputs: Sequence[str] = ()) -> list[Delivery]:
        self._check()
        return [row for row in self.rows if row.time >= since and (not outputs or row.output in outputs)]

    def record(self, rows: Iterable[Delivery]) -> None:
        self._check()
        for row in rows:
            place = (row.output, row.key, row.event, row.server)
            self.rows = [old for old in self.rows if (old.output, old.key, old.event, old.server) != place]
            self.rows.append(row)

    def events(self, event: str) -> list[tuple[str, int]]:
        return [(row.id, row.sequence) for row in self.rows if row.event == event]

    def _check(self) -> None:
        if self.broken:
            raise StoreError("the store is away")
