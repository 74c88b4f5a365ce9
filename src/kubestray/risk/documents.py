"""The documents of findings and incidents: what an analyst reads, an output sends, and `verify` recomputes.

`docs/findings.md` says what the keys are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from kubestray.model.content import Content, Detection, RiskScoring
from kubestray.model.counted import counted
from kubestray.model.entity import Entity
from kubestray.model.finding import CLOSED, SEVERITIES, rfc3339, severity_of, written
from kubestray.model.risk import RiskEvent
from kubestray.risk.findings import DIRECT, RULE, THRESHOLD, Open, Turn
from kubestray.risk.incidents import IncidentTurn
from kubestray.risk.placing import entity_of, parents_of
from kubestray.risk.scoring import Part, score_of
from kubestray.risk.steps import Step, in_order, tactics_of, techniques_of

VERSION = 1

Document = dict[str, Any]
Why = Callable[[Detection, Mapping[str, Any]], list[str]]
"""Says with what other values a row of a detection would not have been there."""

Explain = Callable[[RiskEvent], Document | None]
"""Works out how the score of an event came about, with what is needed to do it again; None if it has none."""

_MOST = 12
"""Values that are shown of a row."""

_MOST_TOLD = 8
"""Steps that the sentence of an incident names."""


class Documents:
    """Makes documents, with what the content says of its detections."""

    def __init__(
        self,
        content: Content,
        scoring: RiskScoring,
        content_hash: str,
        why: Why,
        explain: Explain = lambda _: None,
    ) -> None:
        self._content, self._scoring, self._hash = content, scoring, content_hash
        self._why, self._explain = why, explain

    def finding(self, turn: Turn, now: int, incident: str | None) -> Document:
        """Return the document of a finding as it stands at a time (ns)."""
        finding, steps = turn.finding, in_order(turn.finding.steps.values())
        evidence = self._evidence_of(finding, steps)
        techniques = techniques_of(steps)
        told = {
            "kind": "finding",
            "id": finding.id,
            "version": VERSION,
            "title": _title(finding, steps),
            "sentence": _sentence(finding, steps),
            "entity": str(finding.entity),
            "entities": _entities(finding.entity, evidence),
            "opened_by": self._opened_by(finding),
            "severity": severity_of(round(finding.score, 6), added_up=finding.how != DIRECT),
            "score": round(finding.score, 6),
            "techniques": techniques,
            "tactics": tactics_of(techniques),
            "parts": [self._part(part) for part in finding.parts],
            "observed": observed(evidence[-1]["row"]) if evidence else [],
            "would_not_have_fired": self._counterfactuals(finding, evidence),
            "peers": _peers(evidence),
            "evidence": evidence,
            "respond": self._respond(steps),
            "incident": incident,
            "scored_at": rfc3339(now),
            "scoring": _numbers(self._scoring),
            "content": self._hash,
        }
        times = _times(finding.opened, steps, finding.last, now if turn.change == CLOSED else None)
        document = {**told, **times, "steps": [step.as_json() for step in steps]}
        return {**document, "digest": digest(document)}

    def incident(self, turn: IncidentTurn) -> Document:
        """Return the document of an incident as it stands."""
        incident, steps = turn.incident, in_order(turn.incident.steps.values())
        techniques = techniques_of(steps)
        most = _most_at_risk(steps)
        told = {
            "kind": "incident",
            "id": incident.id,
            "version": VERSION,
            "title": _incident_title(most, steps),
            "sentence": _account(most, steps),
            "entity": most,
            "entities": list(dict.fromkeys([most, *(step.entity for step in steps)])),
            "score": round(sum(step.score for step in steps), 6),
            "severity": _severity(steps),
            "techniques": techniques,
            "tactics": tactics_of(techniques),
            "findings": list(incident.findings),
            "open_findings": [key for key, is_open in incident.findings.items() if is_open],
            "graph": {
                "written": rfc3339(incident.noted),
                "known": {name: rfc3339(since) for name, since in sorted(incident.known.items())},
                "near": {
                    name: [rfc3339(when) for when in times] for name, times in sorted(incident.near.items())
                },
            },
            "merged_into": incident.merged_into,
        }
        times = _times(incident.opened, steps, incident.last, incident.closed)
        return {**told, **times, "steps": [step.as_json() for step in steps]}

    def _opened_by(self, finding: Open) -> Document:
        known = self._content.detections.get(finding.name)
        return {"how": finding.how, "name": finding.name, "id": known.id if known else ""}

    def _part(self, part: Part) -> Document:
        known = self._content.detections.get(part.event.detection)
        return {
            "detection": part.event.detection,
            "detection_id": known.id if known else "",
            "entity": str(part.entity),
            "score": part.event.risk_score,
            "factor": round(score_of(part.event) / part.event.risk_score, 6)
            if part.event.risk_score
            else 1.0,
            "factors": part.event.fields.get("risk_factor", []),
            "time": rfc3339(part.event.time),
            "lasted": round(part.lasted / 1e9, 3),
            "share": part.share,
            "value": round(part.value, 6),
        }

    def _evidence_of(self, finding: Open, steps: list[Step]) -> list[Document]:
        """Return the latest evidence of each step; as it was written, where the event is no longer known."""
        before = {(one["detection"], one["entity"]): one for one in finding.document.get("evidence", ())}
        latest = {
            key: self._evidence(event, before[key]["explanation"] if key in before else self._explain(event))
            for key, event in finding.latest.items()
        }
        known = {**before, **latest}
        return [known[step.key] for step in steps if step.key in known]

    def _evidence(self, event: RiskEvent, explanation: Document | None) -> Document:
        known = self._content.detections.get(event.detection)
        fields = event.fields
        window = [int(fields.get(name, 0) * 1e3) * 10**6 for name in ("info_min_time", "info_max_time")]
        return {
            "detection": event.detection,
            "detection_id": known.id if known else "",
            "detection_version": known.version if known else None,
            "entity": str(entity_of(event)),
            "part_of": [str(parent) for parent in parents_of(event)],
            "time": rfc3339(event.time),
            "window": [rfc3339(edge) for edge in window],
            "message": fields.get("risk_message", event.detection),
            "search": known.search if known else "",
            "row": row_of(fields),
            "explanation": explanation,
            "risk_event": event.id,
            "techniques": fields.get("annotations.mitre_attack", []),
        }

    def _counterfactuals(self, finding: Open, evidence: list[Document]) -> list[str]:
        """Say what would have had to be different."""
        said = []
        if finding.how == THRESHOLD:
            said = _without_parts(finding, self._threshold(finding.entity))
        for one in evidence:
            known = self._content.detections.get(one["detection"])
            if known is not None:
                said += [f"{known.name}: {why}" for why in self._why(known, one["row"])]
        return said

    def _threshold(self, entity: Entity) -> float:
        return dict(self._scoring.thresholds).get(entity.kind, self._scoring.threshold)

    def _respond(self, steps: Iterable[Step]) -> list[str]:
        names = dict.fromkeys(step.detection for step in steps)
        found = (self._content.detections.get(name) for name in names)
        return list(dict.fromkeys(one for known in found if known for one in known.response))


def digest(document: Document) -> str:
    """Return a hash of a document as it was written, less what people decided later and the digest."""
    aside = ("digest", "state", "owner", "comments", "history", "suppressed_by")
    told = written({name: value for name, value in document.items() if name not in aside})
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def row_of(fields: Mapping[str, Any]) -> Document:
    """Return the row that a risk event was made of: its fields less those that make it a risk event."""
    return {
        name: value
        for name, value in fields.items()
        if name not in _ADDED and not name.startswith("annotations.")
    }


_ADDED = frozenset(
    """
    search_name source risk_object risk_object_type risk_object_field normalized_risk_object risk_score
    risk_factor calculated_risk_score risk_message analyticstories annotations savedsearch_description
    security_domain info_min_time info_max_time info_search_time orig_time contributing_events_search
    threat_object threat_object_type entity entity_parents entity_related entity_reaches entity_near
    suppressed_by _time
    """.split()
)


def _severity(steps: list[Step]) -> str:
    """Name an incident as high as its highest step by itself, or all of them together."""
    named = [severity_of(step.score, added_up=False) for step in steps]
    named.append(severity_of(sum(step.score for step in steps), added_up=True))
    return max(named, key=SEVERITIES.index)


def _times(opened: int, steps: list[Step], last: int, closed: int | None) -> Document:
    first = min((step.time for step in steps), default=opened)
    seen = max((step.last for step in steps), default=last)
    return {
        "opened": rfc3339(opened),
        "first_seen": rfc3339(first),
        "last_seen": rfc3339(seen),
        "closed": None if closed is None else rfc3339(closed),
        "state": "new" if closed is None else "closed",
    }


def _title(finding: Open, steps: list[Step]) -> str:
    if finding.how in (DIRECT, RULE):
        return f"{finding.name}: {finding.entity.short}"
    kinds = len({step.detection for step in steps})
    return f"Risk of {finding.entity.kind} {finding.entity.short} from {counted(kinds, 'detection')}"


def _sentence(finding: Open, steps: list[Step]) -> str:
    if finding.how == RULE and finding.hit:
        return finding.hit.message
    return _story(steps) or finding.name


def _story(steps: list[Step]) -> str:
    """Tell steps in a sentence or two: the highest first, then how many there are beside it."""
    if not steps:
        return ""
    top = max(steps, key=lambda step: (step.score, -step.time))
    others = len(steps) - 1
    return top.message if not others else f"{top.message}; and {others} more: {_named(steps, top)}"


def _account(most: str, steps: list[Step]) -> str:
    """Tell an incident: how much happened to whom and for how long, the last thing, then all in order."""
    if len(steps) < 2:
        return _story(steps)
    entity = Entity.parse(most)
    latest = max(steps, key=lambda step: (step.time, step.score, step.detection))
    told = [f"{rfc3339(step.time)[11:16]} {step.detection}" for step in steps]
    if len(told) > _MOST_TOLD:
        told[_MOST_TOLD - 1 : -1] = [f"{len(told) - _MOST_TOLD} more"]
    took = _length(max(step.last for step in steps) - steps[0].time)
    about = entity.said if entity else most
    order = ", ".join(told)
    return f"{len(steps)} steps in {took} at {about}. The latest: {latest.message}. In order: {order}."


def _length(span: int) -> str:
    """Say how long a time (ns) is, in minutes or hours."""
    minutes = max(1, round(span / 60e9))
    if minutes < 120:
        return counted(minutes, "minute")
    hours = round(minutes / 60)
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"


def _named(steps: list[Step], top: Step) -> str:
    names = list(dict.fromkeys(step.detection for step in steps if step is not top))
    shown = ", ".join(names[:3])
    return f"{shown}, …" if len(names) > 3 else shown


def _incident_title(most: str, steps: list[Step]) -> str:
    entity = Entity.parse(most)
    tactics = [tactic["name"].replace("-", " ") for tactic in tactics_of(techniques_of(steps))]
    about = entity.short if entity else most
    return (
        f"{about}: {', '.join(tactics)}"
        if tactics
        else f"{about}: {counted(len(steps), 'kind of risk', 'kinds of risk')}"
    )


def _most_at_risk(steps: list[Step]) -> str:
    totals: dict[str, float] = {}
    for step in steps:
        totals[step.entity] = totals.get(step.entity, 0.0) + step.score
    return max(totals, key=lambda name: (totals[name], name), default="")


def _entities(entity: Entity, evidence: list[Document]) -> list[str]:
    touched = [name for one in evidence for name in (one["entity"], *one["part_of"])]
    return list(dict.fromkeys((str(entity), *touched)))


def observed(row: Mapping[str, Any]) -> list[Document]:
    """Return what was measured, with what was expected where the search says so."""
    limits = ("expected", "lower", "upper", "score")
    told: list[Document] = []
    for name, value in row.items():
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or name.startswith(tuple(f"{p}_" for p in limits))
        ):
            continue
        given = {limit: row[f"{limit}_{name}"] for limit in limits if row.get(f"{limit}_{name}") is not None}
        told.append({"field": name, "value": value, **given})
    told.sort(key=lambda one: len(one) == 2)
    return told[:_MOST]


def _peers(evidence: list[Document]) -> list[Document]:
    """Return what searches say of others like the entity."""
    names = ("known_elsewhere", "peers", "peer_score", "replicas")
    told = (
        {"detection": one["detection"]} | {name: one["row"][name] for name in names if name in one["row"]}
        for one in evidence
    )
    return [one for one in told if len(one) > 1]


def _without_parts(finding: Open, threshold: float) -> list[str]:
    """Say which parts made the difference."""
    said = [f"with a threshold above {finding.score:.6g} ({threshold:g} is in force)"]
    said += [
        f"without {part.event.detection} of {part.entity}: {finding.score - part.value:.6g} of {threshold:g}"
        for part in finding.parts
        if finding.score - part.value < threshold
    ]
    return said


def _numbers(scoring: RiskScoring) -> Document:
    told = asdict(scoring)
    del told["path"], told["name"]
    spans = {name: told[name] / 1e9 for name in ("half_life", "window", "ramp", "quiet", "related")}
    return {**told, **spans, "thresholds": dict(scoring.thresholds), "shares": dict(scoring.shares)}
