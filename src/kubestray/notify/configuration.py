"""Reads ``[[output]]`` and ``[[route]]`` of the configuration; unknown keys are errors with a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubestray.model.entity import KINDS
from kubestray.model.errors import UsageError
from kubestray.model.finding import SEVERITIES
from kubestray.notify.http import checked_url
from kubestray.notify.output import Key, Output
from kubestray.notify.outputs import OUTPUTS, output_class
from kubestray.notify.route import NAME, Route
from kubestray.notify.secret import Secret, from_environment, from_file

Table = Mapping[str, Any]

Readers = Mapping[str, Callable[[str], Any]]
"""How the settings read ``duration`` (ns), ``size`` (bytes) and ``count``; each raises `ValueError`."""

ROUTE_KEYS = {
    "outputs": "The names of the outputs that it leads to.",
    "min_severity": "The least severity: informational, low, medium, high or critical.",
    "kinds": 'What goes: `["incident", "finding"]` is everything. Without it: incidents, and findings whose '
    "incident is not told there, because no route leads it there.",
    "entity_kinds": f"Kinds of entities, of which one must be touched: {', '.join(KINDS)}.",
    "clusters": "Names of clusters, `*` and `?` allowed, of which one must be touched.",
    "namespaces": "Names of namespaces, `*` and `?` allowed, of which one must be touched.",
    "detections": "Names of detections and rules, `*` and `?` allowed, of which one must have spoken.",
    "wait": "How long to wait for more changes before the latest is sent, for example `30s`.",
}
"""The keys of a route, and what they do. All that are given must be met."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What a configuration says about where findings go."""

    outputs: tuple[Output, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    """How values are read, and whether secrets are looked at now."""

    environment: Mapping[str, str]
    readers: Readers
    look: bool


def read(
    tables: Mapping[str, Any],
    origin: str,
    environment: Mapping[str, str],
    readers: Readers,
    *,
    look: bool = True,
) -> Configured:
    """Read the tables ``output`` and ``route``; raise `UsageError` that says where something is wrong.

    ``origin`` names the file. With ``look`` secrets are looked at, so that one that is missing is told now.
    """
    reading = _Reading(environment, readers, look)
    outputs: list[Output] = []
    for number, table in enumerate(_tables(tables, "output", origin), 1):
        outputs.append(_output(table, f"{origin}: output {number}", reading))
    names = [output.name for output in outputs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{origin}: two outputs have the name {name!r}; give each a name of its own")
    routes = [
        _route(table, f"{origin}: route {number}", names, readers)
        for number, table in enumerate(_tables(tables, "route", origin), 1)
    ]
    return Configured(tuple(outputs), tuple(routes))


def _tables(tables: Mapping[str, Any], name: str, origin: str) -> Sequence[Table]:
    found = tables.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UsageError(f"{origin}: {name} is a list of tables; begin each with [[{name}]]")
    return found


def _output(table: Table, origin: str, reading: _Reading) -> Output:
    name = table.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UsageError(
            f"{origin}: name: expected letters, digits, '-', '_' and '.', for example \"oncall\""
        )
    origin = f"{origin} ({name})"
    kind = table.get("type")
    if kind not in OUTPUTS:
        known = f"known are {', '.join(OUTPUTS)}"
        raise UsageError(
            f"{origin}: type: there is no output {kind!r}{_meant(str(kind), OUTPUTS) or '; ' + known}"
        )
    made = output_class(kind)
    _check_keys(table, origin, ["name", "type", *(word for key in made.keys for word in _words(key))])
    values = {key.name: _value(key, table, origin, reading) for key in made.keys}
    try:
        return made(name, values)
    except ValueError as error:
        raise UsageError(f"{origin}: {error}") from error


def _words(key: Key) -> list[str]:
    secret = [f"{key.name}_env", f"{key.name}_file"]
    return {"url": [key.name, *secret], "secret": secret}.get(key.kind, [key.name])


def _value(key: Key, table: Table, origin: str, reading: _Reading) -> Any:
    given = [word for word in _words(key) if word in table]
    if len(given) > 1:
        raise UsageError(f"{origin}: {' and '.join(given)} say the same thing; keep one")
    if not given:
        if key.default is None:
            raise UsageError(f"{origin}: {' or '.join(_words(key))} is missing. {key.help}")
        if key.kind in ("url", "secret"):
            return None
        return _read(key, key.default, origin, reading.readers)
    word = given[0]
    text = table[word]
    if isinstance(text, bool) or not isinstance(text, str | int):
        expected = "true or false" if key.kind == "switch" else "a text"
        if not (key.kind == "switch" and isinstance(text, bool)):
            raise UsageError(f"{origin}: {word}: expected {expected}")
        text = str(text).lower()
    if key.kind in ("url", "secret"):
        return _secret(key, word, str(text), origin, reading)
    return _read(key, str(text), f"{origin}: {word}", reading.readers)


def _secret(key: Key, word: str, text: str, origin: str, reading: _Reading) -> Secret:
    if word.endswith("_env"):
        secret = from_environment(text, reading.environment)
    elif word.endswith("_file"):
        secret = from_file(Path(text).expanduser())
    else:
        secret = Secret("configuration", lambda: text)
    if key.kind == "url":
        plain = secret
        secret = Secret(plain.origin, lambda: checked_url(plain.reveal()))
    if reading.look or word == key.name:
        try:
            secret.reveal()
        except ValueError as error:
            raise UsageError(f"{origin}: {word}: {error}") from error
    return secret


def _read(key: Key, text: str, origin: str, readers: Readers) -> Any:
    try:
        if key.kind == "switch":
            return _switch(text)
        if key.kind in readers:
            return readers[key.kind](text)
    except ValueError as error:
        raise UsageError(f"{origin}: {text!r} {error}") from error
    return Path(text).expanduser() if key.kind == "path" and text else text


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _route(table: Table, origin: str, outputs: Sequence[str], readers: Readers) -> Route:
    _check_keys(table, origin, ROUTE_KEYS)
    lists = {name: _names(table, name, origin) for name in ROUTE_KEYS if name not in ("min_severity", "wait")}
    if not lists["outputs"]:
        raise UsageError(f"{origin}: outputs is missing: the names of the outputs that it leads to")
    _check_names(lists["outputs"], outputs, f"{origin}: outputs")
    _check_names(lists["kinds"], ("incident", "finding"), f"{origin}: kinds")
    _check_names(lists["entity_kinds"], KINDS, f"{origin}: entity_kinds")
    severity = table.get("min_severity", SEVERITIES[0])
    _check_names([severity], SEVERITIES, f"{origin}: min_severity")
    wait = 0
    if "wait" in table:
        try:
            wait = readers["duration"](str(table["wait"]))
        except ValueError as error:
            raise UsageError(f"{origin}: wait: {table['wait']!r} {error}") from error
    kinds = lists.pop("kinds") or None
    return Route(**lists, kinds=kinds, min_severity=severity, wait=wait)


def _names(table: Table, name: str, origin: str) -> tuple[str, ...]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise UsageError(f'{origin}: {name}: expected a list of texts, for example ["a", "b"]')
    return tuple(found)


def _check_names(given: Iterable[Any], known: Sequence[str], origin: str) -> None:
    for name in given:
        if name not in known:
            told = _meant(str(name), known) or f"; known are {', '.join(known) or 'none'}"
            raise UsageError(f"{origin}: there is no {name!r}{told}")


def _check_keys(table: Table, origin: str, known: Iterable[str]) -> None:
    known = list(known)
    for key in table:
        if key in known:
            continue
        if f"{key}_env" in known:
            raise UsageError(f"{origin}: {key} is a secret; give {key}_env or {key}_file instead")
        raise UsageError(
            f"{origin}: unknown key {key!r}{_meant(key, known) or '; known are ' + ', '.join(known)}"
        )


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
