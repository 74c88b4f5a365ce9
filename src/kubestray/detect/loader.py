"""YAML files to content: ours and the published layout alike.

What a file is shows in its keys, not in its folder, so a single file can be given as well:

* ``definition`` a macro, ``narrative`` a story, ``collection``/``filename``/``fields_list`` a lookup
* ``search`` with ``type: Baseline`` a baseline, any other ``search`` a detection
* ``scheduling`` without a search: the deployment of a type
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cronsim import CronSim, CronSimError

from kubestray.detect.yaml_file import YamlFile, read_yaml
from kubestray.model.content import (
    Baseline,
    Content,
    Deployment,
    Detection,
    Item,
    Lookup,
    MacroDefinition,
    RiskObject,
    Schedule,
    Story,
    ThreatObject,
)
from kubestray.model.errors import ContentError, Diagnostic, Position, UsageError
from kubestray.search.times import BadTime, parse_time

_SYSTEM_TYPES = {"hostname", "endpoint", "ip address", "system"}
_ATTACKERS = {"attacker"}
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def load_content(folders: Iterable[Path]) -> Content:
    """Read folders in order; later ones beat earlier ones. Raise `ContentError` with all problems at once."""
    content = Content()
    problems: list[Diagnostic] = []
    for folder in folders:
        for path in content_files(folder):
            try:
                content.add(load_item(path))
            except ContentError as error:
                problems += error.diagnostics
    if problems:
        raise ContentError(problems)
    return content


def content_files(path: Path) -> list[Path]:
    """Return the YAML files of a folder and those below it, or the one file that was given."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(f"there is no content folder or file {path}")
    return sorted(file for file in path.rglob("*") if file.suffix in (".yml", ".yaml") and file.is_file())


def load_item(path: Path) -> Item:
    """Read one file; raise `ContentError` with all its problems."""
    file = read_yaml(path)
    item = _read(file)
    file.check()
    if item is None:
        keys = "search, definition, narrative, scheduling or fields_list"
        raise ContentError(
            [Diagnostic(Position(1, 1, file.path), f"is no content: expected one of the keys {keys}")]
        )
    return item


def _read(file: YamlFile) -> Item | None:
    keys = file.values.keys()
    if "search" in keys:
        return _search(file)
    if "definition" in keys:
        return _macro(file)
    if "narrative" in keys:
        name, identity = file.text("name", required=True), file.text("id")
        return Story(name, identity, file.text("description"), file.text("narrative"), file.path)
    if "fields_list" in keys or "collection" in keys or "filename" in keys:
        fields = [part.strip() for part in file.text("fields_list").split(",") if part.strip()]
        return Lookup(file.text("name", required=True), tuple(fields), file.path)
    if "scheduling" in keys:
        schedule = _schedule(file, "scheduling", file.table("scheduling"))
        return Deployment(file.text("type", required=True), schedule, file.path) if schedule else None
    return None


def _macro(file: YamlFile) -> MacroDefinition:
    name = re.sub(r"\(\d+\)$", "", file.text("name", required=True))
    arguments = file.values.get("arguments") or []
    if not isinstance(arguments, list):
        file.problem("arguments", "expected a list of names")
        arguments = []
    return MacroDefinition(name, file.text("definition"), tuple(map(str, arguments)), file.path)


def _search(file: YamlFile) -> Detection | Baseline:
    common: dict[str, Any] = {
        "name": file.text("name", required=True),
        "id": file.text("id", required=True),
        "version": _version(file),
        "type": file.text("type", required=True),
        "status": file.text("status") or "production",
        "description": file.text("description"),
        "search": file.text("search", required=True),
        "path": file.path,
        "place": file.places.get("search", Position(1, 1, file.path)),
        "schedule": _own_schedule(file),
        "raw": file.values,
    }
    if common["type"].lower() == "baseline":
        return Baseline(**common)
    tags = file.table("tags")
    return Detection(
        **common,
        message=str(file.table("rba").get("message") or tags.get("message") or common["name"]),
        risk_objects=_risk_objects(file, tags),
        threat_objects=_threat_objects(file, tags),
        techniques=tuple(map(str, _list(file, "tags.mitre_attack_id", tags.get("mitre_attack_id")))),
        stories=tuple(map(str, _list(file, "tags.analytic_story", tags.get("analytic_story")))),
        security_domain=str(tags.get("security_domain") or ""),
        enabled=file.values.get("enabled", True) is not False,
    )


