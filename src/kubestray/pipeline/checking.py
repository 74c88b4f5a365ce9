"""Checks content as a whole: every file, every search, and what they say of each other."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubestray.config import Config
from kubestray.detect.loader import content_files, item_of, kind_of
from kubestray.detect.rules import examine
from kubestray.detect.runner import macros_of
from kubestray.detect.yaml_file import YamlFile, read_yaml
from kubestray.model.content import (
    Baseline,
    Content,
    Deployment,
    Detection,
    Item,
    Lookup,
    MacroDefinition,
    item_name,
)
from kubestray.model.errors import ContentError, Diagnostic, Position, SearchError, UsageError
from kubestray.pipeline.setting_up import built_in, content_of
from kubestray.risk.events import fill
from kubestray.search.check import Checked, Known, check_search
from kubestray.search.events import RISK
from kubestray.search.nearest import nearest
from kubestray.search.source import KnownMacros, expand

_WRITING = ("outputlookup", "collect")
_MESSAGES = ("rba.message", "finding.title", "tags.message")
_OBJECTS = ("rba.risk_objects", "rba.threat_objects", "threat_objects", "tags.observable")


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found, in the order of the files, and how many files there were."""

    problems: list[Diagnostic]
    files: int

    @property
    def errors(self) -> int:
        """How many of the problems are errors; the others are warnings."""
        return sum(not problem.warning for problem in self.problems)


@dataclass(slots=True)
class _File:
    """A file of one of the folders, and what was read from it (None: it could not be)."""

    root: Path
    yaml: YamlFile
    item: Item | None
    checked: Checked = field(default_factory=Checked)


def check_content(config: Config, paths: Sequence[Path]) -> Report:
    """Check folders and files of content (by default the built-in one); no store is opened."""
    problems: list[Diagnostic] = []
    files: list[_File] = []
    names = [(root, path) for root in paths or [built_in()] for path in _files(root)]
    for root, path in names:
        try:
            yaml = read_yaml(path)
        except ContentError as error:
            problems += error.diagnostics
            continue
        item = item_of(yaml)
        examine(yaml, item)
        files.append(_File(root, yaml, item))
    content = content_of(config)
    for file in files:
        if file.item:
            content.add(file.item)
    _check_searches(files, content, config)
    for file in files:
        problems += [*file.yaml.problems, *file.checked.problems, *_references(file, content)]
    problems += [*_duplicates(files), *_macro_problems(files, content), *_unwritten(files, content)]
    return Report(_merged(problems), len(names))


def _files(root: Path) -> list[Path]:
    found = content_files(root)
    if not found:
        raise UsageError(f"{root} holds no content: no file in it ends in .yml or .yaml")
    return found


def _check_searches(files: Iterable[_File], content: Content, config: Config) -> None:
    """Check all searches, those that write lookups first: what they write is what others can read."""
    macros = macros_of(content)
    known = Known(macros, metric_indexes=(config["metric_index"],), everything=True)
    texts = {(s.path, s.name): s for s in (*content.baselines.values(), *content.detections.values())}
    texts |= {(f.item.path, f.item.name): f.item for f in files if isinstance(f.item, Baseline | Detection)}
    lookups = {lookup.name: list(lookup.fields) for lookup in content.lookups.values()}
    indexes = {RISK}
    for search in texts.values():
        if isinstance(search, Baseline) or any(word in search.search for word in _WRITING):
            found = check_search(search.search, known, dollars=True)
            indexes |= found.collected
            for name, fields in found.written.items():
                lookups.setdefault(name, []).extend(fields)
    known = Known(macros, lookups, tuple(sorted(indexes)), known.metric_indexes)
    for file in files:
        if isinstance(file.item, Baseline | Detection) and file.item.search:
            file.checked = check_search(file.item.search, known, file.item.where, dollars=True)


