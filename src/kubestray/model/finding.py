"""Findings and incidents: what an analyst sees, as documents in a ledger.

A document is JSON through and through: texts, numbers, lists, mappings; times are RFC 3339 in UTC. What
becomes of a finding is a row of changes, each with the document as it stood then; what people decide is a
row of decisions. Neither is ever changed: the state is what they add up to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Document = dict[str, Any]
"""A finding or an incident; `docs/findings.md` names its keys."""

Kind = Literal["finding", "incident"]

SEVERITIES = ("informational", "low", "medium", "high", "critical")

OPENED, UPDATED, CLOSED, MERGED = "opened", "updated", "closed", "merged"
"""What can become of a finding or incident by itself."""

STATES = ("new", "acknowledged", "suppressed", "resolved", "closed")
"""``closed`` is what became quiet by itself, ``resolved`` what a person has done with."""

ACTIONS = ("acknowledge", "assign", "comment", "resolve", "reopen", "expect")
"""What a person can do about a finding or an incident."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a finding or an incident: the ``sequence``-th of it, from 1; ``time`` in nanoseconds."""

    id: str
    kind: Kind
    sequence: int
    time: int
    change: str
    document: Document


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a finding or an incident (``target``), or about what is to be hidden.

    ``time`` is the clock's, in nanoseconds; ``detail`` depends on the action: ``{"text": …}`` of a comment,
    ``{"owner": …}`` of an assignment, the whole of a suppression.
    """

    id: str
    time: int
    actor: str
    action: str
    target: str
    detail: dict[str, Any]


def rfc3339(time: int) -> str:
    """Write a time in nanoseconds, to the millisecond if it has a part of a second."""
    whole, rest = divmod(time, 10**9)
    told = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{told}.{rest // 10**6:03d}Z" if rest else f"{told}Z"


def nanoseconds(told: str) -> int:
    """Read what `rfc3339` writes."""
    moment = datetime.fromisoformat(told)
    return round(moment.timestamp() * 1000) * 10**6


def severity_of(score: float, *, added_up: bool) -> str:
    """Name a score as Splunk does: to 20 informational, to 40 low, to 60 medium, to 80 high, else critical.

    One observation is scored to 100. A score that several have ``added_up`` to is twice as large for the
    same name: a finding opens at 100, which then is medium.
    """
    limit = score / 2 if added_up else score
    place = sum(limit > step for step in (20, 40, 60, 80))
    return SEVERITIES[place]


def written(document: Any) -> str:
    """Write JSON in one way only, so that equal documents are equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
