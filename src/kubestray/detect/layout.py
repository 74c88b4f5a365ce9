"""Which keys content files have, and what each of them holds: ours and the published ones alike."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any


def shown(value: Any) -> str:
    """Say in a few words what a value is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"a truth value ({str(value).lower()} without quotes)"
        case dict() | list():
            return "a mapping" if isinstance(value, dict) else "a list"
        case str():
            return f"{value[:40]!r}"
    return str(value)[:40]


@dataclass(frozen=True, slots=True)
class Form:
    """What a value is: its kind, and what more must be true of it.

    ``refuses`` says what is wrong with a value of the kind. A list has an ``item``, a mapping has ``keys``.
    """

    kind: str
    accepts: Callable[[Any], bool]
    refuses: Callable[[Any], str] | None = None
    item: Form | None = None
    keys: Mapping[str, Form] | None = None
    required: tuple[str, ...] = ()


def _is_text(value: Any) -> bool:
    """Return whether this is a text; numbers and dates are taken as written."""
    return isinstance(value, str | int | float | date) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def no_score(value: Any) -> str:
    """Say that this is no score; nothing if it is one."""
    right = _is_number(value) and 0 <= value <= 100
    return "" if right else f"a score is a number from 0 to 100, found {value!r}"


def _no_technique(value: Any) -> str:
    right = re.fullmatch(r"T\d{4}(\.\d{3})?", str(value))
    return "" if right else f"{value!r} is no ATT&CK technique, which is written T1059 or T1059.004"


def _no_identity(value: Any) -> str:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return f"{value!r} is no UUID"
    return ""


def _listed(item: Form) -> Form:
    return Form("a list", lambda value: isinstance(value, list), item=item)


def _table(keys: Mapping[str, Form], *required: str) -> Form:
    return Form("a mapping", lambda value: isinstance(value, dict), keys=keys, required=required)


ANY = Form("anything", lambda _: True)
TEXT = Form("a text", _is_text)
FLAG = Form("true or false", lambda value: isinstance(value, bool))
NUMBER = Form("a number", _is_number)
WHOLE = Form("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
SCORE = Form("a score", lambda _: True, no_score)
IDENTITY = Form("a UUID", _is_text, _no_identity)
TEXTS = _listed(TEXT)
TECHNIQUES = _listed(Form("a technique", _is_text, _no_technique))

_HEAD: dict[str, Form] = {
    **dict.fromkeys(("name", "date", "creation_date", "modification_date"), TEXT),
    **dict.fromkeys(("author", "description", "status"), TEXT),
    "id": IDENTITY,
    "version": WHOLE,
    "references": TEXTS,
}
_PUBLISHED_TIMES = dict.fromkeys(("cron_schedule", "earliest_time", "latest_time", "schedule_window"), TEXT)
_LOOKS = _table(dict.fromkeys(("every", "new_for"), TEXT), "every")
_SCHEDULE = _table(
    {**dict.fromkeys(("cron", "earliest", "latest"), TEXT), "looks": _LOOKS, **_PUBLISHED_TIMES}
)
_DEPLOYMENT = _table({"scheduling": _SCHEDULE, "alert_action": ANY, "rba": ANY})
_RISK = _table({"field": TEXT, "type": TEXT, "score": SCORE}, "field", "type", "score")
_THREAT = _table({"field": TEXT, "type": TEXT}, "field", "type")
_OBSERVABLE = _table({"name": TEXT, "type": TEXT, "role": ANY}, "name", "type", "role")

_ANNOTATIONS: dict[str, Form] = {
    **dict.fromkeys(("analytic_story", "product", "cve", "atomic_guid", "nist", "cis20"), TEXTS),
    **dict.fromkeys(("kill_chain_phases", "group", "supported_tas"), TEXTS),
    **dict.fromkeys(("asset_type", "security_domain", "manual_test", "usecase"), TEXT),
    "category": ANY,
    "mitre_attack_id": TECHNIQUES,
    "throttling": ANY,
}
_TAGS: dict[str, Form] = {
    **_ANNOTATIONS,
    **dict.fromkeys(("confidence", "impact", "risk_score"), SCORE),
    **dict.fromkeys(("required_fields", "dataset", "context", "detections"), TEXTS),
    **dict.fromkeys(("message", "risk_severity", "event_schema", "evidence_str"), TEXT),
    **dict.fromkeys(("drilldown_search", "research_site_url", "automated_detection_testing"), TEXT),
    **dict.fromkeys(("confidence_id", "impact_id", "mappings", "user_impact", "type"), ANY),
    "observable": _listed(_OBSERVABLE),
}
_SEARCH: dict[str, Form] = {
    **_HEAD,
    **_ANNOTATIONS,
    **dict.fromkeys(("type", "search", "how_to_implement", "known_false_positives"), TEXT),
    **dict.fromkeys(("data_source", "blind_spots", "response"), TEXTS),
    **dict.fromkeys(("datamodel", "tests", "parameters", "nes_fields", "baselines"), ANY),
    **dict.fromkeys(("enabled", "enabled_by_default", "check_references"), FLAG),
    "tags": _table(_TAGS),
    "schedule": _SCHEDULE,
    "custom_schedule": _SCHEDULE,
    "deployment": _DEPLOYMENT,
}

LAYOUT: dict[str, Form] = {
    "detection": _table(
        {
            **_SEARCH,
            "rba": _table(
                {"message": TEXT, "risk_objects": _listed(_RISK), "threat_objects": _listed(_THREAT)},
                "message",
                "risk_objects",
            ),
            "finding": _table({"title": TEXT, "entity": _RISK}, "title", "entity"),
            "threat_objects": _listed(_THREAT),
            "drilldown_searches": _listed(
                _table(
                    dict.fromkeys(("name", "search", "earliest_offset", "latest_offset"), TEXT),
                    "name",
                    "search",
                )
            ),
            **dict.fromkeys(("intermediate_findings", "alert_action", "suppress"), ANY),
        },
        "name",
        "id",
        "type",
        "search",
    ),
    "baseline": _table(_SEARCH, "name", "id", "type", "search"),
    "macro": _table({**_HEAD, "definition": TEXT, "arguments": TEXTS, "tags": ANY}, "name", "definition"),
    "lookup": _table(
        {
            **_HEAD,
            **dict.fromkeys(("collection", "filename", "fields_list", "lookup_type"), TEXT),
            **dict.fromkeys(("default_match", "match_type", "case_sensitive_match", "tags"), ANY),
            **dict.fromkeys(("min_matches", "max_matches"), NUMBER),
            "fields": TEXTS,
        },
        "name",
    ),
    "story": _table(
        {**_HEAD, **_ANNOTATIONS, "narrative": TEXT, "tags": _table(_TAGS)}, "name", "id", "narrative"
    ),
    "risk_factor": _table(
        {**_HEAD, "risk_factor": _table({"match": ANY, "multiply": NUMBER}, "match", "multiply")},
        "name",
        "risk_factor",
    ),
    "risk_scoring": _table(
        {
            **_HEAD,
            "risk_scoring": _table(
                {
                    **dict.fromkeys(("half_life", "window", "ramp", "quiet", "related"), TEXT),
                    **dict.fromkeys(("cap", "threshold"), NUMBER),
                    **dict.fromkeys(("thresholds", "shares"), ANY),
                }
            ),
        },
        "name",
        "risk_scoring",
    ),
    "deployment": _table(
        {
            **_HEAD,
            "type": TEXT,
            "scheduling": _SCHEDULE,
            **dict.fromkeys(("alert_action", "tags", "fbd"), ANY),
        },
        "name",
        "type",
        "scheduling",
    ),
}
