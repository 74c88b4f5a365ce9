"""Findings: when risk is enough for a person to look at it, and what becomes of that.

Everything here is a function of risk events in order of time: run again over the same events it opens the
same findings with the same identities. Three things open a finding:

* one event of a detection that is ``direct``;
* a row of a rule, which is a search over risk events;
* risk that has added up to the threshold, of an entity as a whole less what already is a finding.

It is updated while events go on and closes when there were none for a while.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubestray.model.content import RiskScoring
from kubestray.model.entity import KINDS, Entity
from kubestray.model.finding import CLOSED, OPENED, UPDATED, written
from kubestray.model.risk import RiskEvent
from kubestray.risk.placing import SUPPRESSED, entity_of, parents_of
from kubestray.risk.scoring import LONGEST_NS, Part, Scores
from kubestray.risk.steps import Key, Step, take

UPDATE_EVERY_NS = 15 * 60 * 10**9
"""How often a finding to which nothing new happens is written again while it goes on."""

DIRECT, RULE, THRESHOLD = "direct", "rule", "threshold"


@dataclass(frozen=True, slots=True)
class Hit:
    """A row of a rule: the entity that it says something about, at a time (ns)."""

    rule: str
    rule_id: str
    entity: Entity
    time: int
    message: str
    row: dict[str, Any]


@dataclass(slots=True)
class Open:
    """A finding as it stands; times in nanoseconds."""

    id: str
    how: str
    name: str
    """The detection or rule that opened it; empty where risk has added up."""
    entity: Entity
    opened: int
    last: int
    sequence: int = 0
    noted: int = 0
    """When it was written last."""
    score: float = 0.0
    parts: list[Part] = field(default_factory=list)
    steps: dict[Key, Step] = field(default_factory=dict)
    latest: dict[Key, RiskEvent] = field(default_factory=dict)
    """The latest event of each step, as far as it was seen by this process."""
    hit: Hit | None = None
    document: dict[str, Any] = field(default_factory=dict)
    """As it was written last."""

    def take(self, event: RiskEvent) -> bool:
        """Take in an event; return whether it is the first of its step."""
        self.latest[event.detection, str(entity_of(event))] = event
        return take(self.steps, event)


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of a finding."""

    finding: Open
    change: str


def lookback(scoring: RiskScoring) -> int:
    """Return how old (ns) the events are that today's scores depend on."""
    return scoring.window + LONGEST_NS