def _references(file: _File, content: Content) -> Iterator[Diagnostic]:
    """Yield what a file says of other content, or of its own search, that is not so."""
    item = file.item
    if isinstance(item, Lookup):
        yield from _other_matches(file)
    if not isinstance(item, Baseline | Detection):
        return
    misspelt = any(problem.message.startswith("type: ") for problem in file.yaml.problems)
    if content.schedule_of(item) is None and not misspelt:
        hint = "write schedule:, or a deployment for the type"
        yield _warning(file, "type", f"nothing says when a search of type {item.type} runs", hint)
    for key in ("tags.analytic_story", "analytic_story"):
        yield from _unknown_names(file, key, content.stories, "story")
    yield from _unknown_names(file, "tags.detections", content.detections, "detection")
    yield from _unknown_names(file, "baselines", content.baselines, "baseline")
    if isinstance(item, Detection):
        yield from _missing_fields(file)
    elif not file.checked.written and not any(not p.warning for p in file.checked.problems):
        hint = "end it with | outputlookup NAME"
        yield _warning(file, "search", "a baseline that writes no lookup keeps nothing", hint)


def _other_matches(file: _File) -> Iterator[Diagnostic]:
    """Yield what a lookup says of how its values match, where they match as they are all the same."""
    hint = "use it as a search: | search NOT [| inputlookup NAME | fields FIELD]"
    if file.yaml.values.get("match_type"):
        yield _warning(
            file, "match_type", "wildcards and networks are not looked for, but equal values", hint
        )
    if str(file.yaml.values.get("case_sensitive_match", True)).lower() in ("false", "0", "no"):
        lower = "compare lower(FIELD) with values in small letters"
        yield _warning(file, "case_sensitive_match", "values match with their case all the same", lower)


def _unknown_names(file: _File, key: str, known: Iterable[str], kind: str) -> Iterator[Diagnostic]:
    names = _at(file.yaml.values, key)
    for number, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str) and name not in known:
            yield _warning(file, f"{key}.{number}", f"there is no {kind} {name!r}", nearest(name, known))


def _missing_fields(file: _File) -> Iterator[Diagnostic]:
    """Yield the fields that a message or a risk object names and the search does not produce."""
    checked, values = file.checked, file.yaml.values
    if not checked.fields:
        return
    for key in _MESSAGES:
        message = _at(values, key)
        place = file.yaml.where(key)
        for name in _tokens(message) if isinstance(message, str) else ():
            if not checked.produces(name):
                text, hint = _no_such_field(name, checked)
                yield Diagnostic(place(str(message).index(f"${name}$")), f"{key}: {text}", hint, warning=True)
    entries = [("finding.entity", _at(values, "finding.entity"))]
    for key in _OBJECTS:
        found = _at(values, key)
        entries += [(f"{key}.{n}", entry) for n, entry in enumerate(found if isinstance(found, list) else [])]
    for key, entry in entries:
        field_key = "name" if key.startswith("tags.") else "field"
        named = entry.get(field_key) if isinstance(entry, dict) else None
        if isinstance(named, str) and not checked.produces(named):
            yield _warning(file, f"{key}.{field_key}", *_no_such_field(named, checked))


def _no_such_field(name: str, checked: Checked) -> tuple[str, str]:
    known = [known for known in checked.fields if "*" not in known]
    hint = nearest(name, known) or f"the search gives {', '.join(checked.fields[:8])}"
    return f"the search gives no field {name!r}", hint


class _Asked(dict[str, Any]):
    """A row that remembers which fields it was asked for."""

    def get(self, key: str, default: Any = None) -> Any:
        """Remember the field."""
        self[key] = ""
        return default


def _tokens(message: str) -> list[str]:
    """Return the fields that a message names."""
    asked = _Asked()
    fill(message, asked)
    return list(asked)


