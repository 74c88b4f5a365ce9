"""From risk events to changes of findings and incidents; and back, when a server starts.

`Assessor.advance` is called for one time after another with the risk events up to it. It has no clock and no
store: live and replayed, today and in a year, the same events make the same changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kubestray.model.content import RiskScoring
from kubestray.model.entity import Entity
from kubestray.model.finding import CLOSED, MERGED, UPDATED, Change, Document, nanoseconds
from kubestray.model.risk import RiskEvent
from kubestray.risk.documents import Documents
from kubestray.risk.findings import RULE, Findings, Hit, Open, Turn
from kubestray.risk.incidents import UPDATE_EVERY_NS, Incident, Incidents, IncidentTurn
from kubestray.risk.steps import read_step


class Assessor:
    """Keeps findings and incidents over a stream of risk events."""

    def __init__(
        self,
        scoring: RiskScoring,
        direct: frozenset[str],
        documents: Documents,
        reached: int,
        earlier: Sequence[RiskEvent] = (),
        noted: Iterable[tuple[int, str, Document]] = (),
    ) -> None:
        """Go on from events of the past and what was ``noted`` last: sequence, change, document."""
        self._documents = documents
        self._findings = Findings(scoring, direct, earlier)
        incidents = []
        for sequence, change, told in noted:
            if told["kind"] == "incident" and change != MERGED:
                incidents.append(_read_incident(told, sequence))
            elif told["kind"] == "finding" and change != CLOSED:
                finding = _read_finding(told, sequence, earlier)
                self._findings.restore(finding)
        self._incidents = Incidents(scoring.related, earlier, incidents, reached - scoring.related)

    def advance(self, now: int, events: Sequence[RiskEvent], hits: Sequence[Hit] = ()) -> list[Change]:
        """Take in the events since the last time, and the rows of rules, up to ``now`` (ns)."""
        turns = self._findings.advance(now, events, hits)
        before = {turn.finding.id: self._incidents.of(turn.finding.id) for turn in turns}
        incidents = self._incidents.advance(now, events, turns)
        turns += self._moved(turns, incidents, now)
        changes = [self._finding(turn, now, before.get(turn.finding.id)) for turn in turns]
        return changes + [self._incident(turn, now) for turn in incidents]

    def _moved(self, turns: Sequence[Turn], incidents: Sequence[IncidentTurn], now: int) -> list[Turn]:
        """Return the findings whose incident became part of another one."""
        told = {turn.finding.id for turn in turns}
        merged = [turn.incident for turn in incidents if turn.change == MERGED]
        moved = [key for incident in merged for key in incident.findings if key not in told]
        found = [self._findings.open[key] for key in moved if key in self._findings.open]
        for finding in found:
            self._findings.weigh(finding, now)
        return [Turn(finding, UPDATED) for finding in found]

    def _finding(self, turn: Turn, now: int, incident_before: str | None) -> Change:
        finding = turn.finding
        finding.sequence += 1
        incident = self._incidents.of(finding.id) or incident_before
        finding.document = self._documents.finding(turn, now, incident)
        return Change(finding.id, "finding", finding.sequence, now, turn.change, finding.document)

    def _incident(self, turn: IncidentTurn, now: int) -> Change:
        incident = turn.incident
        incident.sequence += 1
        incident.document = self._documents.incident(turn)
        return Change(incident.id, "incident", incident.sequence, now, turn.change, incident.document)


def rewritten_within(scoring: RiskScoring) -> int:
    """Return how long ago (ns) what goes on, or may open again, was written at most."""
    return scoring.related + UPDATE_EVERY_NS + 2 * scoring.quiet


def _read_finding(told: Document, sequence: int, earlier: Sequence[RiskEvent]) -> Open:
    """Return the finding that a document tells of, with its latest events as far as they are known."""
    entity = Entity.parse(told["entity"])
    assert entity
    opened_by = told["opened_by"]
    times = nanoseconds(told["opened"]), max(nanoseconds(told["opened"]), nanoseconds(told["last_seen"]))
    finding = Open(told["id"], opened_by["how"], opened_by["name"], entity, *times, sequence)
    finding.steps = {step.key: step for step in map(read_step, told["steps"])}
    finding.noted = nanoseconds(told["scored_at"])
    if finding.how == RULE:
        finding.last = max(finding.last, finding.noted)  # written as the rule went on, with or without events
    finding.score, finding.document = told["score"], told
    wanted = {one["risk_event"]: (one["detection"], one["entity"]) for one in told["evidence"]}
    finding.latest = {wanted[event.id]: event for event in earlier if event.id in wanted}
    if finding.how == RULE:
        finding.hit = Hit(opened_by["name"], opened_by["id"], entity, finding.last, told["sentence"], {})
    return finding


def _read_incident(told: Document, sequence: int) -> Incident:
    """Return the incident that a document tells of."""
    graph = told["graph"]
    steps = {step.key: step for step in map(read_step, told["steps"])}
    still_open = set(told["open_findings"])
    opened = nanoseconds(told["opened"])
    incident = Incident(told["id"], opened, max(opened, nanoseconds(told["last_seen"])), sequence)
    return replace(
        incident,
        findings={key: key in still_open for key in told["findings"]},
        steps=steps,
        known={name: nanoseconds(since) for name, since in graph["known"].items()},
        near={name: [nanoseconds(when) for when in times] for name, times in graph["near"].items()},
        closed=nanoseconds(told["closed"]) if told["closed"] else None,
        noted=nanoseconds(graph["written"]),
        document=told,
    )
