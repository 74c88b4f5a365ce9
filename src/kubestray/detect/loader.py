"""YAML files to content: ours and the published layout alike.

What a file is shows in its keys, not in its folder, so a single file can be given as well:

* ``definition`` a macro, ``narrative`` a story
* ``collection``, ``filename``, ``lookup_type`` or ``fields_list`` a lookup
* ``search`` with ``type: Baseline`` a baseline, any other ``search`` a detection
* ``scheduling`` without a search: the deployment of a type
* ``risk_factor`` and ``risk_scoring``: how risk adds up
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cronsim import CronSim, CronSimError

from kubestray.detect.layout import no_score, shown
from kubestray.detect.risk_content import risk_factor, risk_scoring
from kubestray.detect.yaml_file import YamlFile, read_yaml
from kubestray.model.content import (
    Baseline,
    Content,
    Deployment,
    Detection,
    Item,
    Looks,
    Lookup,
    MacroDefinition,
    Parameter,
    RiskObject,
    Schedule,
    Story,
    ThreatObject,
)
from kubestray.model.errors import ContentError, Diagnostic, Position, UsageError
from kubestray.search.nearest import nearest
from kubestray.search.times import SECOND_NS, BadTime, parse_duration, parse_time

_SYSTEM_TYPES = {"hostname", "endpoint", "ip address", "system"}
_ATTACKERS = {"attacker"}
_OF_A_LOOKUP = {"fields_list", "collection", "filename", "lookup_type"}
_RISK = ("risk_factor", "risk_scoring")
_TELLING = ("search", "definition", "narrative", "scheduling", *_RISK, *sorted(_OF_A_LOOKUP))
# What the newest published form has beside the search and not below tags.
_ANNOTATIONS = ("analytic_story", "mitre_attack_id", "security_domain")
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
    item = item_of(file)
    file.check()
    assert item is not None  # what is no content is a problem
    return item


def item_of(file: YamlFile) -> Item | None:
    """Return what a file holds; problems are noted in the file, and with None there is at least one."""
    match kind_of(file.values):
        case "detection" | "baseline":
            return _search(file)
        case "macro":
            return _macro(file)
        case "story":
            name, identity = file.text("name", required=True), file.text("id")
            return Story(name, identity, file.text("description"), file.text("narrative"), file.path)
        case "lookup":
            return _lookup(file)
        case "deployment":
            schedule = _schedule(file, "scheduling", file.values["scheduling"])
            kind = file.text("type", required=True)
            return Deployment(kind, schedule, file.path) if schedule else None
        case "risk_factor":
            return risk_factor(file)
        case "risk_scoring":
            return risk_scoring(file)
    told = "search, definition, narrative, scheduling or fields_list"
    hints = (nearest(str(key), _TELLING) for key in file.values)
    problem = Diagnostic(
        Position(1, 1, file.path),
        f"is no content: expected one of the keys {told}",
        next(filter(None, hints), ""),
    )
    file.problems.append(problem)
    return None


def kind_of(values: dict[str, Any]) -> str:
    """Return what the keys of a file tell it to be, a key of `LAYOUT`; nothing if it is no content."""
    if "search" in values:
        return "baseline" if str(values.get("type")).lower() == "baseline" else "detection"
    if values.keys() & _OF_A_LOOKUP:
        return "lookup"
    kinds = {"definition": "macro", "narrative": "story", "scheduling": "deployment"}
    kinds |= {name: name for name in _RISK}
    return next((kind for key, kind in kinds.items() if key in values), "")


def _lookup(file: YamlFile) -> Lookup:
    listed = [part.strip() for part in file.text("fields_list").split(",") if part.strip()]
    listed += [str(name) for name in _list(file, "fields", file.values.get("fields")) if name != "_key"]
    source = file.text("filename")
    if not source and file.text("lookup_type") not in ("", "kvstore"):
        source = Path(file.path).with_suffix(".csv").name
    if source and Path(source).name != source:
        file.problem("filename", f"{source!r} is no name of a file beside this one", "put the file there")
    return Lookup(file.text("name", required=True), tuple(listed), file.path, source)


def _macro(file: YamlFile) -> MacroDefinition:
    name = re.sub(r"\(\d+\)$", "", file.text("name", required=True))
    arguments = _list(file, "arguments", file.values.get("arguments"))
    where = file.where("definition")
    return MacroDefinition(name, file.text("definition"), tuple(map(str, arguments)), file.path, where)


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
        "place": file.place("search"),
        "schedule": _own_schedule(file),
        "raw": file.values,
        "where": file.where("search"),
        "parameters": _parameters(file),
    }
    if common["type"].lower() == "baseline":
        return Baseline(**common)
    above = {key: file.values[key] for key in _ANNOTATIONS if key in file.values}
    tags = {**above, **file.table("tags")}
    told = (file.table("rba").get("message"), file.table("finding").get("title"), tags.get("message"))
    return Detection(
        **common,
        message=str(next(filter(None, told), common["name"])),
        risk_objects=_risk_objects(file, tags),
        threat_objects=_threat_objects(file, tags),
        techniques=tuple(map(str, _list(file, "tags.mitre_attack_id", tags.get("mitre_attack_id")))),
        stories=tuple(map(str, _list(file, "tags.analytic_story", tags.get("analytic_story")))),
        security_domain=str(tags.get("security_domain") or ""),
        enabled=file.values.get("enabled", True) is not False,
        direct="finding" in file.values or common["type"].lower() == "ttp",
        response=tuple(map(str, _list(file, "response", file.values.get("response")))),
    )


def _parameters(file: YamlFile) -> tuple[Parameter, ...]:
    """Read ``parameters``: a mapping of names to a ``default``, and what it means."""
    found = []
    for name, told in file.table("parameters").items():
        key = f"parameters.{name}"
        if not re.fullmatch(r"[a-z]\w*", str(name)):
            file.problem(key, "a parameter is used as a macro: its name is letters, digits and _")
        elif not isinstance(told, dict) or told.get("default") is None:
            file.problem(key, "needs a default", f"write {name}: {{default: 10, description: …}}")
        else:
            description, unit = str(told.get("description") or ""), str(told.get("unit") or "")
            found.append(Parameter(str(name), str(told["default"]), description, unit))
    return tuple(found)


def _version(file: YamlFile) -> int:
    value = file.values.get("version", 1)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    file.problem("version", f"expected a whole number, found {shown(value)}")
    return 1


def _own_schedule(file: YamlFile) -> Schedule | None:
    """Read the schedule of a search: ``schedule`` in ours, two other places in published files."""
    for key in ("schedule", "custom_schedule"):
        if key in file.values:
            return _schedule(file, key, file.values[key])
    published = file.table("deployment").get("scheduling")
    return _schedule(file, "deployment.scheduling", published) if published is not None else None


def _schedule(file: YamlFile, key: str, values: Any) -> Schedule | None:
    values = {} if values is None else values
    if not isinstance(values, dict):
        file.problem(key, f"expected a mapping, found {shown(values)}")
        return None
    cron = str(values.get("cron") or values.get("cron_schedule") or "")
    earliest = str(values.get("earliest") or values.get("earliest_time") or "")
    latest = str(values.get("latest") or values.get("latest_time") or "now")
    before = len(file.problems)
    if not cron:
        file.problem(key, "cron is missing", "write cron: '0 * * * *' for every hour")
    else:
        try:
            CronSim(cron, _ANY_TIME)
        except CronSimError as error:
            file.problem(
                _one_of(key, values, "cron"), f"{cron!r} is no cron expression of five fields: {error}"
            )
    if not earliest:
        file.problem(key, "earliest is missing", "write earliest: -1h")
    for name, time in (("earliest", earliest), ("latest", latest)):
        try:
            parse_time(time or "now", 0)
        except BadTime as error:
            file.problem(_one_of(key, values, name), str(error))
    looks = _looks(file, f"{key}.looks", values["looks"]) if "looks" in values else None
    return Schedule(cron, earliest, latest, looks) if len(file.problems) == before else None


def _looks(file: YamlFile, key: str, values: Any) -> Looks | None:
    """Read how often a search is looked at between its runs."""
    if not isinstance(values, dict) or "every" not in values:
        message = f"expected a mapping with every, found {shown(values)}"
        file.problem(key, message, "write looks: {every: 10s}")
        return None
    found: dict[str, int] = {}
    for name in ("every", "new_for"):
        if name not in values:
            continue
        length = parse_duration(str(values[name])) or 0
        if length < SECOND_NS or length % SECOND_NS:
            file.problem(f"{key}.{name}", f"expected whole seconds, found {shown(values[name])}", "write 10s")
        else:
            found[name] = length // SECOND_NS
    return Looks(found["every"], found.get("new_for")) if len(found) == len(values) else None


def _one_of(key: str, values: dict[str, Any], name: str) -> str:
    """Return the key of a part of a schedule as this file has it, in our form or in the published one."""
    published = "cron_schedule" if name == "cron" else f"{name}_time"
    return f"{key}.{name if name in values else published}"


def _risk_objects(file: YamlFile, tags: dict[str, Any]) -> tuple[RiskObject, ...]:
    """Read ``rba.risk_objects``, or the older ``tags.observable``, or the newest ``finding.entity``."""
    if "rba" in file.values:
        entries = _list(file, "rba.risk_objects", file.table("rba").get("risk_objects"))
        found = (_risk_object(file, f"rba.risk_objects.{n}", entry) for n, entry in enumerate(entries))
        return tuple(entry for entry in found if entry)
    if entity := file.table("finding").get("entity"):
        one = _risk_object(file, "finding.entity", entity)
        return (one,) if one else ()
    score, place = tags.get("risk_score"), "tags.risk_score"
    if score is None and "confidence" in tags and "impact" in tags:
        confidence = _score(file, "tags.confidence", tags["confidence"])
        score, place = confidence * _score(file, "tags.impact", tags["impact"]) / 100, "tags"
    common = _score(file, place, score or 0)
    return tuple(
        RiskObject(str(entry["name"]), _risk_type(str(entry.get("type"))), common)
        for entry in _observables(file, tags)
        if not _roles(entry) & _ATTACKERS
    )


def _risk_object(file: YamlFile, key: str, entry: Any) -> RiskObject | None:
    if not isinstance(entry, dict):
        file.problem(key, f"expected a mapping, found {shown(entry)}")
        return None
    missing = [name for name in ("field", "type", "score") if entry.get(name) is None]
    for name in missing:
        file.problem(f"{key}.{name}", "is missing")
    if missing:
        return None
    score = _score(file, f"{key}.score", entry["score"])
    return RiskObject(str(entry["field"]), str(entry["type"]), score)


def _threat_objects(file: YamlFile, tags: dict[str, Any]) -> tuple[ThreatObject, ...]:
    entries = [
        *_list(file, "rba.threat_objects", file.table("rba").get("threat_objects")),
        *_list(file, "threat_objects", file.values.get("threat_objects")),
    ]
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
    if problem := no_score(value):
        file.problem(key, problem)
        return 0.0
    return float(value)


def _list(file: YamlFile, key: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        file.problem(key, f"expected a list, found {shown(value)}")
        return []
    return value
