"""OCSF 1.5: a finding or incident as a Detection Finding (class 2004), measures as anomaly analyses."""

from __future__ import annotations

from typing import Any

from kubestray import __version__
from kubestray.model.entity import Entity
from kubestray.model.finding import Document, nanoseconds, written
from kubestray.notify import words
from kubestray.notify.notice import DECIDED, Notice

VERSION = "1.5.0"

_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_ACTIVITIES = {_CREATE: "Create", _UPDATE: "Update", _CLOSE: "Close"}
_STATUS = {
    "new": (1, "New"),
    "acknowledged": (2, "In Progress"),
    "suppressed": (3, "Suppressed"),
    "resolved": (4, "Resolved"),
    "closed": (4, "Resolved"),
}
_RULE, _BEHAVIORAL = 1, 2
_RISK_LEVELS = ("Info", "Low", "Medium", "High", "Critical")
_FINDING_TYPE = 200_401

Object = dict[str, Any]


def detection_finding(notice: Notice) -> Object:
    """Return the event; ``metadata.uid`` is the change's own, ``finding_info.uid`` the finding's."""
    document = notice.document
    level = words.level(document)
    activity = _CLOSE if notice.ended else _CREATE if notice.first else _UPDATE
    status_id, status = _STATUS[document["state"]]
    event: Object = {
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_400 + activity,
        "type_name": f"Detection Finding: {_ACTIVITIES[activity]}",
        "time": notice.change.time // 10**6,
        "start_time": _milliseconds(document["first_seen"]),
        "end_time": _milliseconds(document["last_seen"]),
        "severity_id": level + 1,
        "severity": document["severity"].capitalize(),
        "status_id": status_id,
        "status": status,
        "is_alert": not notice.test,
        "risk_score": round(document["score"]),
        "risk_level_id": level,
        "risk_level": _RISK_LEVELS[level],
        "message": ("Test: " if notice.test else "") + document["sentence"],
        "metadata": {
            "version": VERSION,
            "uid": notice.uid,
            "product": {"name": "kubestray", "vendor_name": "kubestray", "version": __version__},
        },
        "finding_info": _finding_info(notice),
        "resources": [_resource(entity) for entity in words.entities_of(document)],
        "unmapped": _rest(document),
    }
    more: Object = {
        "comment": _comment(notice),
        "status_detail": words.over(notice) if notice.ended else "",
        "anomaly_analyses": _anomaly_analyses(document),
        "evidences": _evidences(document),
        "remediation": {"desc": " ".join(told)}
        if (told := words.sentences(document.get("respond")))
        else None,
    }
    return event | {name: value for name, value in more.items() if value}


def line(notice: Notice) -> bytes:
    """Return the event as one line of JSON, without its end."""
    return written(detection_finding(notice)).encode()


def _comment(notice: Notice) -> str:
    """Return what a person decided, if that is what the notice is about."""
    history = notice.document.get("history") if notice.change.change == DECIDED else None
    if not history:
        return ""
    last = history[-1]
    return ": ".join(filter(None, (last["actor"], last["action"], last.get("owner"), last.get("text"))))


def _finding_info(notice: Notice) -> Object:
    document = notice.document
    info: Object = {
        "uid": notice.id,
        "title": ("[TEST] " if notice.test else "") + document["title"],
        "desc": document["sentence"],
        "types": [document["kind"]],
        "created_time": _milliseconds(document["opened"]),
        "modified_time": notice.change.time // 10**6,
        "first_seen_time": _milliseconds(document["first_seen"]),
        "last_seen_time": _milliseconds(document["last_seen"]),
        "attacks": _attacks(document),
    }
    if opened_by := document.get("opened_by"):
        kind = _RULE if opened_by.get("how") == "rule" else _BEHAVIORAL
        named = {"name": words.analytic_name(document), "uid": opened_by.get("id"), "type_id": kind}
        info["analytic"] = {name: value for name, value in named.items() if value}
    incident = document.get("incident") or document.get("merged_into")
    related = [*document.get("findings", ()), *([incident] if incident else ())]
    if related:
        info["related_events"] = [{"uid": uid, "type_uid": _FINDING_TYPE} for uid in related]
    return info


def _attacks(document: Document) -> list[Object]:
    """Techniques and tactics; which belongs to which is told where there is one tactic."""
    tactics = [{"uid": one["id"], "name": one["name"]} for one in document["tactics"]]
    techniques = [{"technique": {"uid": technique}} for technique in document["techniques"]]
    if len(tactics) == 1 and techniques:
        return [{**one, "tactic": tactics[0]} for one in techniques]
    return [*techniques, *({"tactic": tactic} for tactic in tactics)]


def _resource(entity: Entity) -> Object:
    resource: Object = {"type": entity.kind, "name": entity.short, "uid": str(entity)}
    if entity.namespace:
        resource["namespace"] = entity.namespace
    if entity.cluster:
        resource["labels"] = [f"k8s.cluster.name={entity.cluster}"]
    return resource


def _anomaly_analyses(document: Document) -> list[Object]:
    observed = document.get("observed") or ()
    if not observed:
        return []
    entity = words.entity_of(document)
    analysis: Object = {
        "analysis_targets": [{"name": entity.short, "type": entity.kind}],
        "anomalies": [_anomaly(one) for one in observed],
    }
    baselines = [_baseline(one) for one in observed if _limits(one)]
    return [analysis | ({"baselines": baselines} if baselines else {})]


def _anomaly(observed: Object) -> Object:
    anomaly: Object = {
        "observation_parameter": observed["field"],
        "observations": [{"value": words.figure(observed["value"])}],
    }
    value, lower, upper = observed["value"], observed.get("lower"), observed.get("upper")
    if isinstance(value, int | float):
        if upper is not None and value > upper:
            anomaly["observed_pattern"] = "SURGE"
        elif lower is not None and value < lower:
            anomaly["observed_pattern"] = "DROP"
    return anomaly


def _baseline(observed: Object) -> Object:
    return {"observation_parameter": observed["field"], "observations": [{"value": _limits(observed)}]}


def _limits(observed: Object) -> str:
    given = (
        f"{name}={words.figure(observed[name])}" for name in words.LIMITS if observed.get(name) is not None
    )
    return " ".join(given)


def _evidences(document: Document) -> list[Object]:
    """Risk events with what they are about; without any, the processes and edges it touches."""
    found = []
    for one in document.get("evidence") or ():
        entity = Entity.parse(one.get("entity") or "")
        about = _about(entity) if entity else {}
        kept = ("detection_id", "time", "window", "message", "search", "row")
        data = {name: one[name] for name in kept if name in one}
        found.append({"name": one["detection"], "uid": one.get("risk_event", ""), "data": data, **about})
    if found:
        return found
    return [about for entity in words.entities_of(document) if (about := _about(entity))]


def _about(entity: Entity) -> Object:
    if entity.kind == "process":
        return {"process": {"uid": str(entity), "name": entity.name.partition("/")[2] or entity.name}}
    if entity.kind == "edge":
        source, _, target = entity.name.partition(">")
        return {"src_endpoint": {"name": f"{entity.namespace}/{source}"}, "dst_endpoint": {"name": target}}
    return {}


def _rest(document: Document) -> Object:
    """What OCSF has no place for."""
    kept = ("state", "owner", "comments", "parts", "steps", "would_not_have_fired", "peers", "content")
    return {name: document[name] for name in kept if document.get(name)}


def _milliseconds(told: str) -> int:
    return nanoseconds(told) // 10**6
