"""Documents in the Elastic Common Schema (9) to Elasticsearch: into an index or data stream.

The key of the change is the document's ``_id``: one that is sent again is not doubled (409 counts as taken).
"""

from __future__ import annotations

from typing import Any

from kubestray import __version__
from kubestray.model.finding import rfc3339, written
from kubestray.notify import words
from kubestray.notify.http import HTTP_KEYS, header_of
from kubestray.notify.http_output import JSON, Body, HttpOutput
from kubestray.notify.notice import Notice
from kubestray.notify.output import Key

_VERSION = "9.0.0"
_CONFLICT = 409
_SEVERITIES = (1, 21, 47, 73, 99)
"""As Elastic Security counts: low 21, medium 47, high 73, critical 99."""


class Ecs(HttpOutput):
    """Creates a document a change."""

    keys = (
        *HTTP_KEYS,
        Key(
            "api_key",
            "secret",
            "An API key (encoded), as `api_key_env` or `api_key_file`, instead of a token.",
        ),
        Key("index", "text", "The index or data stream.", "logs-kubestray.findings-default"),
    )
    announces = False

    def body(self, notice: Notice) -> Body:
        """Return the document."""
        key = self._values.get("api_key")
        return written(document_of(notice)).encode(), {**JSON, **(header_of("ApiKey", key) if key else {})}

    def deliver(self, notice: Notice) -> None:
        """Create the document; one that is there already is the same."""
        path = f"/{self._values['index']}/_create/{notice.uid}"
        self._client.post(self._client.url(path), *self.body(notice), also=(_CONFLICT,))


def document_of(notice: Notice) -> dict[str, Any]:
    """Return a notice in the schema's words; what it has no word for is below ``kubestray``."""
    document = notice.document
    parts = words.parts_of(words.entity_of(document))
    made: dict[str, Any] = {
        "@timestamp": rfc3339(notice.change.time),
        "ecs": {"version": _VERSION},
        "message": document["sentence"],
        "tags": ["test"] if notice.test else [],
        "event": {
            "kind": "alert",
            "category": ["network"] if "destination" in parts else ["process"],
            "type": ["end"] if notice.ended else ["start"] if notice.first else ["change"],
            "id": notice.uid,
            "module": "kubestray",
            "dataset": "kubestray.findings",
            "severity": _SEVERITIES[words.level(document)],
            "risk_score": document["score"],
            "start": document["first_seen"],
            "end": document["last_seen"],
        },
        "observer": {"vendor": "kubestray", "product": "kubestray", "version": __version__},
        "rule": {"name": words.analytic_name(document), "id": (document.get("opened_by") or {}).get("id")},
        "threat": {
            "framework": "MITRE ATT&CK",
            "tactic": {key: [one[key] for one in document["tactics"]] for key in ("id", "name")},
            "technique": {"id": document["techniques"]},
        },
        "kubestray": {
            name: document[name]
            for name in (
                "kind",
                "id",
                "title",
                "state",
                "owner",
                "severity",
                "entity",
                "entities",
                "observed",
            )
            if document.get(name)
        },
    }
    return made | _place(parts)


def _place(parts: dict[str, str]) -> dict[str, Any]:
    orchestrator = {"type": "kubernetes", "cluster": {"name": parts.get("cluster")}}
    found: dict[str, Any] = {"orchestrator": {**orchestrator, "namespace": parts.get("namespace")}}
    if "process" in parts:
        found["process"] = {"name": parts["process"].rpartition("/")[2], "executable": parts["process"]}
    if "node" in parts:
        found["host"] = {"name": parts["node"]}
    if "image" in parts:
        found["container"] = {"image": {"name": parts["image"]}}
    return found
