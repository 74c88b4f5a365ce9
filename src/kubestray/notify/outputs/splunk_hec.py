"""Risk events for Splunk Enterprise Security, through the HTTP Event Collector.

Each risk event that a finding rests on (``evidence``) is sent once, with the change that brings it.
The event has the fields that risk rules read; ``kubestray_finding`` and ``risk_event`` are keys that stay.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from kubestray.model.entity import Entity
from kubestray.model.finding import Document, nanoseconds, written
from kubestray.notify.http import HTTP_KEYS, header_of
from kubestray.notify.http_output import JSON, Body, HttpOutput
from kubestray.notify.notice import Notice, Reference
from kubestray.notify.output import Key

_SYSTEMS = ("node", "cluster")
"""Entities that are systems to Splunk; it knows no other kind of ours."""


class SplunkHec(HttpOutput):
    """Posts risk events."""

    keys = (
        Key("token", "secret", "The collector's token, as `token_env` or `token_file`.", None),
        Key("index", "text", "The index.", "risk"),
        Key("sourcetype", "text", "The source type.", "stash"),
        *(key for key in HTTP_KEYS if key.name in ("url", "ca_file", "timeout")),
    )
    path = "/services/collector/event"
    announces = False
    kinds = ("finding",)

    def body(self, notice: Notice) -> Body:
        """Return the risk events that were not sent before."""
        lines = events(notice, self._values["index"], self._values["sourcetype"], _sent(notice))
        return b"\n".join(lines), {**JSON, **header_of("Splunk", self._values["token"])}

    def deliver(self, notice: Notice) -> Reference:
        """Post what is new, if anything is; return which were sent."""
        now = [one["risk_event"] for one in notice.document.get("evidence") or ()]
        if set(now) - set(_sent(notice)):
            super().deliver(notice)
        return {"risk_events": list(dict.fromkeys([*_sent(notice), *now]))}


def _sent(notice: Notice) -> list[str]:
    return list((notice.reference or {}).get("risk_events", ()))


def events(notice: Notice, index: str, sourcetype: str, sent: Collection[str] = ()) -> list[bytes]:
    """Return the risk events of a finding but for those that were sent."""
    document = notice.document
    return [
        written(_event(notice, evidence, index, sourcetype)).encode()
        for evidence in document.get("evidence") or ()
        if evidence["risk_event"] not in sent
    ]


def _event(notice: Notice, evidence: dict[str, Any], index: str, sourcetype: str) -> dict[str, Any]:
    entity = Entity.parse(evidence["entity"]) or Entity("", "", "", evidence["entity"])
    return {
        "time": nanoseconds(evidence["time"]) // 10**9,
        "index": index,
        "source": evidence["detection"],
        "sourcetype": sourcetype,
        "host": entity.cluster or "kubestray",
        "event": {
            "search_name": evidence["detection"],
            "risk_object": entity.short,
            "risk_object_type": "system" if entity.kind in _SYSTEMS else "other",
            "risk_score": _score(notice.document, evidence),
            "risk_message": evidence["message"],
            "annotations": written({"mitre_attack": evidence.get("techniques") or []}),
            "annotations.mitre_attack": evidence.get("techniques") or [],
            "kubestray_finding": notice.id,
            "kubestray_entity": evidence["entity"],
            "risk_event": evidence["risk_event"],
            **({"kubestray_test": "true"} if notice.test else {}),
        },
    }


def _score(document: Document, evidence: dict[str, Any]) -> float:
    """Return the score of the risk event; that of the finding where its parts do not tell."""
    for part in document.get("parts") or ():
        if part["detection"] == evidence["detection"] and part["entity"] == evidence["entity"]:
            return float(part["score"])
    return float(document["score"])
