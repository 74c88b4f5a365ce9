"""The ledger of a store as outputs see it: `notify.ledger.Ledger`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import pyarrow as pa
from sqlglot import exp

from kubestray.model.finding import ACTIONS, Change, Decision, written
from kubestray.notify.ledger import Delivery, Entry, Key
from kubestray.notify.notice import DECIDED
from kubestray.risk.lifecycle import as_it_stands
from kubestray.risk.suppressions import SUPPRESS, WITHDRAW, Suppression, suppressions_of
from kubestray.store.ledger import Ledger
from kubestray.store.store import Store
from kubestray.store.trees import call, column, one_of, select, text, unsigned

_AT_ONCE = 500
"""Findings that are asked for in one statement."""


class DeliveryLedger:
    """The tables ``findings``, ``decisions`` and ``deliveries``.

    What a person decides about a finding is a change of it here, at its place among those that came by
    themselves; so is a suppression for every open finding that it hides.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._ledger = store, Ledger(store)
        self._entries: dict[str, list[Entry]] = {}
        """What decisions are, by the decision's id."""

    def changes(self, since: int) -> list[Entry]:
        """Return what became of findings, and what was decided about them, at or after a time (ns)."""
        found = [Entry(Key(id_, number), what, at) for id_, number, what, at in self._recorded(since)]
        return found + [entry for one in self._decided_since(since) for entry in self._entries_of(one)]

    def read(self, keys: Collection[Key]) -> dict[Key, Change]:
        """Return changes with their documents as they stood then, in the order of the keys."""
        wanted = list(keys)
        found: dict[Key, Change] = {}
        if wanted:
            hidden = suppressions_of(self._ledger.decisions(actions=(SUPPRESS, WITHDRAW)))
            for start in range(0, len(wanted), _AT_ONCE):
                found |= self._read(wanted[start : start + _AT_ONCE], hidden)
        return {key: found[key] for key in wanted if key in found}

    def deliveries(self, since: int, outputs: Sequence[str] = ()) -> list[Delivery]:
        """Return what became of changes at or after a time (ns); of all outputs, if none is named."""
        names = ("output", "id", "sequence", "decision", "event", "time", "server", "detail")
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
        texts = ("output", "id", "decision", "event", "server")
        columns = {name: pa.array([getattr(row, name) for row in rows], pa.string()) for name in texts}
        columns |= {
            "sequence": pa.array([row.sequence for row in rows], pa.uint32()),
            "time": pa.array([row.time for row in rows], pa.uint64()),
            "detail": pa.array([written(row.detail) for row in rows], pa.string()),
        }
        self._store.record("deliveries", pa.table(columns))

    def _recorded(self, since: int, ids: Collection[str] = ()) -> Iterator[tuple[str, int, str, int]]:
        names = ("id", "sequence", "change", "recorded")
        tree: exp.Select = (
            select(*map(column, names))
            .from_("findings")
            .where(call("greaterOrEquals", column("recorded"), unsigned(max(0, since))))
        )
        if ids:
            tree = tree.where(one_of(column("id"), map(text, ids)))
        for row in self._store.query(tree).to_pylist():
            yield row["id"], row["sequence"], row["change"], row["recorded"]

    def _decided_since(self, since: int) -> list[Decision]:
        decisions = self._ledger.decisions(actions=(*ACTIONS, SUPPRESS))
        return [one for one in decisions if one.time >= since]

    def _entries_of(self, decision: Decision) -> list[Entry]:
        if decision.id not in self._entries:
            targets = self._hidden_by(decision) if decision.action == SUPPRESS else [decision.target]
            self._entries[decision.id] = list(self._placed(decision, targets))
        return self._entries[decision.id]

    def _hidden_by(self, decision: Decision) -> list[str]:
        """Return what was open when a suppression was decided, and is hidden by it."""
        (suppression,) = suppressions_of([decision])
        noted = self._ledger.latest(only_open=True)
        standing = (as_it_stands(one.document, (), [suppression], decision.time) for one in noted)
        return [one["id"] for one in standing if one["state"] == "suppressed"]

    def _placed(self, decision: Decision, targets: Collection[str]) -> Iterator[Entry]:
        """Give a decision its place: after the last change of its finding that was recorded before."""
        places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for id_, sequence, _, recorded in self._recorded(0, targets) if targets else ():
            places[id_].append((sequence, recorded))
        for id_, changes in places.items():
            before = [sequence for sequence, recorded in changes if recorded <= decision.time]
            place = max(before, default=min(changes)[0])
            yield Entry(Key(id_, place, f"{decision.time:020d}.{decision.id}"), DECIDED, decision.time)

    def _read(self, keys: Sequence[Key], hidden: Sequence[Suppression]) -> dict[Key, Change]:
        ids = list(dict.fromkeys(key.id for key in keys))
        names = ("id", "kind", "sequence", "time", "change", "document", "recorded")
        tree = (
            select(*map(column, names))
            .from_("findings")
            .where(one_of(column("id"), map(text, ids)))
            .where(one_of(column("sequence"), [unsigned(n) for n in {key.sequence for key in keys}]))
        )
        rows = {(row["id"], row["sequence"]): row for row in self._store.query(tree).to_pylist()}
        decisions: dict[str, list[Decision]] = defaultdict(list)
        for one in self._ledger.decisions(targets=ids):
            decisions[one.target].append(one)
        found: dict[Key, Change] = {}
        for key in keys:
            row = rows.get((key.id, key.sequence))
            if row is None:
                continue
            now = int(key.decision.partition(".")[0]) if key.decision else row["recorded"]
            before = [one for one in decisions[key.id] if one.time <= now]
            document = as_it_stands(json.loads(row["document"]), before, hidden, now)
            change, time = (DECIDED, now) if key.decision else (row["change"], row["time"])
            found[key] = Change(key.id, row["kind"], key.sequence, time, change, document)
        return found
