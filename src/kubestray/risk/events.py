"""Result rows of a detection to risk events, with the fields that Splunk's risk index has."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from kubestray.model.content import Detection, RiskObject
from kubestray.model.entity import Entity
from kubestray.model.risk import RiskEvent
from kubestray.risk.attack import TACTICS, known
from kubestray.search.identity import steady

_TOKEN = re.compile(r"\$([^$\s]+)\$")

Row = dict[str, Any]


def risk_events(
    detection: Detection,
    rows: list[Row],
    window: tuple[int, int],
    now: int,
    keys: Sequence[str] | None = None,
) -> list[RiskEvent]:
    """Return one event a row and risk object (a multivalue field: one a value); times in nanoseconds.

    ``keys`` are the fields that tell the rows apart. What was measured of a row is then no part of its
    identity: a run that is repeated adds nothing, though an average may differ in its last digit or a late
    point may have come. A row that lacks the field of a risk object has nothing to put at risk and
    gives no event for it.
    """
    events: dict[str, RiskEvent] = {}
    for row, same in zip(rows, _identities(rows, keys), strict=True):
        for wanted, name in _objects(detection, row):
            event = _event(detection, row, same, wanted, name, window, now)
            events.setdefault(event.id, event)
    return list(events.values())


def _identities(rows: list[Row], keys: Sequence[str] | None) -> list[Any]:
    """Return what each row is known by: its keys if they do tell the rows apart, else all that it holds."""
    if keys is not None:
        found = [[row.get(key) for key in keys] for row in rows]
        if len({json.dumps(identity) for identity in found}) == len(rows):
            return found
    return [steady(row) for row in rows]


def fill(message: str, row: Row) -> str:
    """Fill the ``$field$`` tokens of a message from a row; several values are joined by commas, entities are
    named as people say them.
    """
    return _TOKEN.sub(lambda token: _said(row.get(token[1])), message)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    known = Entity.parse(value) if isinstance(value, str) else None
    return known.said if known else _shown(value)


def _objects(detection: Detection, row: Row) -> Iterator[tuple[RiskObject, str]]:
    for wanted in detection.risk_objects:
        value = row.get(wanted.field)
        for name in value if isinstance(value, list) else [value]:
            if name is not None:
                yield wanted, _shown(name)


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _event(
    detection: Detection,
    row: Row,
    same: Any,
    wanted: RiskObject,
    name: str,
    window: tuple[int, int],
    now: int,
) -> RiskEvent:
    threats = [(t, row[t.field]) for t in detection.threat_objects if row.get(t.field) is not None]
    fields: Row = {
        **row,
        "_time": now / 1e9,
        "search_name": detection.name,
        "source": _source(detection),
        "risk_object": name,
        "risk_object_type": wanted.type,
        "risk_object_field": wanted.field,
        "normalized_risk_object": name.lower(),
        "risk_score": wanted.score,
        "calculated_risk_score": wanted.score,
        "risk_message": fill(detection.message, row),
        "analyticstories": list(detection.stories),
        "annotations": _annotations(detection),
        **_annotation_fields(detection),
        "savedsearch_description": detection.description,
        "security_domain": detection.security_domain,
        "info_min_time": window[0] / 1e9,
        "info_max_time": window[1] / 1e9,
        "info_search_time": now / 1e9,
        "orig_time": row.get("_time", now / 1e9),
        "contributing_events_search": _contributing(detection, wanted, row),
    }
    if threats:
        fields["threat_object"] = [_shown(value) for _, value in threats]
        fields["threat_object_type"] = [threat.type for threat, _ in threats]
    identity = _identity(detection, same, wanted, name, window)
    return RiskEvent(identity, now, detection.name, name, wanted.type, wanted.score, fields)


def _source(detection: Detection) -> str:
    """Return the name of the saved search: content published for Splunk has its own way of naming them."""
    products = _listed((detection.raw.get("tags") or detection.raw).get("product"))
    published = any(product.startswith("Splunk") for product in products)
    return f"ESCU - {detection.name} - Rule" if published else detection.name


def _annotations(detection: Detection) -> str:
    """Return the annotations as Splunk writes them, in one JSON text."""
    told = {
        "analytic_story": list(detection.stories),
        "data_source": _listed(detection.raw.get("data_source")),
        "mitre_attack": list(detection.techniques),
        "type": detection.type,
        "type_list": [detection.type],
    }
    return json.dumps({name: value for name, value in told.items() if value})


def _annotation_fields(detection: Detection) -> Row:
    """Return the annotations as fields; a list of nothing is no field."""
    techniques = known(detection.techniques)
    tactics = list(dict.fromkeys(tactic for technique in techniques for tactic in technique.tactics))
    told: Row = {
        "analytic_story": list(detection.stories),
        "data_source": _listed(detection.raw.get("data_source")),
        "type": detection.type,
        "type_list": [detection.type],
        "mitre_attack": list(detection.techniques),
        "mitre_attack.mitre_tactic": tactics,
        "mitre_attack.mitre_tactic_id": [TACTICS[tactic] for tactic in tactics],
        "mitre_attack.mitre_technique": [technique.name for technique in techniques],
        "mitre_attack.mitre_technique_id": list(detection.techniques),
    }
    return {f"annotations.{name}": value for name, value in told.items() if value}


def _listed(value: Any) -> list[str]:
    """Return the texts of a key that may hold one or a list of them."""
    return [str(one) for one in (value if isinstance(value, list) else [value]) if one]


def _contributing(detection: Detection, wanted: RiskObject, row: Row) -> str:
    """Return the search that shows what an event was made of."""
    value = _shown(row.get(wanted.field)).replace("\\", "\\\\").replace('"', '\\"')
    return f'| savedsearch "{detection.name}" | search {wanted.field}="{value}"'


def _identity(detection: Detection, same: Any, wanted: RiskObject, name: str, window: tuple[int, int]) -> str:
    parts = [detection.id, list(window), wanted.field, wanted.type, name, same]
    written = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32]
