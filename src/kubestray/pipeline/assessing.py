"""risk events → findings and incidents, in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from kubestray.detect.loader import load_content
from kubestray.detect.runner import macros_of
from kubestray.model.content import Content, Detection, RiskScoring
from kubestray.model.entity import Entity
from kubestray.model.finding import Change, written
from kubestray.pipeline.setting_up import built_in
from kubestray.risk.assessing import Assessor, rewritten_within
from kubestray.risk.documents import Documents, Explain
from kubestray.risk.entities import place
from kubestray.risk.events import fill
from kubestray.risk.findings import Hit, lookback
from kubestray.risk.placing import Circumstances
from kubestray.search.counterfactual import would_not_be_there
from kubestray.store.ledger import Ledger
from kubestray.store.store import Store

ASSESSED = "findings"
"""What the ledger of runs calls the times up to which risk events have become findings."""

Row = dict[str, Any]


class Assessment:
    """Findings and incidents over the risk events of a store, from where they were left."""

    def __init__(
        self, store: Store, content: Content, reached: int, explain: Explain = lambda _: None
    ) -> None:
        """``reached`` (ns): up to when risk events have been seen to; ``explain`` is asked of a new step."""
        scoring = scoring_of(content)
        self._ledger, self._reached = Ledger(store), reached
        direct = frozenset(d.name for d in content.detections.values() if d.direct and not is_rule(d))
        macros = macros_of(content)

        def why(detection: Detection, row: Any) -> list[str]:
            return would_not_be_there(detection.search, row, macros)

        documents = Documents(content, scoring, hash_of(content), why, explain)
        earlier = self._ledger.risk(reached - lookback(scoring), reached)
        # What is open was written a while ago at most: it is updated or closed when it is quiet.
        noted = self._ledger.latest(after=reached - rewritten_within(scoring), until=reached)
        known = [(one.sequence, one.change, one.document) for one in noted]
        self._assessor = Assessor(scoring, direct, documents, reached, earlier, known)

    def advance(self, now: int, hits: Sequence[Hit] = (), *, events: bool = True) -> list[Change]:
        """See to the risk events up to ``now`` (ns) and to hits; record what became of findings.

        Without ``events`` the caller knows that there is none since the last time.
        """
        if now <= self._reached:
            return []
        found = self._ledger.risk(self._reached, now) if events else []
        changes = self._assessor.advance(now, found, hits)
        self._ledger.record_changes(changes)
        self._reached = now
        return changes


def scoring_of(content: Content) -> RiskScoring:
    """Return how risk adds up: as the content says, else as the built-in content does."""
    known = content.scoring or load_content([built_in() / "risk_scoring"]).scoring
    return next(iter(known.values()))


def is_rule(detection: Detection) -> bool:
    """Return whether a detection is a rule: a search over risk events, whose rows are findings."""
    return detection.type.lower() == "correlation"


def hits_of(detection: Detection, rows: Sequence[Row], now: int, around: Circumstances) -> list[Hit]:
    """Return what the rows of a rule say, one an entity; ``now`` in nanoseconds.

    The entity is that of the field ``entity``, where a rule has it from the risk events, else the risk
    object's.
    """
    found: dict[Entity, Hit] = {}
    for row in rows:
        for entity in _entities(detection, row, around, now):
            hit = Hit(detection.name, detection.id, entity, now, fill(detection.message, row), dict(row))
            found.setdefault(entity, hit)
    return list(found.values())


def _entities(detection: Detection, row: Row, around: Circumstances, now: int) -> list[Entity]:
    told = row.get("entity")
    known = [Entity.parse(str(one)) for one in (told if isinstance(told, list) else [told])]
    if any(known):
        return [entity for entity in known if entity][:1]
    return [
        place(str(row[wanted.field]), wanted.field, wanted.type, row, around.who, now).entity
        for wanted in detection.risk_objects
        if row.get(wanted.field) is not None
    ]


def hash_of(content: Content) -> str:
    """Return a hash of everything in a content that findings depend on."""
    detections = {
        d.id: [d.version, d.search, d.raw.get("rba"), d.enabled] for d in content.detections.values()
    }
    macros = sorted((m.name, list(m.arguments), m.definition) for m in content.macros.values())
    factors = sorted((f.name, [list(map(list, f.match))], f.multiply) for f in content.factors.values())
    scoring = [[getattr(s, name) for name in s.__slots__ if name != "path"] for s in content.scoring.values()]
    told = written([detections, macros, factors, scoring])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
