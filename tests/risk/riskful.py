"""Risk events by hand, and an assessor over a ledger in memory."""

from __future__ import annotations

import json

from kubestray.model.content import Content, Detection, RiskScoring
from kubestray.model.errors import Position
from kubestray.model.risk import RiskEvent
from kubestray.risk.assessing import Assessor, rewritten_within
from kubestray.risk.directory import Directory
from kubestray.risk.documents import Documents
from kubestray.risk.findings import lookback
from kubestray.risk.placing import Circumstances, placed

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
START = 1_795_000_020 * 10**9

SCORING = RiskScoring(
    name="scoring",
    half_life=12 * HOUR,
    window=24 * HOUR,
    ramp=30 * MINUTE,
    cap=2.0,
    threshold=100.0,
    thresholds=(("namespace", 300.0), ("cluster", 600.0)),
    shares=(("namespace", 0.5), ("cluster", 0.5), ("pod>node", 0.25)),
    quiet=3 * HOUR,
    related=24 * HOUR,
    path="",
)

WHO = Directory(
    [
        (
            {
                "k8s.cluster.name": "prod",
                "k8s.namespace.name": "shop",
                "k8s.node.name": node,
                "host.name": f"{node}.internal",
                "k8s.pod.name": pod,
            },
            START - 48 * HOUR,
            START + 96 * HOUR,
        )
        for pod, node in (("cart-7d9f6c5b8d-x2k4z", "n1"), ("web-6c5b8d7d9f-zz2bk", "n2"), ("db-0", "n3"))
    ]
)


def event(
    detection: str,
    risk_object: str,
    time: int,
    score: float = 60,
    *,
    field: str = "entity",
    kind: str = "other",
    techniques: tuple[str, ...] = ("T1496",),
    around: Circumstances | None = None,
    **row: object,
) -> RiskEvent:
    """Return a placed risk event, as a run at ``time`` (ns) makes it."""
    fields = {
        **row,
        "risk_object_field": field,
        "risk_message": f"{detection} of {risk_object}",
        "annotations.mitre_attack": list(techniques),
        "info_min_time": (time - 15 * MINUTE) / 1e9,
        "info_max_time": time / 1e9,
    }
    identity = f"{detection}|{risk_object}|{time}|{sorted(row.items())}"
    made = RiskEvent(identity, time, detection, risk_object, kind, score, fields)
    return placed(made, around or Circumstances(WHO))


def detection(name: str, *, direct: bool = False, search: str = "") -> Detection:
    """Return a detection of a name."""
    return Detection(
        name=name,
        id=f"id of {name}",
        version=1,
        type="TTP" if direct else "Anomaly",
        status="production",
        description="",
        search=search,
        path="",
        place=Position(1, 1),
        schedule=None,
        raw={},
        direct=direct,
        response=(f"look at what {name} says",),
    )


class Assessed:
    """An assessor, the events and changes it has seen, and what a restart would go on from."""

    def __init__(self, *direct: str, scoring: RiskScoring = SCORING, who: tuple[str, ...] = ()) -> None:
        self.content = Content()
        for name in (*direct, *who):
            self.content.add(detection(name, direct=name in direct))
        self.direct, self.scoring = frozenset(direct), scoring
        self.events: list[RiskEvent] = []
        self.changes = []
        self.reached = START - 1
        self.restart()

    def restart(self) -> None:
        """Go on from what the ledger has, as a server does when it starts."""
        back = self.reached - lookback(self.scoring)
        earlier = [e for e in self.events if back < e.time <= self.reached]
        latest = {change.id: change for change in self.changes}
        noted = [
            (change.sequence, change.change, json.loads(json.dumps(change.document)))
            for change in latest.values()
            if change.time > self.reached - rewritten_within(self.scoring)
        ]
        documents = Documents(self.content, self.scoring, "hash", lambda _d, _r: [])
        self.assessor = Assessor(self.scoring, self.direct, documents, self.reached, earlier, noted)

    def at(self, time: int, *events: RiskEvent, hits=()):
        """Advance to a time; return the changes."""
        self.events += events
        changes = self.assessor.advance(time, events, hits)
        self.changes += changes
        self.reached = time
        return changes

    def latest(self, kind: str):
        """Return the last document of each finding or incident that is not part of another."""
        found = {change.id: change.document for change in self.changes if change.kind == kind}
        return [document for document in found.values() if not document.get("merged_into")]
