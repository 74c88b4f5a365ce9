"""Steps: what happened in time order, one a detection and entity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubestray.model.finding import nanoseconds, rfc3339
from kubestray.model.risk import RiskEvent
from kubestray.risk.attack import TACTICS, known
from kubestray.risk.placing import entity_of
from kubestray.risk.scoring import score_of

Key = tuple[str, str]
"""A detection and an entity."""


@dataclass(slots=True)
class Step:
    """What a detection said of an entity: its first and last time (ns), how often, the highest score."""

    detection: str
    entity: str
    time: int
    last: int
    count: int
    score: float
    message: str
    techniques: tuple[str, ...]

    @property
    def key(self) -> Key:
        """Return what tells steps apart."""
        return self.detection, self.entity

    def as_json(self) -> dict[str, Any]:
        """Return the step as documents have it."""
        return {
            "time": rfc3339(self.time),
            "last": rfc3339(self.last),
            "detection": self.detection,
            "entity": self.entity,
            "techniques": list(self.techniques),
            "message": self.message,
            "count": self.count,
            "score": self.score,
        }


def read_step(told: dict[str, Any]) -> Step:
    """Read what ``as_json`` writes."""
    return Step(
        told["detection"],
        told["entity"],
        nanoseconds(told["time"]),
        nanoseconds(told["last"]),
        told["count"],
        told["score"],
        told["message"],
        tuple(told["techniques"]),
    )


def step_of(event: RiskEvent) -> Step:
    """Return the step that one event is."""
    techniques = tuple(map(str, event.fields.get("annotations.mitre_attack", ())))
    begun, message = took_place(event), str(event.fields.get("risk_message", event.detection))
    entity = str(entity_of(event))
    return Step(event.detection, entity, begun, event.time, 1, score_of(event), message, techniques)


def take(steps: dict[Key, Step], event: RiskEvent) -> bool:
    """Add an event to steps; return whether it is the first of its step."""
    new = step_of(event)
    known_step = steps.setdefault(new.key, new)
    if known_step is new:
        return True
    known_step.time, known_step.last = min(known_step.time, new.time), max(known_step.last, new.last)
    known_step.count += 1
    if new.score >= known_step.score:
        known_step.score, known_step.message = new.score, new.message
    return False


def took_place(event: RiskEvent) -> int:
    """Return when something took place (ns): as its row says (``since``, its time), or when it was found."""
    for name in ("since", "orig_time"):
        told = event.fields.get(name)
        if isinstance(told, int | float) and 0 < told * 1e9 <= event.time:
            return int(told * 1e3) * 10**6
    return event.time


def in_order(steps: Iterable[Step]) -> list[Step]:
    """Return steps in the order in which they began."""
    return sorted(steps, key=lambda step: (step.time, step.detection, step.entity))


def techniques_of(steps: Iterable[Step]) -> list[str]:
    """Return the techniques of steps, each once, in the order in which they appeared."""
    return list(dict.fromkeys(technique for step in in_order(steps) for technique in step.techniques))


def tactics_of(techniques: Iterable[str]) -> list[dict[str, str]]:
    """Return the tactics that techniques serve, each once, as documents have them."""
    names = dict.fromkeys(tactic for one in known(techniques) for tactic in one.tactics)
    return [{"id": TACTICS[name], "name": name} for name in names]