def _duplicates(files: Sequence[_File]) -> Iterator[Diagnostic]:
    """Yield names and ids that more than one file has."""
    named: dict[tuple[Any, ...], _File] = {}
    identified: dict[str, _File] = {}
    for file in files:
        if file.item is None:
            continue
        kind, key = kind_of(file.yaml.values), "type" if isinstance(file.item, Deployment) else "name"
        more = len(file.item.arguments) if isinstance(file.item, MacroDefinition) else 0
        before = named.setdefault((kind, item_name(file.item).lower(), more), file)
        identity = str(file.yaml.values.get("id") or "").lower()
        same_id = identified.setdefault(identity, file) if identity else file
        if before is not file:
            named[kind, item_name(file.item).lower(), more] = file
            yield from _same_name(file, before, key, identity)
        elif same_id is not file:
            message = f"id: is also the id of {same_id.yaml.place('id')}"
            yield Diagnostic(file.yaml.place("id"), message, "make one of its own with uuidgen")


def _same_name(file: _File, before: _File, key: str, identity: str) -> Iterator[Diagnostic]:
    """Yield the problem of two files of one name: none if the later one is a newer version of the same."""
    place, earlier = file.yaml.place(key), before.yaml.place(key)
    if file.root != before.root:
        yield Diagnostic(place, f"{key}: replaces what {earlier} defines", warning=True)
        return
    old, new = before.yaml.values.get("version"), file.yaml.values.get("version")
    same = identity and identity == str(before.yaml.values.get("id") or "").lower()
    if same and isinstance(old, int) and isinstance(new, int) and old != new:
        if old > new:
            message = f"version {new} replaces version {old} of {earlier}"
            yield Diagnostic(place, f"{key}: {message}", "of two files the later one counts", warning=True)
        return
    yield Diagnostic(place, f"{key}: is also the {key} of {earlier}", "only the later one of them counts")


def _macro_problems(files: Sequence[_File], content: Content) -> Iterator[Diagnostic]:
    """Yield what is wrong in the definitions of macros, used or not."""
    macros: KnownMacros = macros_of(content)
    paths = {file.yaml.path for file in files}
    for file in files:
        if isinstance(file.item, MacroDefinition):
            errors: list[SearchError] = []
            values = ", ".join("x" for _ in file.item.arguments)
            expand(f"`{file.item.name}({values})`", macros, problems=errors)
            for error in errors:
                if error.position and error.position.path in paths:
                    place = dataclasses.replace(error.position, used_at=None)
                    yield Diagnostic(place, error.message, error.hint)


def _unwritten(files: Iterable[_File], content: Content) -> Iterator[Diagnostic]:
    """Yield lookups that are read, and that no search writes and no file fills."""
    written = {name for file in files for name in file.checked.written}
    words = {word for search in content.baselines.values() for word in re.findall(r"[\w.-]+", search.search)}
    for file in files:
        for name, place in file.checked.read.items():
            lookup = content.lookups.get(name)
            if lookup and not lookup.file and name not in written and name not in words:
                message = f"nothing writes the lookup {name!r}: no row will match"
                yield Diagnostic(place, message, "a baseline that ends with outputlookup does", warning=True)


def _warning(file: _File, key: str, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(file.yaml.place(key), f"{key}: {message}", hint, warning=True)


def _at(values: Any, key: str) -> Any:
    """Return what a dotted key stands for; None where there is nothing."""
    for name in key.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _merged(problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return problems in the order of the files, each once: in a macro, with one of the places of its use."""
    uses: dict[Diagnostic, list[Position]] = {}
    for problem in problems:
        place = dataclasses.replace(problem.position, used_at=None)
        message = " ".join(problem.message.split())
        key = dataclasses.replace(problem, position=place, message=message)
        used = uses.setdefault(key, [])
        if problem.position.used_at and problem.position not in used:
            used.append(problem.position)
    merged: list[Diagnostic] = []
    for problem, used in uses.items():
        more = {0: "", 1: "", 2: " and once more"}.get(len(used), f" and {len(used) - 1} times more")
        told = problem.message + (used[0].uses() if used else "") + more
        merged.append(dataclasses.replace(problem, message=told))
    return sorted(merged, key=_order)


def _order(problem: Diagnostic) -> tuple[Any, ...]:
    place = problem.position
    return place.path or "", place.line, place.column, problem.warning, problem.message
