"""The ledger: risk events, what became of findings, what people decided. Rows are added and never changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from kubestray.model.finding import CLOSED, MERGED, Change, Decision, Document, written
from kubestray.model.risk import RiskEvent
from kubestray.store.store import Store
from kubestray.store.trees import (
    all_of,
    call,
    column,
    in_query,
    named,
    one_of,
    ordered,
    select,
    table,
    text,
    unsigned,
)

Tree = exp.Expr
Subject = tuple[str, str, str]
"""The type and name of a risk object, and what threatens it."""


@dataclass(frozen=True, slots=True)
class Noted:
    """The latest document of a finding or incident, its sequence, and what became of it when (ns)."""

    sequence: int
    change: str
    document: Document
    time: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of a store. Recording a row again that is there adds nothing."""

    store: Store

    def record_risk(self, events: Sequence[RiskEvent]) -> None:
        """Add risk events; durable when this returns."""
        columns = {
            "id": pa.array([e.id for e in events], pa.string()),
            "time": pa.array([e.time for e in events], pa.uint64()),
            "detection": pa.array([e.detection for e in events], pa.string()),
            "risk_object": pa.array([e.risk_object for e in events], pa.string()),
            "risk_object_type": pa.array([e.risk_object_type for e in events], pa.string()),
            "risk_score": pa.array([e.risk_score for e in events], pa.float64()),
            "fields": pa.array([json.dumps(e.fields, sort_keys=True) for e in events], pa.string()),
            "recorded": pa.array([time.time_ns()] * len(events), pa.uint64()),
        }
        self.store.record("risk", pa.table(columns))

    def risk(self, after: int, until: int) -> list[RiskEvent]:
        """Return the risk events of ``(after, until]`` (ns) in order of time."""
        names = ("id", "time", "detection", "risk_object", "risk_object_type", "risk_score", "fields")
        within = all_of([_above("time", after), _up_to("time", until)])
        tree = select(*map(column, names)).from_("risk").where(within)
        rows = self.store.query(tree.order_by(column("time"), column("detection"), column("id"))).to_pylist()
        return [RiskEvent(**{**row, "fields": json.loads(row["fields"])}) for row in rows]

    def told(self, detection: str, since: int, until: int) -> set[Subject]:
        """Return what events of a detection in ``[since, until)`` (ns) were about."""
        within = [_above("time", since - 1), exp.LT(this=column("time"), expression=unsigned(max(until, 0)))]
        chosen = exp.EQ(this=column("detection"), expression=text(detection))
        names = ("id", "time", "detection", "risk_object", "risk_object_type", "risk_score", "fields")
        tree = select(*map(column, names)).from_("risk").where(all_of([chosen, *within]))
        rows = self.store.query(tree).to_pylist()
        return {
            one for row in rows for one in subjects(RiskEvent(**{**row, "fields": json.loads(row["fields"])}))
        }

    def record_changes(self, changes: Sequence[Change]) -> None:
        """Add what became of findings and incidents; durable when this returns."""
        columns = {
            "id": pa.array([c.id for c in changes], pa.string()),
            "kind": pa.array([c.kind for c in changes], pa.string()),
            "sequence": pa.array([c.sequence for c in changes], pa.uint32()),
            "time": pa.array([c.time for c in changes], pa.uint64()),
            "change": pa.array([c.change for c in changes], pa.string()),
            "document": pa.array([written(c.document) for c in changes], pa.string()),
            "recorded": pa.array([time.time_ns()] * len(changes), pa.uint64()),
        }
        self.store.record("findings", pa.table(columns))

    def latest(
        self,
        *,
        only_open: bool = False,
        only_over: bool = False,
        kind: str = "",
        identities: Iterable[str] | None = None,
        after: int = 0,
        until: int | None = None,
        most: int | None = None,
    ) -> list[Noted]:
        """Return the latest document of every finding and incident, or of those asked for, the newest first.

        ``after`` (ns): only if something became of it since then. ``until`` (ns): as it stood then. ``most``:
        so many at most. Documents are read of what is returned alone.
        """
        wanted: list[Tree] = [] if until is None else [_up_to("time", until)]
        if kind:
            wanted.append(exp.EQ(this=column("kind"), expression=text(kind)))
        if identities is not None:
            wanted.append(one_of(column("id"), map(text, identities)))
        last = (named(call("argMax", column(n), column("sequence")), f"last_{n}") for n in ("change", "time"))
        tree = select(column("id"), named(call("max", column("sequence")), "last"), *last).from_("findings")
        tree = tree.where(all_of(wanted)) if wanted else tree
        chosen = select(column("id"), column("last")).from_(table(tree.group_by(column("id")), "ended"))
        over = call("in", column("last_change"), call("tuple", text(CLOSED), text(MERGED)))
        held: list[Tree] = [over] if only_over else []
        held += [call("not", over)] if only_open else []
        held += [_above("last_time", after)] if after else []
        chosen = chosen.where(all_of(held)) if held else chosen
        if most is not None:
            chosen = chosen.order_by(ordered(column("last_time"), descending=True), column("id")).limit(most)
        names = ("sequence", "change", "document", "time")
        which = in_query(call("tuple", column("id"), column("sequence")), chosen)
        read = select(*map(column, names)).from_("findings").where(which)
        read = read.order_by(ordered(column("time"), descending=True), column("id"))
        found = self.store.query(read).to_pylist()
        return [Noted(**{**row, "document": json.loads(row["document"])}) for row in found]

    def changes(self, identity: str) -> list[Change]:
        """Return everything that became of a finding or incident, in order."""
        names = ("id", "kind", "sequence", "time", "change", "document")
        chosen = exp.EQ(this=column("id"), expression=text(identity))
        tree = select(*map(column, names)).from_("findings").where(chosen).order_by(column("sequence"))
        rows = self.store.query(tree).to_pylist()
        return [Change(**{**row, "document": json.loads(row["document"])}) for row in rows]

    def decide(self, *decisions: Decision) -> None:
        """Add decisions; durable when this returns."""
        columns = {
            "id": [one.id for one in decisions],
            "time": pa.array([one.time for one in decisions], pa.uint64()),
            "actor": [one.actor for one in decisions],
            "action": [one.action for one in decisions],
            "target": [one.target for one in decisions],
            "detail": [written(one.detail) for one in decisions],
        }
        self.store.record("decisions", pa.table(columns))

    def decisions(self, targets: Iterable[str] = (), actions: Iterable[str] = ()) -> list[Decision]:
        """Return all decisions in order of time, or those about some targets, or of some actions."""
        names = ("id", "time", "actor", "action", "target", "detail")
        wanted = [
            call("in", column(name), call("tuple", *map(text, values)))
            for name, values in (("target", tuple(targets)), ("action", tuple(actions)))
            if values
        ]
        tree = select(*map(column, names)).from_("decisions")
        tree = tree.where(all_of(wanted)) if wanted else tree
        rows = self.store.query(tree.order_by(column("time"), column("id"))).to_pylist()
        return [Decision(**{**row, "detail": json.loads(row["detail"])}) for row in rows]


def subjects(event: RiskEvent) -> set[Subject]:
    """Return what an event is about: what is at risk, alone and with each thing that threatens it."""
    about = (event.risk_object_type, event.risk_object)
    threats = event.fields.get("threat_object", [])
    each = [one for threat in threats for one in (threat if isinstance(threat, list) else [threat])]
    return {(*about, ""), *((*about, str(one)) for one in each)}


def _above(name: str, value: int) -> Tree:
    return exp.GT(this=column(name), expression=unsigned(max(value, 0)))


def _up_to(name: str, value: int) -> Tree:
    return exp.LTE(this=column(name), expression=unsigned(value))
