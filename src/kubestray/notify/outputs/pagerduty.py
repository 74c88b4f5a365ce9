"""Events for PagerDuty (Events API v2): trigger, acknowledge, resolve.

``dedup_key`` is the finding's or incident's id: nothing is doubled, and what is opened again triggers it.
An event may have 512 KB: of what has thousands of steps the first are told, and how many were left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubestray.model.finding import Document, rfc3339, written
from kubestray.notify import words
from kubestray.notify.http import HTTP_KEYS, revealed
from kubestray.notify.http_output import JSON, Body, HttpOutput
from kubestray.notify.notice import DECIDED, Notice, Reference
from kubestray.notify.output import Key
from kubestray.notify.secret import Secret

_URL = "https://events.pagerduty.com"
_SUMMARY = 1024
_NAME = 1000
"""Characters of a name, and of each text where there is too much."""
_DETAILS = 400_000
"""Bytes of details: with the rest below the 512 KB that PagerDuty takes."""
_SEVERITIES = ("info", "warning", "warning", "error", "critical")

_KEPT = (
    *("sentence", "score", "entities", "techniques", "observed", "would_not_have_fired"),
    *("steps", "respond", "first_seen", "last_seen"),
)


class Pagerduty(HttpOutput):
    """Posts events."""

    keys = (
        Key(
            "routing_key",
            "secret",
            "The integration's key, as `routing_key_env` or `routing_key_file`.",
            None,
        ),
        Key("url", "url", f"Where the API is [{_URL}].", ""),
        *(key for key in HTTP_KEYS if key.name in ("ca_file", "timeout")),
    )
    path = "/v2/enqueue"

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        url = values.get("url") or Secret("PagerDuty's own address", lambda: _URL)
        super().__init__(name, {**values, "url": url})

    def body(self, notice: Notice) -> Body:
        """Return the event."""
        return payload(notice, revealed(self._values["routing_key"]))

    def deliver(self, notice: Notice) -> Reference:
        """Post the event; return what was told."""
        super().deliver(notice)
        return {"told": words.news(notice.document)}

    def is_news(self, notice: Notice) -> bool:
        """An update that says nothing new only fills the incident's log."""
        return words.is_news(notice)


def payload(notice: Notice, routing_key: str) -> Body:
    """Return the event and its headers."""
    document = notice.document
    entity = words.entity_of(document)
    event = {
        "routing_key": routing_key,
        "event_action": _action(notice),
        "dedup_key": notice.id,
        "client": "kubestray",
        "payload": {
            "summary": words.headline(notice)[:_SUMMARY],
            "source": document["entity"][:_NAME],
            "severity": _SEVERITIES[words.level(document)],
            "timestamp": rfc3339(notice.change.time),
            "component": entity.short[:_NAME],
            "group": entity.namespace or entity.cluster,
            "class": words.analytic_name(document),
            "custom_details": _details(document),
        },
    }
    return written(event).encode(), JSON


def _details(document: Document) -> Document:
    """Return what is kept of a document; of lists and texts that are too long together the first parts."""
    kept = {name: document[name] for name in _KEPT if document.get(name)}
    told = kept
    for most in (1000, 100, 10, 1):
        if len(written(told).encode()) <= _DETAILS:
            break
        lists = {name: len(one) for name, one in kept.items() if isinstance(one, list)}
        told = {name: _first(one, most) for name, one in kept.items()}
        told["left_out"] = {name: length - most for name, length in lists.items() if length > most}
    return told


def _first(value: Any, most: int) -> Any:
    """Return a value with so many of what its lists hold, and the beginning of its texts."""
    if isinstance(value, dict):
        return {name: _first(one, most) for name, one in value.items()}
    if isinstance(value, list):
        return [_first(one, most) for one in value[:most]]
    return value[:_NAME] if isinstance(value, str) else value


def _action(notice: Notice) -> str:
    if notice.ended:
        return "resolve"
    acknowledged = notice.change.change == DECIDED and notice.document["state"] == "acknowledged"
    return "acknowledge" if acknowledged and not notice.first else "trigger"
