"""How risk adds up: event by event, from an entity to what it is part of, with decay and a cap.

An event of score ``s`` counts ``s · 2^(-age / half_life)``. Of the events of one detection about one entity
only that counts which counts most, times up to two if they have gone on for a while; of one detection about
several parts of an entity at most ``cap`` times the largest. So a detection that runs every minute does not
add up to anything by itself, and one that is right about several things counts more than one that repeats
itself.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from kubestray.model.content import RiskScoring
from kubestray.model.entity import Entity
from kubestray.model.risk import RiskEvent

LONGEST_NS = 6 * 3600 * 10**9
"""What lasts longer counts no more: no state has to be older."""


@dataclass(slots=True)
class _Source:
    """One detection about one entity: its first and last time (ns), and which events may count most."""

    first: int
    last: int
    candidates: deque[tuple[float, RiskEvent]]
    """The later the less: nobody needs an event that a later one outweighs (a sliding maximum)."""

    def take(self, weight: float, event: RiskEvent) -> None:
        """Take in an event and its weight: the logarithm (of base 2) of its score at time 0."""
        while self.candidates and self.candidates[-1][0] <= weight:
            self.candidates.pop()
        self.candidates.append((weight, event))

    def best(self, since: int) -> tuple[float, RiskEvent]:
        """Return the event that counts most among those from ``since`` (ns) on, and its weight."""
        while len(self.candidates) > 1 and self.candidates[0][1].time < since:
            self.candidates.popleft()
        return self.candidates[0]


@dataclass(frozen=True, slots=True)
class Part:
    """What one detection about one entity adds to a score: ``value`` now, of which ``share`` arrived here."""

    event: RiskEvent
    entity: Entity
    lasted: int
    share: float
    value: float


class Scores:
    """The risk of every entity. Events have to come in order of time."""

    def __init__(self, scoring: RiskScoring) -> None:
        self._scoring = scoring
        self._shares = dict(scoring.shares)
        self._sources: dict[tuple[Entity, str], _Source] = {}
        self._parts: dict[Entity, dict[tuple[Entity, str], float]] = defaultdict(dict)

    def add(self, event: RiskEvent, entity: Entity, parents: Iterable[Entity]) -> None:
        """Count an event for its entity and for everything that is part of."""
        key = (entity, event.detection)
        known = self._sources.setdefault(key, _Source(event.time, event.time, deque()))
        if event.time - known.last > self._scoring.quiet:
            known.first = event.time
        known.last = max(known.last, event.time)
        known.take(math.log2(max(score_of(event), 1e-9)) + event.time / self._scoring.half_life, event)
        for holder in (entity, *parents):
            self._parts[holder][key] = 1.0 if holder == entity else self._share(entity, holder)

    def parts(self, entity: Entity, now: int) -> list[Part]:
        """Return what the score of an entity is made of at a time (ns), the most first."""
        by_detection: dict[str, list[Part]] = defaultdict(list)
        for about, detection in self._parts.get(entity, {}):
            by_detection[detection] += self.part(entity, about, detection, now)
        capped = (part for parts in by_detection.values() if parts for part in self._capped(parts))
        return sorted(capped, key=lambda part: (-part.value, part.event.detection, str(part.entity)))

    def part(self, holder: Entity, about: Entity, detection: str, now: int) -> list[Part]:
        """Return what one detection about an entity adds to the score of ``holder``, uncapped; or nothing."""
        source = self._sources.get((about, detection))
        share = self._parts.get(holder, {}).get((about, detection))
        if source is None or share is None or now - source.last > self._scoring.window:
            return []
        weight, event = source.best(now - self._scoring.window)
        lasted = min(source.last - source.first, LONGEST_NS)
        value = share * self._lasting(lasted) * float(2 ** (weight - now / self._scoring.half_life))
        return [Part(event, about, lasted, share, value)]

    def score(self, entity: Entity, now: int) -> float:
        """Return the score of an entity at a time (ns)."""
        return sum(part.value for part in self.parts(entity, now))

    def entities(self) -> list[Entity]:
        """Return every entity that something counts for."""
        return list(self._parts)

    def forget(self, now: int) -> None:
        """Let go of what no longer counts."""
        gone = {key for key, source in self._sources.items() if now - source.last > self._scoring.window}
        for key in gone:
            del self._sources[key]
        for entity in list(self._parts):
            kept = {key: share for key, share in self._parts[entity].items() if key not in gone}
            if kept:
                self._parts[entity] = kept
            else:
                del self._parts[entity]

    def _share(self, entity: Entity, holder: Entity) -> float:
        own = self._shares.get(f"{entity.kind}>{holder.kind}")
        return self._shares.get(holder.kind, 1.0) if own is None else own

    def _lasting(self, lasted: int) -> float:
        return 2 - float(2 ** (-lasted / self._scoring.ramp))

    def _capped(self, parts: list[Part]) -> list[Part]:
        """Scale the parts of one detection down to what it may count together."""
        total, most = sum(part.value for part in parts), max(part.value for part in parts)
        limit = self._scoring.cap * most
        if total <= limit:
            return parts
        return [
            Part(part.event, part.entity, part.lasted, part.share, part.value * limit / total)
            for part in parts
        ]


def score_of(event: RiskEvent) -> float:
    """Return the score of an event after its factors."""
    return float(event.fields.get("calculated_risk_score", event.risk_score))
