"""What people decide about findings, and what that makes of them.

A finding is what became of it by itself, and then what was decided since, in order. Nothing is overwritten:
who asks sees who decided what, and when.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from kubestray.model.entity import Entity
from kubestray.model.errors import UsageError
from kubestray.model.finding import ACTIONS, Decision, Document, nanoseconds, rfc3339
from kubestray.model.wildcards import exactly
from kubestray.risk.entities import above
from kubestray.risk.suppressions import SUPPRESS, WITHDRAW, Suppression, detail_of, hiding

_STATE_AFTER = {"acknowledge": "acknowledged", "resolve": "resolved", "reopen": "new", "expect": "resolved"}
_NEEDS = {"assign": "owner", "comment": "text", "resolve": "", "acknowledge": "", "reopen": "", "expect": ""}
_DAY_NS = 86_400 * 10**9
EXPECTED_FOR_NS = 30 * _DAY_NS
"""How long something is expected by one decision: after that it is part of what was learned."""


def decision(action: str, target: str, actor: str, time: int, **detail: Any) -> Decision:
    """Return a decision about a finding or an incident; raise `UsageError` if there is none like it."""
    if action not in ACTIONS:
        raise UsageError(f"there is no action {action!r}; there are {', '.join(ACTIONS)}")
    needed = _NEEDS[action]
    if needed and not str(detail.get(needed) or "").strip():
        raise UsageError(f"{action} needs a {needed}")
    return Decision(_identity(), time, actor, action, target, detail)


def suppression(scope: dict[str, Any], reason: str, actor: str, since: int, expires: int) -> Decision:
    """Return the decision to hide what fits a scope; raise `UsageError` if it has no bounds or no reason."""
    detail = detail_of(scope, reason, since, expires)
    return Decision(_identity(), since, actor, SUPPRESS, _identity(), detail)


def withdrawal(target: str, actor: str, time: int) -> Decision:
    """Return the decision to end a suppression."""
    return Decision(_identity(), time, actor, WITHDRAW, target, {})


def expectations(document: Document, actor: str, time: int, reason: str) -> list[Decision]:
    """Return the suppressions by which a finding teaches its entities: each step as such is expected now."""
    said = reason.strip() or "expected"
    pairs = dict.fromkeys((step["entity"], step["detection"]) for step in document["steps"])
    return [
        suppression(
            {"entity": exactly(entity), "detection": exactly(detection)},
            *(said, actor, time, time + EXPECTED_FOR_NS),
        )
        for entity, detection in pairs
    ]


def as_it_stands(
    document: Document, decisions: Iterable[Decision], suppressions: Sequence[Suppression], now: int
) -> Document:
    """Return a document with what was decided since: ``state``, ``owner``, ``comments``, ``history``.

    What closed by itself stays closed unless a person resolved it. An open finding whose every step is
    hidden at ``now`` (ns) is suppressed.
    """
    state, owner = document["state"], None
    comments, history = [], []
    for one in sorted(decisions, key=lambda decision: (decision.time, decision.id)):
        told = {"time": rfc3339(one.time), "actor": one.actor, "action": one.action, **one.detail}
        history.append(told)
        if one.action == "assign":
            owner = one.detail["owner"]
        if one.action == "comment" or one.detail.get("text"):
            comments.append({name: told.get(name, "") for name in ("time", "actor", "text")})
        state = _after(state, one, document)
    hidden = [] if state in ("resolved", "closed") else _hiding(document, suppressions, now)
    if hidden:
        state = "suppressed"
    told = {"state": state, "owner": owner, "comments": comments, "history": history}
    return {**document, **told, "suppressed_by": hidden}


def _after(state: str, one: Decision, document: Document) -> str:
    after = _STATE_AFTER.get(one.action, state)
    if document["state"] == "closed" and after != "resolved":
        return "closed"
    # What went on after it was resolved is news.
    if after == "resolved" and nanoseconds(document["last_seen"]) > one.time:
        return "new"
    return after


def _hiding(document: Document, suppressions: Sequence[Suppression], now: int) -> list[str]:
    """Return the suppressions that hide all steps of a document; nothing if one step is not hidden."""
    rows = {(one["detection"], one["entity"]): one["row"] for one in document.get("evidence", ())}
    is_finding = document["kind"] == "finding"  # it has what its steps are part of
    found: dict[str, None] = {}
    for step in document["steps"]:
        key = (step["detection"], step["entity"])
        entities = [step["entity"], *(document["entities"] if is_finding else _above(step["entity"]))]
        hidden = hiding(suppressions, step["detection"], entities, rows.get(key, {}), now)
        if hidden is None:
            return []
        found[hidden.id] = None
    return list(found)


def _above(name: str) -> list[str]:
    entity = Entity.parse(name)
    return [str(one) for one in above(entity)] if entity else []


def _identity() -> str:
    return uuid.uuid4().hex
