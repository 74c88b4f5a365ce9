"""What should be true of a content file beyond what is needed to load it.

A file that breaks one of these rules loads and runs, but hardly does what its author meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from kubestray.detect.layout import LAYOUT, Form, shown
from kubestray.detect.loader import kind_of
from kubestray.detect.yaml_file import YamlFile
from kubestray.model.content import Baseline, Deployment, Detection, Item, MacroDefinition, Schedule
from kubestray.model.errors import Diagnostic
from kubestray.search.nearest import nearest
from kubestray.search.times import BadTime, parse_time

_SHELVES = {
    "detections": "detection",
    "baselines": "baseline",
    "macros": "macro",
    "lookups": "lookup",
    "stories": "story",
    "deployments": "deployment",
    "risk_factors": "risk_factor",
    "risk_scoring": "risk_scoring",
}
_TYPES = ("Anomaly", "TTP", "Hunting", "Correlation", "Baseline", "Finding-based detection")
_STATES = ("production", "experimental", "validation", "deprecated", "removed")
_RISK_TYPES = ("system", "user", "other")
_PUTTING_AT_RISK = ("anomaly", "ttp", "correlation")
_TOKEN = re.compile(r"\$(\w+)\$")
_ANY_TIME = 1_800_000_000 * 10**9


def examine(file: YamlFile, item: Item | None) -> None:
    """Note in the file what is against the rules; ``item`` is what was read from it, if it could be."""
    kind = kind_of(file.values)
    if not kind:
        return
    _compare(file, "", file.values, LAYOUT[kind], kind)
    _folder(file, kind)
    match item:
        case Detection() | Baseline():
            _known(file, "type", item.type, _TYPES)
            _known(file, "status", item.status, _STATES)
            if item.schedule:
                key = next((k for k in ("schedule", "custom_schedule") if k in file.values), "deployment")
                _window(file, key, item.schedule)
            if isinstance(item, Detection):
                _risk(file, item)
        case Deployment():
            _window(file, "scheduling", item.schedule)
        case MacroDefinition():
            _macro(file, item)


def _compare(file: YamlFile, key: str, value: Any, form: Form, kind: str) -> None:
    """Compare a value with its form, and what it holds with what it should."""
    if value is None:
        return
    if not form.accepts(value):
        file.problem(key, f"expected {form.kind}, found {shown(value)}")
        return
    if form.refuses and (message := form.refuses(value)):
        file.problem(key, message, warning=form.kind == "a UUID")
    if form.item:
        for number, item in enumerate(value):
            _compare(file, f"{key}.{number}", item, form.item, kind)
    if form.keys is None:
        return
    for name in value:
        if name in form.keys:
            _compare(file, _below(key, name), value[name], form.keys[name], kind)
        else:
            _unknown(file, key, str(name), form.keys, kind)
    for name in form.required:
        if value.get(name) in (None, ""):
            file.problem(_below(key, name), "is missing")


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _unknown(file: YamlFile, key: str, name: str, known: Any, kind: str) -> None:
    """Note an unknown key: an error where it looks like a known one, else a warning."""
    similar = nearest(name, known)
    owner = key.rstrip("0123456789.") if key else f"a {kind}"
    file.problem(_below(key, name), f"is no key of {owner}", similar, warning=not similar)


def _known(file: YamlFile, key: str, value: str, known: tuple[str, ...]) -> None:
    """Warn of a word that looks like a known one and is none; case does not matter."""
    if value.lower() not in (word.lower() for word in known) and (similar := nearest(value, known)):
        file.problem(key, f"{value!r} is not known", similar, warning=True)


def _folder(file: YamlFile, kind: str) -> None:
    """Warn of a file that lies in the folder of another kind."""
    folders = (_SHELVES[part] for part in reversed(re.split(r"[\\/]", file.path)[:-1]) if part in _SHELVES)
    wanted = next(folders, kind)
    if wanted != kind:
        shelf = next(name for name, of in _SHELVES.items() if of == kind)
        message = f"this is a {kind} in a folder for another kind ({wanted})"
        problem = Diagnostic(file.place(""), message, f"move it to {shelf}/", warning=True)
        file.problems.append(problem)


def _window(file: YamlFile, key: str, schedule: Schedule) -> None:
    try:
        empty = parse_time(schedule.earliest, _ANY_TIME) >= parse_time(schedule.latest, _ANY_TIME)
    except BadTime:
        return  # told when it was read
    if empty:
        file.problem(key, f"the window from {schedule.earliest} to {schedule.latest} holds no time")


def _risk(file: YamlFile, item: Detection) -> None:
    """Check what a detection puts at risk, in whichever of the forms it is written."""
    tags = file.values.get("tags")
    tags = tags if isinstance(tags, dict) else {}
    forms = [key for key in ("rba", "finding") if key in file.values]
    older = [key for key in ("observable", "risk_score", "message") if key in tags]
    if forms:
        for key in (*forms[1:], *(f"tags.{name}" for name in older)):
            file.problem(key, f"stands beside {forms[0]}, which counts alone", warning=True)
    elif "observable" in older:
        _older_risk(file, tags)
    if not item.risk_objects and item.type.lower() in _PUTTING_AT_RISK:
        key = forms[0] if forms else ("tags.observable" if older else "rba")
        hint = "write rba: with message and risk_objects"
        file.problem(
            key, "puts nothing at risk: what this detection finds raises no score", hint, warning=True
        )
    for key, entry in _risk_entries(file):
        _known(file, f"{key}.type", str(entry.get("type")), _RISK_TYPES)
    seen = [(risk.field, risk.type) for risk in item.risk_objects]
    for field in sorted({risk[0] for risk in seen if seen.count(risk) > 1}):
        file.problem(
            forms[0] if forms else "tags.observable", f"names the risk object {field!r} twice", warning=True
        )


def _older_risk(file: YamlFile, tags: dict[str, Any]) -> None:
    missing = [name for name in ("confidence", "impact") if name not in tags]
    if "risk_score" not in tags and missing:
        file.problem("tags.risk_score", "is missing", "or write confidence and impact")
    if not tags.get("message"):
        file.problem("tags.message", "is missing", "the name of the detection stands in for it", warning=True)


def _risk_entries(file: YamlFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the entries of ``rba.risk_objects`` with their keys."""
    rba = file.values.get("rba")
    entries = rba.get("risk_objects") if isinstance(rba, dict) else None
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict):
            yield f"rba.risk_objects.{number}", entry


def _macro(file: YamlFile, item: MacroDefinition) -> None:
    """Check that the arguments of a macro are those that its name and its definition speak of."""
    counted = re.search(r"\((\d+)\)$", file.text("name"))
    if counted and int(counted[1]) != len(item.arguments):
        file.problem("name", f"says {counted[1]} arguments, but arguments lists {len(item.arguments)}")
    if len(set(item.arguments)) < len(item.arguments):
        file.problem("arguments", "lists a name twice")
    place: Callable[[int], Any] = file.where("definition")
    for token in _TOKEN.finditer(item.definition) if item.arguments else ():
        if token[1] not in item.arguments:
            message = f"definition: {token[0]} is none of the arguments"
            hint = nearest(token[1], item.arguments) or f"arguments lists {', '.join(item.arguments)}"
            file.problems.append(Diagnostic(place(token.start()), message, hint, warning=True))
