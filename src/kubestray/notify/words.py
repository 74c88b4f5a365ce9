"""What a document says, in the words and numbers that several outputs use."""

from __future__ import annotations

import hashlib
from typing import Any

from kubestray.model.entity import Entity
from kubestray.model.finding import SEVERITIES, Document, written
from kubestray.notify.notice import Notice


def level(document: Document) -> int:
    """Return the severity as a number: 0 informational … 4 critical."""
    return SEVERITIES.index(document["severity"])


def headline(notice: Notice) -> str:
    """Return one line: how grave, what, and whether it is over."""
    document = notice.document
    test = "[TEST] " if notice.test else ""
    end = f" – {over(notice)}" if notice.ended else ""
    return f"{test}[{document['severity'].upper()}] {document['title']}{end}"


def over(notice: Notice) -> str:
    """Say why it has ended for this receiver."""
    if notice.joined:
        return f"part of incident {notice.joined}"
    state = notice.document["state"]
    return state if state in ("resolved", "suppressed") else "has become quiet"


def entity_of(document: Document) -> Entity:
    """Return who is at risk."""
    found = Entity.parse(document["entity"])
    return found or Entity("", "", "", document["entity"])


def entities_of(document: Document) -> list[Entity]:
    """Return everything it touches."""
    return [found for name in document["entities"] if (found := Entity.parse(name))]


def parts_of(entity: Entity) -> dict[str, str]:
    """Return an entity as labels: cluster, namespace, and the names that its kind has; no empty ones."""
    labels = {"cluster": entity.cluster, "namespace": entity.namespace}
    first, _, second = entity.name.partition("/")
    if entity.kind == "process":
        labels |= {"workload" if entity.namespace else "node": first, "process": second}
    elif entity.kind == "container":
        labels |= {"pod": first, "container": second}
    elif entity.kind == "edge":
        source, _, target = entity.name.partition(">")
        labels |= {"workload": source, "destination": target}
    elif entity.kind in ("node", "workload", "pod", "image"):
        labels[entity.kind] = entity.name
    return {name: value for name, value in labels.items() if value}


def news(document: Document) -> str:
    """Return a key that changes when there is something new for people: not with each point of a score."""
    steps = {f"{step['detection']} {step['entity']}" for step in document.get("steps") or ()}
    seen = [document["severity"], document["state"], document.get("owner")]
    more = [sorted(document["techniques"]), sorted(document["entities"]), sorted(steps)]
    return hashlib.blake2b(written([*seen, *more]).encode(), digest_size=8).hexdigest()


def is_news(notice: Notice) -> bool:
    """Tell whether a notice has something new for people since the output told ``{"told": news(…)}``."""
    return bool((notice.reference or {}).get("told") != news(notice.document))


def analytic_name(document: Document) -> str:
    """Return the name of the detection or rule that opened it; what it is, if there is none."""
    opened_by = document.get("opened_by") or {}
    if opened_by.get("name"):
        return str(opened_by["name"])
    return "Incident" if document["kind"] == "incident" else "Risk has added up"


def figure(value: Any) -> str:
    """Write a number with all its digits and no more."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def observed_line(observed: dict[str, Any]) -> str:
    """Say what was measured and expected: ``tcp.bytes 48211900 (expected 611000, upper 4020000)``."""
    limits = ", ".join(
        f"{name} {figure(observed[name])}" for name in LIMITS if observed.get(name) is not None
    )
    return f"{observed['field']} {figure(observed['value'])}" + (f" ({limits})" if limits else "")


LIMITS = ("expected", "lower", "upper")


def sentences(value: Any) -> list[str]:
    """Return texts as a list: a document has one, several or none."""
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]
