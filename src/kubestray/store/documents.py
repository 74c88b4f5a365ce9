"""What people have set, as small documents by kind and name, and the log of who did what.

Both are only ever added to. The latest version of a document counts, whichever server of a cluster wrote it.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from kubestray.store.store import Store
from kubestray.store.trees import Tree, all_of, column, one_of, ordered, select, text, unsigned

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log; ``time`` in nanoseconds."""

    time: int
    id: str
    actor: str
    action: str
    target: str
    detail: Fields


class Documents:
    """The documents and the audit log of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last, self._lock = 0, threading.Lock()

    def _stamp(self, behind: int = 0) -> int:
        """Return the time, above every one that was returned before and above ``behind``."""
        with self._lock:
            self._last = max(self._store.clock(), self._last + 1, behind + 1)
            return self._last

    def _latest(self, kind: str, name: str) -> int:
        """Return when a document was changed last, 0 if it never was: of two versions the later one counts.

        The clock may have been ahead then. A token that is ended after it was set right has to be ended.
        """
        tree = select(exp.alias_(exp.Max(this=column("changed")), "changed")).from_("documents")
        tree = tree.where(all_of([_equal("kind", kind), _equal("name", name)]))
        return int(self._store.query(tree).column("changed")[0].as_py() or 0)

    def changes(self) -> Hashable | None:
        """Return a value that differs once a document was written; None where nobody can know."""
        return self._store.changes(("documents",))

    def all(self, kind: str) -> dict[str, Fields]:
        """Return the documents of a kind by name, in the order of their names."""
        return self._read(_equal("kind", kind))

    def as_written(self, kind: str) -> list[tuple[str, Fields]]:
        """Return the documents of a kind with their names, in the order in which they were written."""
        return list(self._read(_equal("kind", kind), order=("changed", "name")).items())

    def get(self, kind: str, name: str) -> Fields | None:
        """Return one document, or None."""
        return self._read(_equal("kind", kind), _equal("name", name)).get(name)

    def _read(self, *conditions: Tree, order: Sequence[str] = ("name",)) -> dict[str, Fields]:
        there = exp.EQ(this=column("removed"), expression=exp.Literal.number(0))
        tree = select(column("name"), column("fields")).from_("documents")
        tree = tree.where(all_of([*conditions, there])).order_by(*map(column, order))
        return {row["name"]: json.loads(row["fields"]) for row in self._store.query(tree).to_pylist()}

    def put(self, kind: str, name: str, fields: Mapping[str, Any]) -> None:
        """Write a new version of a document; it is durable when this returns."""
        self._write(kind, name, json.dumps(dict(fields), sort_keys=True), removed=False)

    def remove(self, kind: str, name: str) -> None:
        """Make a document one that is not there."""
        self._write(kind, name, "{}", removed=True)

    def _write(self, kind: str, name: str, fields: str, *, removed: bool) -> None:
        row = {
            "kind": [kind],
            "name": [name],
            "fields": [fields],
            "removed": pa.array([int(removed)], pa.uint8()),
            "changed": pa.array([self._stamp(self._latest(kind, name))], pa.uint64()),
        }
        self._store.record("documents", pa.table(row))

    def note(
        self, actor: str, action: str, target: str = "", detail: Mapping[str, Any] | None = None
    ) -> None:
        """Add a line to the audit log."""
        row = {
            "time": pa.array([self._stamp()], pa.uint64()),
            "id": [secrets.token_hex(16)],
            "actor": [actor],
            "action": [action],
            "target": [target],
            "detail": [json.dumps(dict(detail or {}), sort_keys=True)],
        }
        self._store.record("audit", pa.table(row))

    def noted(
        self,
        *,
        actor: str = "",
        actions: Iterable[str] = (),
        before: int | None = None,
        most: int = 200,
    ) -> list[Entry]:
        """Return lines of the audit log, the newest first; ``before`` in nanoseconds."""
        conditions: list[Tree] = [_equal("actor", actor)] if actor else []
        if wanted := list(actions):
            conditions.append(one_of(column("action"), map(text, wanted)))
        if before is not None:
            conditions.append(exp.LT(this=column("time"), expression=unsigned(before)))
        names = ("time", "id", "actor", "action", "target", "detail")
        tree = select(*map(column, names)).from_("audit").where(all_of(conditions))
        tree = tree.order_by(ordered(column("time"), descending=True), column("id")).limit(most)
        rows = self._store.query(tree).to_pylist()
        return [Entry(**{**row, "detail": json.loads(row["detail"])}) for row in rows]


def _equal(name: str, value: str) -> Tree:
    return exp.EQ(this=column(name), expression=text(value))
