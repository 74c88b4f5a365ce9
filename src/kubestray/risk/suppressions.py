"""Suppressions: what is not to count as risk for a while, and why.

A suppression has a scope of wildcards. What fits is recorded as a risk event all the same, marked by whom it
is hidden; it has no part in scores, findings and incidents until the suppression expires or is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kubestray.model.errors import UsageError
from kubestray.model.finding import Decision, nanoseconds, rfc3339
from kubestray.model.wildcards import fits

SUPPRESS, WITHDRAW = "suppress", "withdraw"
"""What a decision about a suppression does; its target is the suppression."""

_SCOPE = ("entity", "detection", "fields")


@dataclass(frozen=True, slots=True)
class Suppression:
    """What is hidden from ``since`` until ``expires`` (ns), by whom and why.

    ``entity`` and ``detection`` are wildcards (an entity that is part of one that fits, fits too);
    ``fields`` are wildcards over fields of the row. All that is given has to fit.
    """

    id: str
    entity: str
    detection: str
    fields: tuple[tuple[str, str], ...]
    reason: str
    actor: str
    since: int
    expires: int

    def fits(self, detection: str, entities: Sequence[str], row: dict[str, Any]) -> bool:
        """Return whether something is in the scope, at whatever time."""
        return (
            fits(detection, self.detection)
            and any(fits(entity, self.entity) for entity in entities)
            and all(fits(_shown(row.get(name)), wanted) for name, wanted in self.fields)
        )

    def as_json(self) -> dict[str, Any]:
        """Return the suppression as people read it."""
        return {
            "id": self.id,
            "scope": {"entity": self.entity, "detection": self.detection, "fields": dict(self.fields)},
            "reason": self.reason,
            "actor": self.actor,
            "since": rfc3339(self.since),
            "expires": rfc3339(self.expires),
        }


def hiding(
    suppressions: Iterable[Suppression],
    detection: str,
    entities: Sequence[str],
    row: dict[str, Any],
    time: int,
) -> Suppression | None:
    """Return the suppression that hides something at a time (ns), if one does."""
    in_force = (one for one in suppressions if one.since <= time < one.expires)
    return next((one for one in in_force if one.fits(detection, entities, row)), None)


def suppressions_of(decisions: Iterable[Decision]) -> list[Suppression]:
    """Return every suppression that was decided, in order; one that was withdrawn ends at that time."""
    found: dict[str, Suppression] = {}
    # What is withdrawn was there before, whatever a clock that was set back says.
    for decision in sorted(decisions, key=lambda one: (one.action == WITHDRAW, one.time, one.id)):
        if decision.action == SUPPRESS:
            found[decision.target] = _read(decision)
        elif decision.action == WITHDRAW and (known := found.get(decision.target)):
            found[decision.target] = _until(known, min(known.expires, decision.time))
    return list(found.values())


def detail_of(scope: dict[str, Any], reason: str, since: int, expires: int) -> dict[str, Any]:
    """Return the detail of a decision to suppress; raise `UsageError` if it has no bounds or no reason."""
    unknown = sorted(set(scope) - set(_SCOPE))
    if unknown:
        raise UsageError(f"a suppression has no scope {unknown[0]!r}; it has {', '.join(_SCOPE)}")
    if not any(scope.get(name) for name in _SCOPE):
        raise UsageError(
            "a suppression without a scope would hide everything; give entity, detection or fields"
        )
    if not reason.strip():
        raise UsageError("a suppression needs a reason, for whoever asks later why something was not seen")
    if expires <= since:
        raise UsageError("a suppression has to expire after it begins")
    return {
        "scope": {name: value for name, value in scope.items() if value},
        "reason": reason.strip(),
        "since": rfc3339(since),
        "expires": rfc3339(expires),
    }


def _read(decision: Decision) -> Suppression:
    detail = decision.detail
    scope = detail["scope"]
    return Suppression(
        decision.target,
        scope.get("entity") or "*",
        scope.get("detection") or "*",
        tuple(sorted(scope.get("fields", {}).items())),
        detail["reason"],
        decision.actor,
        nanoseconds(detail["since"]),
        nanoseconds(detail["expires"]),
    )


def _until(known: Suppression, expires: int) -> Suppression:
    return Suppression(
        known.id, known.entity, known.detection, known.fields, known.reason, known.actor, known.since, expires
    )


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
