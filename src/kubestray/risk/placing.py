"""Risk events with their place: the entity, what it is part of and related to, factors, suppression.

All that is worked out once, when an event is made, and kept in its fields. What follows (scores, findings,
incidents) looks at events alone and comes out the same whenever it is done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kubestray.model.content import RiskFactor
from kubestray.model.entity import Entity
from kubestray.model.risk import RiskEvent
from kubestray.risk.directory import Directory
from kubestray.risk.entities import place
from kubestray.risk.factors import factor_of
from kubestray.risk.suppressions import Suppression, hiding

ENTITY, PARENTS = "entity", "entity_parents"
RELATED, REACHES, NEAR = "entity_related", "entity_reaches", "entity_near"
SUPPRESSED = "suppressed_by"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the place of an event depends on beside itself."""

    who: Directory
    factors: Sequence[RiskFactor] = ()
    suppressions: Sequence[Suppression] = ()


def placed(event: RiskEvent, around: Circumstances) -> RiskEvent:
    """Return the event with its place among its fields."""
    fields = event.fields
    field = str(fields.get("risk_object_field", ""))
    found = place(event.risk_object, field, event.risk_object_type, fields, around.who, event.time)
    entities = [str(entity) for entity in (found.entity, *found.parents)]
    factor, names = factor_of(around.factors, entities, fields)
    added = {
        ENTITY: entities[0],
        PARENTS: entities[1:],
        RELATED: list(found.related),
        REACHES: list(found.reaches),
        NEAR: list(found.near),
        "risk_factor": names,
        "normalized_risk_object": _normalised(found.entity, event),
        "calculated_risk_score": round(event.risk_score * factor, 6),
    }
    if hidden := hiding(around.suppressions, event.detection, entities, fields, event.time):
        added |= {SUPPRESSED: hidden.id, "calculated_risk_score": 0.0}  # no rule counts it either
    return replace(event, fields={**fields, **{name: value for name, value in added.items() if value != []}})


def _normalised(entity: Entity, event: RiskEvent) -> str:
    """Return the name by which risk adds up in rules: that of the node for its host, else as it was given."""
    return (entity.name if entity.kind == "node" else event.risk_object).lower()


def entity_of(event: RiskEvent) -> Entity:
    """Return the entity of a placed event; what was recorded without a place is known by its name alone."""
    told = Entity.parse(str(event.fields.get(ENTITY, "")))
    return told or Entity(
        "node" if event.risk_object_type == "system" else "workload", "", "", event.risk_object
    )


def parents_of(event: RiskEvent) -> list[Entity]:
    """Return what the entity of a placed event is part of, the nearest first."""
    found = (Entity.parse(str(name)) for name in event.fields.get(PARENTS, ()))
    return [entity for entity in found if entity]
