"""Events for falcosidekick, which passes them on to the receivers that it knows.

It cuts long fields of a payload above 4096 bytes, so steps and evidence stay out. It knows no end and no key:
Alertmanager and PagerDuty are better told directly, by outputs of their own.
"""

from __future__ import annotations

from kubestray.model.finding import rfc3339, written
from kubestray.notify import words
from kubestray.notify.http_output import JSON, Body, HttpOutput
from kubestray.notify.notice import Notice, Reference

_PRIORITIES = ("Informational", "Notice", "Warning", "Error", "Critical")
_NAMES = {
    "namespace": "k8s.ns.name",
    "pod": "k8s.pod.name",
    "node": "k8s.node.name",
    "cluster": "k8s.cluster.name",
    "workload": "k8s.workload.name",
    "process": "proc.name",
    "container": "container.name",
    "image": "container.image",
}
_OUTPUT = 1000
"""Characters of the sentence."""


class Falcosidekick(HttpOutput):
    """Posts events."""

    def body(self, notice: Notice) -> Body:
        """Return the event."""
        return payload(notice)

    def deliver(self, notice: Notice) -> Reference:
        """Post the event; return what was told."""
        super().deliver(notice)
        return {"told": words.news(notice.document)}

    def is_news(self, notice: Notice) -> bool:
        """It knows no updates: each is a new event for its receivers."""
        return words.is_news(notice)


def payload(notice: Notice) -> Body:
    """Return the event and its headers; every output field is a text, as falcosidekick asks."""
    document = notice.document
    parts = words.parts_of(words.entity_of(document))
    fields = {_NAMES[name]: value for name, value in parts.items() if name in _NAMES}
    fields |= {
        "entity": document["entity"],
        "score": words.figure(document["score"]),
        "state": document["state"],
        "finding": notice.id,
        "change": notice.uid,
    }
    event = {
        "output": f"{words.headline(notice)}: {document['sentence']}"[:_OUTPUT],
        "priority": _PRIORITIES[words.level(document)],
        "rule": words.analytic_name(document),
        "source": "kubestray",
        "time": rfc3339(notice.change.time),
        "hostname": parts.get("node") or parts.get("cluster") or "kubestray",
        "tags": [
            *document["techniques"],
            *(f"mitre_{tactic['name'].lower().replace(' ', '_')}" for tactic in document["tactics"]),
        ],
        "output_fields": fields,
    }
    return written(event).encode(), JSON