class Findings:
    """The open findings over a stream of risk events."""

    def __init__(
        self, scoring: RiskScoring, direct: frozenset[str], earlier: Iterable[RiskEvent] = ()
    ) -> None:
        """Begin with the events of the `lookback`; of the detections in ``direct`` one event is enough."""
        self._scoring, self._direct = scoring, direct
        self._thresholds = dict(scoring.thresholds)
        self.scores = Scores(scoring)
        self.open: dict[str, Open] = {}
        self._known: dict[tuple[str, str, Entity], Open] = {}
        self._about: dict[Entity, dict[str, Open]] = defaultdict(dict)
        """Those that are not direct, by their entity: of thousands only these are asked about an event."""
        self._recent: dict[Entity, list[RiskEvent]] = defaultdict(list)
        """Events of an entity and of what is part of it."""
        self._oldest: int | None = None
        for event in counting(earlier):
            self._count(event)

    def advance(self, now: int, events: Sequence[RiskEvent], hits: Sequence[Hit] = ()) -> list[Turn]:
        """Take in the events up to ``now`` (ns) and the rows of rules; return what became of findings."""
        events = counting(events)
        for event in events:
            self._count(event)
        opened = [self._open_direct(event, now) for event in events if event.detection in self._direct]
        opened += [self._take_hit(hit, now) for hit in sorted(hits, key=lambda one: (one.rule, one.entity))]
        opened += [self._open_threshold(entity, now) for entity in _touched(events)]
        turns = {finding.id: Turn(finding, OPENED) for finding in opened if finding}
        new = self._follow(events, now)
        for finding in self.open.values():
            goes_on = finding.id not in turns and finding.last == now
            if goes_on and (finding.id in new or self._due(finding, now)):
                turns[finding.id] = Turn(finding, UPDATED)
        turns |= {finding.id: Turn(finding, CLOSED) for finding in self._quiet(now)}
        for turn in turns.values():
            self.weigh(turn.finding, now)
        self._forget(now)
        return list(turns.values())

    def _count(self, event: RiskEvent) -> None:
        entity, parents = entity_of(event), parents_of(event)
        self.scores.add(event, entity, parents)
        for holder in {entity, *parents}:
            self._recent[holder].append(event)
        self._oldest = event.time if self._oldest is None else self._oldest

    def _open_direct(self, event: RiskEvent, now: int) -> Open | None:
        entity = entity_of(event)
        if self._find(DIRECT, event.detection, entity):
            return None
        return self._opened(DIRECT, event.detection, entity, now, [event.id])

    def _take_hit(self, hit: Hit, now: int) -> Open | None:
        known = self._find(RULE, hit.rule, hit.entity)
        finding = known or self._opened(RULE, hit.rule, hit.entity, now, [hit.rule_id, hit.time])
        finding.hit, finding.last = hit, now
        return None if known else finding

    def _open_threshold(self, entity: Entity, now: int) -> Open | None:
        if self._find(THRESHOLD, "", entity):
            return None
        parts = self.scores.parts(entity, now)
        left = [part for part in parts if not self._is_covered(part, entity)]
        if sum(part.value for part in left) < self._thresholds.get(entity.kind, self._scoring.threshold):
            return None
        return self._opened(THRESHOLD, "", entity, now, sorted(part.event.id for part in left))

    def _opened(self, how: str, name: str, entity: Entity, now: int, why: list[Any]) -> Open:
        """Open a finding, with what is known of it from before."""
        identity = hashlib.sha256(written([how, name, str(entity), now, why]).encode()).hexdigest()[:32]
        finding = Open(identity, how, name, entity, now, now)
        self._keep(finding)
        for event in self._recent.get(entity, ()):
            if now - event.time <= self._scoring.window and _concerns(finding, event):
                finding.take(event)
        return finding

    def _follow(self, events: Sequence[RiskEvent], now: int) -> set[str]:
        """Let findings take in the events that concern them; return those that have a new step."""
        new = set()
        for event in events:
            for finding in self._concerned(event):
                if finding.opened == now:
                    continue  # has them all
                finding.last = now
                if finding.take(event):
                    new.add(finding.id)
        return new

    def _concerned(self, event: RiskEvent) -> list[Open]:
        """Return the open findings that an event concerns."""
        entity = entity_of(event)
        direct = self._find(DIRECT, event.detection, entity)
        holders = dict.fromkeys((entity, *parents_of(event)))
        others = [one for holder in holders for one in self._about.get(holder, {}).values()]
        return [direct, *others] if direct else others

    def _is_covered(self, part: Part, entity: Entity) -> bool:
        """Return whether a part of an entity's score is a matter of a finding already.

        A finding about a whole cluster or namespace says nothing of what is in it.
        """
        return any(
            finding.entity == entity or finding.entity.kind not in ("cluster", "namespace")
            for finding in self._concerned(part.event)
        )

    def _due(self, finding: Open, now: int) -> bool:
        return now - finding.noted >= UPDATE_EVERY_NS

    def weigh(self, finding: Open, now: int) -> None:
        """Take down what the finding's score is made of."""
        entity = finding.entity
        direct = finding.how == DIRECT
        parts = (
            self.scores.part(entity, entity, finding.name, now) if direct else self.scores.parts(entity, now)
        )
        finding.parts, finding.score = parts, sum(part.value for part in parts)
        finding.noted = now

    def restore(self, finding: Open) -> None:
        """Go on with a finding as it was written, and with what happened to it since then."""
        self._keep(finding)
        for event in self._recent.get(finding.entity, ()):
            if event.time > finding.noted and _concerns(finding, event):
                finding.take(event)
                finding.last = max(finding.last, event.time)

    def _quiet(self, now: int) -> list[Open]:
        """Take the findings that nothing happened to for a while out of the open ones."""
        quiet = [finding for finding in self.open.values() if now - finding.last >= self._scoring.quiet]
        for finding in quiet:
            del self.open[finding.id]
            self._known.pop((finding.how, finding.name, finding.entity), None)
            if finding.how != DIRECT:
                about = self._about[finding.entity]
                del about[finding.id]
                if not about:
                    del self._about[finding.entity]
        return quiet

    def _keep(self, finding: Open) -> None:
        self.open[finding.id] = finding
        self._known[finding.how, finding.name, finding.entity] = finding
        if finding.how != DIRECT:
            self._about[finding.entity][finding.id] = finding

    def _forget(self, now: int) -> None:
        self.scores.forget(now)
        window = self._scoring.window
        if self._oldest is not None and now - self._oldest > 2 * window:
            kept = {
                entity: recent
                for entity, events in self._recent.items()
                if (recent := [event for event in events if now - event.time <= window])
            }
            self._recent = defaultdict(list, kept)
            self._oldest = min((events[0].time for events in kept.values()), default=None)

    def _find(self, how: str, name: str, entity: Entity) -> Open | None:
        return self._known.get((how, name, entity))


def counting(events: Iterable[RiskEvent]) -> list[RiskEvent]:
    """Return the events that count, in order."""
    counting = (event for event in events if SUPPRESSED not in event.fields)
    return sorted(counting, key=lambda event: (event.time, event.detection, event.id))


def _touched(events: Iterable[RiskEvent]) -> list[Entity]:
    """Return the entities whose risk events have raised, the narrowest kind first."""
    touched = {entity for event in events for entity in (entity_of(event), *parents_of(event))}
    return sorted(touched, key=lambda entity: (-KINDS.index(entity.kind), entity))


def _concerns(finding: Open, event: RiskEvent) -> bool:
    """Return whether an event is about a finding's entity, or what is part of it."""
    if finding.how == DIRECT:
        return event.detection == finding.name and entity_of(event) == finding.entity
    return finding.entity in (entity_of(event), *parents_of(event))
