"""Alerts for Alertmanager (API v2): opened, kept alive while they are open, resolved.

The labels are the key: the finding's id is one of them. An alert whose severity changes gets other labels;
the one with the old labels is resolved in the same request. Of several Alertmanagers each is an output.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kubestray.model.finding import nanoseconds, rfc3339, written
from kubestray.notify import words
from kubestray.notify.http import HTTP_KEYS
from kubestray.notify.http_output import JSON, Body, HttpOutput
from kubestray.notify.notice import Notice, Reference
from kubestray.notify.output import Key

_AT_ONCE = 200
"""Alerts in a request."""

Alert = dict[str, Any]


class Alertmanager(HttpOutput):
    """Posts alerts."""

    keys = (
        *HTTP_KEYS,
        Key("repeat", "duration", "How often what is open is sent again; below resolve_timeout there.", "1m"),
    )
    path = "/api/v2/alerts"

    @property
    def repeat(self) -> float:
        """Alertmanager resolves what it does not hear of again."""
        return float(self._values["repeat"] / 1e9)

    def body(self, notice: Notice) -> Body:
        """Return the alert, and the end of the one it takes the place of."""
        return payload(alerts(notice))

    def deliver(self, notice: Notice) -> Reference:
        """Post the alert; return its labels."""
        super().deliver(notice)
        return {"labels": labels(notice)}

    def keep(self, notices: Sequence[Notice]) -> None:
        """Post alerts again."""
        for start in range(0, len(notices), _AT_ONCE):
            some = [alert(notice) for notice in notices[start : start + _AT_ONCE]]
            self._client.post(self._client.url(self.path), *payload(some))


def payload(posted: Iterable[Alert]) -> Body:
    """Return the body and the headers."""
    return written(list(posted)).encode(), JSON


def alerts(notice: Notice) -> list[Alert]:
    """Return the alert; before it, the end of one with other labels if that is open."""
    made = alert(notice)
    before = (notice.reference or {}).get("labels")
    if not before or before == made["labels"]:
        return [made]
    return [{"labels": before, "startsAt": made["startsAt"], "endsAt": _end(notice)}, made]


def alert(notice: Notice) -> Alert:
    """Return a notice as an alert."""
    made = {
        "labels": labels(notice),
        "annotations": _annotations(notice),
        "startsAt": notice.document["opened"],
    }
    return made | ({"endsAt": _end(notice)} if notice.ended else {})


def labels(notice: Notice) -> dict[str, str]:
    """Return what an alert is known by."""
    document = notice.document
    named = {
        "alertname": words.analytic_name(document),
        "severity": document["severity"],
        "kind": document["kind"],
        "finding": notice.id,
        "detection": (document.get("opened_by") or {}).get("name") or "",
        **words.parts_of(words.entity_of(document)),
        "test": "true" if notice.test else "",
    }
    return {name: value for name, value in named.items() if value}


def _annotations(notice: Notice) -> dict[str, str]:
    document = notice.document
    told = {
        "summary": words.headline(notice),
        "description": document["sentence"],
        "score": words.figure(document["score"]),
        "state": document["state"],
        "techniques": ", ".join(document["techniques"]),
        "entities": ", ".join(document["entities"]),
        "observed": "; ".join(map(words.observed_line, document.get("observed") or ())),
        "respond": " ".join(words.sentences(document.get("respond"))),
    }
    return {name: value for name, value in told.items() if value}


def _end(notice: Notice) -> str:
    """Return when it ended: after its beginning, or it would be refused."""
    return rfc3339(max(notice.change.time, nanoseconds(notice.document["opened"]) + 10**6))
