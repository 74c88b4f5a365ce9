"""Incidents: findings and risk events that belong together, joined along the graph of workloads and in time.

An incident begins with a finding. What is related to it joins, from the time before as well as from then on:

* what is about the same workload, or about a process of one name on a node of the workload's pods;
* what is about a workload that an edge of the incident led to, from then on;
* what processes do on one node within two hours.

Only findings open an incident; what else happens, to others, stays out. Two incidents that turn out to be
related become the older one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kubestray.model.finding import CLOSED, MERGED, OPENED, UPDATED
from kubestray.model.risk import RiskEvent
from kubestray.risk.findings import Open, Turn
from kubestray.risk.placing import NEAR, REACHES, RELATED, SUPPRESSED, entity_of
from kubestray.risk.steps import Key, Step, take, took_place

NEAR_NS = 2 * 3600 * 10**9


@dataclass(slots=True)
class Incident:
    """An incident as it stands; times in ns. ``related``, ``reached``, ``near``: who belongs, see `Place`."""

    id: str
    opened: int
    last: int
    sequence: int = 0
    findings: dict[str, bool] = field(default_factory=dict)
    """Its findings, and whether each is open."""
    steps: dict[Key, Step] = field(default_factory=dict)
    related: set[str] = field(default_factory=set)
    reached: dict[str, int] = field(default_factory=dict)
    near: dict[str, list[int]] = field(default_factory=dict)
    merged_into: str | None = None
    document: dict[str, Any] = field(default_factory=dict)

    def joins(self, event: RiskEvent, within: int) -> bool:
        """Return whether an event belongs to this incident; ``within`` is how far apart steps may be (ns)."""
        if not self.first - within <= event.time <= self.last + within:
            return False
        names, when = event.fields.get(RELATED, ()), took_place(event)
        return (
            any(name in self.related or self.reached.get(name, when + 1) <= when for name in names)
            or any(_close(self.near.get(name, ()), when) for name in event.fields.get(NEAR, ()))
        )  # fmt: skip

    @property
    def first(self) -> int:
        """Return when it began."""
        return min((step.time for step in self.steps.values()), default=self.opened)

    def add(self, event: RiskEvent) -> bool:
        """Take an event in; return whether it is a new step."""
        self.relate(event)
        self.last = max(self.last, event.time)
        return take(self.steps, event)

    def relate(self, event: RiskEvent) -> None:
        """Take down what an event is related to."""
        when = took_place(event)
        self.related.update(event.fields.get(RELATED, ()))
        for name in event.fields.get(REACHES, ()):
            self.reached[name] = min(self.reached.get(name, when), when)
        for name in event.fields.get(NEAR, ()):
            times = self.near.setdefault(name, [when, when])
            times[:] = [min(times[0], when), max(times[1], when)]

    def absorb(self, other: Incident) -> None:
        """Take in what another one knows."""
        self.findings |= other.findings
        self.related |= other.related
        for name, when in other.reached.items():
            self.reached[name] = min(self.reached.get(name, when), when)
        for name, times in other.near.items():
            own = self.near.setdefault(name, list(times))
            own[:] = [min(own[0], times[0]), max(own[1], times[1])]
        for key, step in other.steps.items():
            self._take_step(key, step)
        self.last = max(self.last, other.last)

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
    """The open incidents over a stream of risk events and of what becomes of findings."""

    def __init__(self, within: int, earlier: Iterable[RiskEvent] = ()) -> None:
        """``within`` (ns): how far apart the steps of one incident may be."""
        self._within = within
        self.open: dict[str, Incident] = {}
        self._pool: dict[str, RiskEvent] = {e.id: e for e in earlier if SUPPRESSED not in e.fields}

    def advance(self, now: int, events: Sequence[RiskEvent], turns: Sequence[Turn]) -> list[IncidentTurn]:
        """Take in events up to ``now`` (ns) and what became of findings; return what became of incidents."""
        for event in sorted(events, key=lambda one: (one.time, one.detection, one.id)):
            if SUPPRESSED not in event.fields:
                self._pool[event.id] = event
        changes: dict[str, IncidentTurn] = {}
        self._gather(changes)
        for turn in turns:
            if turn.change == OPENED:
                self._begin(turn.finding, now, changes)
        self._gather(changes)
        for turn in turns:
            if turn.change == CLOSED:
                self._let_go(turn.finding, changes)
        self._forget(now)
        return list(changes.values())

    def of(self, finding: str) -> str | None:
        """Return the incident that a finding belongs to."""
        return next((incident.id for incident in self.open.values() if finding in incident.findings), None)

    def _begin(self, finding: Open, now: int, changes: dict[str, IncidentTurn]) -> None:
        """Find the incident that a new finding belongs to, or begin one."""
        wide = finding.entity.kind in ("cluster", "namespace")
        seeds = [e for e in finding.latest.values() if not wide or entity_of(e) == finding.entity]
        hosts = [one for one in self.open.values() if any(one.joins(event, self._within) for event in seeds)]
        if hosts:
            home = self._joined(hosts, changes)
        else:
            identity = hashlib.sha256(f"incident {finding.id}".encode()).hexdigest()[:32]
            home = self.open[identity] = Incident(identity, now, now)
            changes[identity] = IncidentTurn(home, OPENED)
        home.findings[finding.id] = True
        for event in seeds:
            home.relate(event)
        if not seeds:  # of a cluster as a whole: its steps are told, and nobody else joins by them
            home.steps |= {key: replace(step) for key, step in finding.steps.items()}

    def _gather(self, changes: dict[str, IncidentTurn]) -> None:
        """Let everything that is related join; incidents that share an event become one."""
        grown = True
        while grown:
            grown = False
            for event in list(self._pool.values()):
                hosts = [one for one in self.open.values() if one.joins(event, self._within)]
                if not hosts:
                    continue
                del self._pool[event.id]
                home = sorted(hosts, key=lambda one: (one.opened, one.id))[0]
                if len(hosts) > 1:
                    self._joined(hosts, changes)
                if home.add(event):
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
        home.absorb(other)
        del self.open[other.id]
        other.merged_into = home.id
        if changes.get(other.id, IncidentTurn(other, UPDATED)).change == OPENED:
            del changes[other.id]  # nobody has heard of it
        else:
            changes[other.id] = IncidentTurn(other, MERGED)

    def _let_go(self, finding: Open, changes: dict[str, IncidentTurn]) -> None:
        """Close the incident of a finding that closed, if it was the last."""
        for incident in list(self.open.values()):
            if finding.id in incident.findings:
                incident.findings[finding.id] = False
                closed = not any(incident.findings.values())
                if closed:
                    del self.open[incident.id]
                changes[incident.id] = IncidentTurn(incident, CLOSED if closed else UPDATED)

    def _forget(self, now: int) -> None:
        old = [key for key, event in self._pool.items() if now - event.time > self._within]
        for key in old:
            del self._pool[key]


def _close(times: Sequence[int], when: int) -> bool:
    """Return whether a time is within two hours of the first or the last of some, or between them."""
    return bool(times) and times[0] - NEAR_NS <= when <= times[1] + NEAR_NS
