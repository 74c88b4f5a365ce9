"""Incidents: findings and risk events that belong together, joined along the graph of workloads and in time.

An incident begins with a finding. What is related to it joins, from the time before as well as from then on:

* what is about the same workload, or about a process of one name on a node of the workload's pods;
* what is about a workload that an edge of the incident led to, from then on;
* what processes do on one node within two hours.

Only findings open an incident; what else happens, to others, stays out. Two incidents that turn out to be
related become the older one. When the last of its findings has closed an incident closes, and opens again if
a finding turns up that is related to it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kubestray.model.finding import CLOSED, MERGED, OPENED, UPDATED
from kubestray.model.risk import RiskEvent
from kubestray.risk.findings import Hit, Open, Turn, counting
from kubestray.risk.placing import NEAR, REACHES, RELATED, entity_of
from kubestray.risk.steps import Key, Step, take, took_place

_HOUR_NS = 3600 * 10**9
NEAR_NS = 2 * _HOUR_NS
UPDATE_EVERY_NS = 6 * _HOUR_NS
"""How often an incident that goes on without a new step is written again."""


@dataclass(slots=True)
class Incident:
    """An incident as it stands; times in nanoseconds.

    ``known``: by what others belong to it, and since when; ``near``: the first and last time of what belongs
    to it if it is close in time (see `Place`).
    """

    id: str
    opened: int
    last: int
    sequence: int = 0
    findings: dict[str, bool] = field(default_factory=dict)
    """Its findings, and whether each is open."""
    steps: dict[Key, Step] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    near: dict[str, list[int]] = field(default_factory=dict)
    noted: int = 0
    """When it was written last."""
    closed: int | None = None
    merged_into: str | None = None
    document: dict[str, Any] = field(default_factory=dict)

    def joins(self, event: RiskEvent, within: int) -> bool:
        """Return whether an event belongs to this incident; ``within`` is how far apart steps may be (ns)."""
        if not self.first - within <= event.time <= self.last + within:
            return False
        return self._since(event) is not None

    def _since(self, event: RiskEvent) -> int | None:
        """Return since when what an event is about belongs to this incident; None if it does not."""
        when = took_place(event)
        times = [self.known.get(name, when + 1) for name in event.fields.get(RELATED, ())]
        times = [since for since in times if since <= when]
        if any(_close(self.near.get(name, ()), when) for name in event.fields.get(NEAR, ())):
            times.append(0)
        return min(times, default=None)

    @property
    def first(self) -> int:
        """Return when it began."""
        return min((step.time for step in self.steps.values()), default=self.opened)

    def add(self, event: RiskEvent) -> bool:
        """Take an event in; return whether it is a new step."""
        self.relate(event, self._since(event) or 0)
        self.last = max(self.last, event.time)
        return take(self.steps, event)

    def relate(self, event: RiskEvent, since: int = 0) -> None:
        """Take down by what others are related to an event, which itself belongs here since a time (ns)."""
        when = took_place(event)
        self._know(dict.fromkeys(event.fields.get(RELATED, ()), since))
        self._know(dict.fromkeys(event.fields.get(REACHES, ()), when))
        for name in event.fields.get(NEAR, ()):
            times = self.near.setdefault(name, [when, when])
            times[:] = [min(times[0], when), max(times[1], when)]

    def absorb(self, other: Incident) -> None:
        """Take in what another one knows."""
        self.findings |= other.findings
        self._know(other.known)
        for name, times in other.near.items():
            own = self.near.setdefault(name, list(times))
            own[:] = [min(own[0], times[0]), max(own[1], times[1])]
        for key, step in other.steps.items():
            self._take_step(key, step)
        self.last = max(self.last, other.last)

    def _know(self, known: dict[str, int]) -> None:
        for name, since in known.items():
            self.known[name] = min(self.known.get(name, since), since)

    def _take_step(self, key: Key, step: Step) -> None:
        known = self.steps.setdefault(key, step)
        if known is not step:
            known.time, known.last = min(known.time, step.time), max(known.last, step.last)
            known.count, known.score = max(known.count, step.count), max(known.score, step.score)


@dataclass(frozen=True, slots=True)
class IncidentTurn:
    """What became of an incident."""

    incident: Incident
    change: str


class Incidents:
    """The incidents over a stream of risk events and of what becomes of findings."""

    def __init__(
        self, within: int, earlier: Iterable[RiskEvent] = (), known: Iterable[Incident] = (), since: int = 0
    ) -> None:
        """Go on from incidents as they were written; events from ``since`` (ns) on may still join.

        ``within`` (ns): how far apart the steps of one incident may be.
        """
        self._within = within
        # Those that are open, and those that closed a while ago and may open again.
        self.kept = {one.id: one for one in sorted(known, key=lambda one: (one.opened, one.id))}
        self._home = {key: one.id for one in self.kept.values() for key in one.findings}
        """The incident of each finding."""
        self._named: dict[str, set[str]] = defaultdict(set)
        """The incidents that others may belong to by a name: of thousands only these are asked."""
        having: dict[Key, list[Incident]] = defaultdict(list)
        for one in self.kept.values():
            self._name(one, (*one.known, *one.near))
            for key in one.steps:
                having[key].append(one)
        written = {(one.id, key): step.last for one in self.kept.values() for key, step in one.steps.items()}
        self._pool: dict[str, RiskEvent] = {
            e.id: e for e in counting(earlier) if not self._took(e, having, written) and e.time >= since
        }

    def advance(self, now: int, events: Sequence[RiskEvent], turns: Sequence[Turn]) -> list[IncidentTurn]:
        """Take in events up to ``now`` (ns) and what became of findings; return what became of incidents."""
        self._pool |= {event.id: event for event in counting(events)}
        changes: dict[str, IncidentTurn] = {}
        self._gather(now, changes)
        for turn in turns:
            if turn.change == OPENED:
                self._begin(turn.finding, now, changes)
        self._gather(now, changes)
        for turn in turns:
            if turn.change == CLOSED:
                self._let_go(turn.finding, now, changes)
        self._forget(now)
        for changed in changes.values():
            changed.incident.noted = now
        return list(changes.values())

    def _name(self, incident: Incident, names: Iterable[str]) -> None:
        for name in names:
            self._named[name].add(incident.id)

    def _named_by(self, incident: Incident, event: RiskEvent) -> None:
        for field_ in (RELATED, REACHES, NEAR):
            self._name(incident, event.fields.get(field_, ()))

    def _hosts(self, event: RiskEvent) -> list[Incident]:
        """Return the incidents that an event belongs to."""
        names = (*event.fields.get(RELATED, ()), *event.fields.get(NEAR, ()))
        near = {key for name in names for key in self._named.get(name, ())}
        return [self.kept[key] for key in near if self.kept[key].joins(event, self._within)]

    def _drop(self, incident: Incident) -> None:
        """Let go of an incident."""
        del self.kept[incident.id]
        for name in (*incident.known, *incident.near):
            self._named[name].discard(incident.id)
            if not self._named[name]:
                del self._named[name]

    def _took(
        self, event: RiskEvent, having: dict[Key, list[Incident]], written: dict[tuple[str, Key], int]
    ) -> bool:
        """Return whether an event is part of an incident; one since its step was ``written`` is added."""
        key, when = (event.detection, str(entity_of(event))), took_place(event)
        for incident in having.get(key, ()):
            if incident.steps[key].time <= when:
                if event.time > written.get((incident.id, key), -1):
                    incident.add(event)
                    self._named_by(incident, event)
                return True
        return False

    def of(self, finding: str) -> str | None:
        """Return the incident that a finding belongs to."""
        return self._home.get(finding)

    def _begin(self, finding: Open, now: int, changes: dict[str, IncidentTurn]) -> None:
        """Find the incident that a new finding belongs to, or begin one."""
        wide = finding.entity.kind in ("cluster", "namespace")
        seeds = [e for e in finding.latest.values() if not wide or entity_of(e) == finding.entity]
        hosts = {one.id: one for event in seeds for one in self._hosts(event)}
        if hosts:
            home = self._joined(list(hosts.values()), changes)
        else:
            identity = hashlib.sha256(f"incident {finding.id}".encode()).hexdigest()[:32]
            home = self.kept[identity] = Incident(identity, now, now)
            changes[identity] = IncidentTurn(home, OPENED)
        home.findings[finding.id], home.closed = True, None
        self._home[finding.id] = home.id
        for event in seeds:
            home.relate(event)
            self._named_by(home, event)
        if not seeds:  # of a cluster as a whole: its steps are told, and nobody else joins by them
            home.steps |= {key: replace(step) for key, step in finding.steps.items()}
        if not home.steps and not seeds and finding.hit:  # of a rule that looks further back than risk counts
            step = step_of_hit(finding.hit)
            home.steps[step.key] = step
            home.known |= {} if wide else {step.entity: now}
            self._name(home, home.known)

    def _gather(self, now: int, changes: dict[str, IncidentTurn]) -> None:
        """Let everything that is related join; incidents that share an event become one."""
        grown = True
        while grown:
            grown = False
            for event in list(self._pool.values()):
                hosts = self._hosts(event)
                if not hosts:
                    continue
                del self._pool[event.id]
                home = sorted(hosts, key=lambda one: (one.opened, one.id))[0]
                if len(hosts) > 1:
                    self._joined(hosts, changes)
                is_new = home.add(event)
                self._named_by(home, event)
                if is_new or now - home.noted >= UPDATE_EVERY_NS:
                    changes.setdefault(home.id, IncidentTurn(home, UPDATED))
                grown = True

    def _joined(self, incidents: list[Incident], changes: dict[str, IncidentTurn]) -> Incident:
        """Make one of several incidents: the oldest, which this returns."""
        home, *others = sorted(incidents, key=lambda one: (one.opened, one.id))
        for other in others:
            self._merge(home, other, changes)
        changes.setdefault(home.id, IncidentTurn(home, UPDATED))
        return home

    def _merge(self, home: Incident, other: Incident, changes: dict[str, IncidentTurn]) -> None:
        self._drop(other)
        home.absorb(other)
        self._name(home, (*other.known, *other.near))
        self._home |= dict.fromkeys(other.findings, home.id)
        other.merged_into = home.id
        if changes.get(other.id, IncidentTurn(other, UPDATED)).change == OPENED:
            del changes[other.id]  # nobody has heard of it
        else:
            changes[other.id] = IncidentTurn(other, MERGED)

    def _let_go(self, finding: Open, now: int, changes: dict[str, IncidentTurn]) -> None:
        """Close the incident of a finding that closed, if it was the last."""
        incident = self.kept.get(self._home.get(finding.id, ""))
        if incident is not None:
            incident.findings[finding.id] = False
            closed = not any(incident.findings.values())
            incident.closed = now if closed else None
            changes[incident.id] = IncidentTurn(incident, CLOSED if closed else UPDATED)

    def _forget(self, now: int) -> None:
        old = [key for key, event in self._pool.items() if now - event.time > self._within]
        for key in old:
            del self._pool[key]
        gone = [one for one in self.kept.values() if one.closed and now - one.last > self._within]
        for incident in gone:
            self._drop(incident)
            for key in incident.findings:
                self._home.pop(key, None)


def step_of_hit(hit: Hit) -> Step:
    """Return what a rule said as a step."""
    return Step(hit.rule, str(hit.entity), hit.time, hit.time, 1, 0.0, hit.message, ())


def _close(times: Sequence[int], when: int) -> bool:
    """Return whether a time is within two hours of the first or the last of some, or between them."""
    return bool(times) and times[0] - NEAR_NS <= when <= times[1] + NEAR_NS