def _version(file: YamlFile) -> int:
    value = file.values.get("version", 1)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    file.problem("version", "expected a whole number")
    return 1


def _own_schedule(file: YamlFile) -> Schedule | None:
    """Read the schedule of a search: ``schedule`` in ours, ``deployment.scheduling`` in published files."""
    if "schedule" in file.values:
        return _schedule(file, "schedule", file.table("schedule"))
    published = file.table("deployment").get("scheduling")
    return _schedule(file, "deployment", published) if isinstance(published, dict) else None


def _schedule(file: YamlFile, key: str, values: dict[str, Any]) -> Schedule | None:
    cron = str(values.get("cron") or values.get("cron_schedule") or "")
    earliest = str(values.get("earliest") or values.get("earliest_time") or "")
    latest = str(values.get("latest") or values.get("latest_time") or "now")
    try:
        CronSim(cron, _ANY_TIME)
    except CronSimError:
        file.problem(key, f"{cron!r} is no cron expression of five fields")
        return None
    if not earliest:
        file.problem(key, "earliest is missing")
        return None
    for name, time in (("earliest", earliest), ("latest", latest)):
        try:
            parse_time(time, 0)
        except BadTime as error:
            file.problem(key, f"{name}: {error}")
            return None
    return Schedule(cron, earliest, latest)


def _risk_objects(file: YamlFile, tags: dict[str, Any]) -> tuple[RiskObject, ...]:
    """Read ``rba.risk_objects``, or the older ``tags.observable`` with one score for all."""
    if "rba" in file.values:
        found = []
        for entry in _list(file, "rba.risk_objects", file.table("rba").get("risk_objects")):
            if not isinstance(entry, dict) or not {"field", "type", "score"} <= entry.keys():
                file.problem("rba.risk_objects", "each entry needs field, type and score")
                continue
            found.append(
                RiskObject(str(entry["field"]), str(entry["type"]), _score(file, "rba", entry["score"]))
            )
        return tuple(found)
    score = tags.get("risk_score")
    if score is None and "confidence" in tags and "impact" in tags:
        score = _score(file, "tags", tags["confidence"]) * _score(file, "tags", tags["impact"]) / 100
    return tuple(
        RiskObject(str(entry["name"]), _risk_type(str(entry.get("type"))), _score(file, "tags", score or 0))
        for entry in _observables(file, tags)
        if not _roles(entry) & _ATTACKERS
    )


def _threat_objects(file: YamlFile, tags: dict[str, Any]) -> tuple[ThreatObject, ...]:
    entries = _list(file, "rba.threat_objects", file.table("rba").get("threat_objects"))
    found = [
        ThreatObject(str(e["field"]), str(e.get("type", "other")))
        for e in entries
        if isinstance(e, dict) and "field" in e
    ]
    older = [e for e in _observables(file, tags) if _roles(e) & _ATTACKERS]
    return (*found, *(ThreatObject(str(e["name"]), str(e.get("type", "other")).lower()) for e in older))


def _observables(file: YamlFile, tags: dict[str, Any]) -> list[dict[str, Any]]:
    entries = _list(file, "tags.observable", tags.get("observable"))
    return [entry for entry in entries if isinstance(entry, dict) and "name" in entry]


def _roles(entry: dict[str, Any]) -> set[str]:
    role = entry.get("role") or []
    return {str(name).lower() for name in (role if isinstance(role, list) else [role])}


def _risk_type(published: str) -> str:
    lower = published.lower()
    if lower in _SYSTEM_TYPES:
        return "system"
    return "user" if lower in ("user", "username", "email address") else "other"


def _score(file: YamlFile, key: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:
        return float(value)
    file.problem(key, f"a score is a number from 0 to 100, found {value!r}")
    return 0.0


def _list(file: YamlFile, key: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        file.problem(key, "expected a list")
        return []
    return value
