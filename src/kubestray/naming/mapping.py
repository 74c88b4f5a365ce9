"""The mapping of names, read from YAML: `mapping.yml` beside this module says how it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from kubestray.model.errors import UsageError
from kubestray.model.metric import Kind
from kubestray.model.workload import POD_FORMS, REPLICA_SET_FORMS

_OWN = Path(__file__).parent / "mapping.yml"

_QUICKEST: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""What reads YAML: in C it takes a quarter of the time, in each process; not every PyYAML has it."""

_OWNERS = {"pod": POD_FORMS, "replica_set": REPLICA_SET_FORMS}

_KEYS = {
    "attributes": {"name", "from", "match", "replace", "owner_of", "lookup", "metrics"},
    "metrics": {
        *("name", "from", "renamed", "kind", "where", "not_where", "attributes", "extract", "lookup", "set"),
        "dotted",
    },
    "only": {"metrics", "attribute", "values"},
    "lookup": {"by", "metrics", "key", "take", "match", "owner_of", "within", "not_where"},
    "extract": {"from", "match", "replace", "owner_of"},
}


Conditions = tuple[tuple[str, tuple[str, ...]], ...]
"""Attributes, each with values."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is made of a value: the first group of the first pattern that fits, with texts replaced.

    Without patterns it is the value as it is. ``owner`` are forms of generated names: what fits one of them
    is its owner's name, what fits none is left whole.
    """

    patterns: tuple[str, ...] = ()
    replace: tuple[tuple[str, str], ...] = ()
    owner: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """The value of ``take`` on a series of these metrics (patterns) that has the same ``by``, there ``key``.

    ``by`` and ``key`` are attributes whose values are joined by ``/``. ``within`` are attributes of which the
    first that is there tells where the key holds, as addresses do in a cluster; without it everywhere.
    """

    by: tuple[str, ...]
    key: tuple[str, ...]
    metrics: tuple[str, ...]
    take: str
    reading: Reading = Reading()
    within: tuple[str, ...] = ()
    not_where: Conditions = ()


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """An attribute that series get which lack it."""

    name: str
    sources: tuple[str, ...]
    metrics: tuple[str, ...]
    reading: Reading = Reading()
    lookup: Lookup | None = None


@dataclass(frozen=True, slots=True)
class MetricRule:
    """Series of a ``received`` metric that are series of ``name`` too."""

    name: str
    received: str
    kind: Kind | None = None
    renamed: bool = False
    where: Conditions = ()
    not_where: Conditions = ()
    attributes: tuple[tuple[str, tuple[str, ...], Reading], ...] = ()
    """Name, the attributes it is taken from, and what is made of their value."""
    lookups: tuple[tuple[str, Lookup], ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    dotted: bool = False


@dataclass(frozen=True, slots=True)
class OnlyRule:
    """Of these metrics (patterns) only series whose attribute has one of the values, or lacks it, count."""

    metrics: tuple[str, ...]
    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameMapping:
    """All rules, the user's first. See `mapping.yml` for what they mean."""

    attributes: tuple[AttributeRule, ...] = ()
    metrics: tuple[MetricRule, ...] = ()
    only: tuple[OnlyRule, ...] = ()
    counters: dict[str, Kind] = field(default_factory=dict)
    dotted: tuple[str, ...] = ()


NOTHING = NameMapping()


@cache
def read_mapping(more: tuple[Path, ...] = ()) -> NameMapping:
    """Read the user's files, then what ships with the product; raise `UsageError` for a bad file."""
    files = [_File(path) for path in (*more, _OWN)]
    counters: dict[str, Kind] = {}
    for file in reversed(files):
        counters |= file.counters()
    return NameMapping(
        tuple(rule for file in files for rule in file.attribute_rules()),
        tuple(rule for file in files for rule in file.metric_rules()),
        tuple(rule for file in files for rule in file.only_rules()),
        counters,
        tuple(dict.fromkeys(name for file in files for name in file.words("dotted_names"))),
    )


class _File:
    """One file; every complaint says where."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            found = yaml.load(path.read_text(encoding="utf-8"), _QUICKEST)  # noqa: S506 (a safe one)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        known = {"attributes", "metrics", "only", "counters", "dotted_names"}
        if not isinstance(found, dict) or set(found) - known:
            raise self._bad(f"expected the keys {', '.join(sorted(known))}{_but(found, known)}")
        self._found: dict[str, Any] = found

    def attribute_rules(self) -> Iterable[AttributeRule]:
        for at, entry in self._entries("attributes"):
            lookup = entry.get("lookup")
            if not (entry.get("from") or lookup):
                raise self._bad(f"{at}: it needs from or lookup, which say where the value is taken from")
            yield AttributeRule(
                entry["name"],
                self._texts(at, entry, "from"),
                self._texts(at, entry, "metrics"),
                self._reading(at, entry),
                self._lookup(at, entry["name"], lookup) if lookup else None,
            )

    def metric_rules(self) -> Iterable[MetricRule]:
        for at, entry in self._entries("metrics"):
            plain = [
                (name, self._texts(at, {"from": taken}, "from"), Reading())
                for name, taken in self._pairs(at, entry, "attributes")
            ]
            for name, how in self._pairs(at, entry, "extract"):
                self._check(f"{at}: extract: {name}", how, "extract")
                plain.append((name, self._texts(at, how, "from"), self._reading(at, how)))
            lookups = self._pairs(at, entry, "lookup")
            if not entry.get("from"):
                raise self._bad(f"{at}: it needs from: the names under which the metric arrives")
            for received in self._texts(at, entry, "from"):
                yield MetricRule(
                    entry["name"],
                    received,
                    self._kind(at, entry.get("kind")),
                    self._flag(at, entry, "renamed"),
                    self._conditions(at, entry, "where"),
                    self._conditions(at, entry, "not_where"),
                    tuple(plain),
                    tuple((name, self._lookup(at, name, how)) for name, how in lookups),
                    tuple((name, str(value)) for name, value in self._pairs(at, entry, "set")),
                    self._flag(at, entry, "dotted"),
                )

    def only_rules(self) -> Iterable[OnlyRule]:
        for at, entry in self._entries("only", needed="attribute"):
            metrics, values = self._texts(at, entry, "metrics"), self._texts(at, entry, "values")
            if not (metrics and values):
                raise self._bad(f"{at}: it needs metrics and values")
            yield OnlyRule(metrics, entry["attribute"], values)

    def counters(self) -> dict[str, Kind]:
        listed = self._found.get("counters") or {}
        if not isinstance(listed, dict):
            raise self._bad("counters: expected the keys cumulative and delta")
        return {
            name: self._kind("counters", kind) or Kind.GAUGE
            for kind in listed
            for name in self._split("counters", listed[kind])
        }

    def words(self, key: str) -> list[str]:
        return self._split(key, self._found.get(key))

    def _entries(self, key: str, needed: str = "name") -> Iterable[tuple[str, dict[str, Any]]]:
        listed = self._found.get(key) or []
        if not isinstance(listed, list):
            raise self._bad(f"{key}: expected a list of entries")
        for number, entry in enumerate(listed, 1):
            at = f"{key}: entry {number}"
            self._check(at, entry, key)
            if not isinstance(entry.get(needed), str):
                raise self._bad(f"{at}: it needs {needed}: a name")
            yield at, entry

    def _check(self, at: str, entry: Any, key: str) -> None:
        if not isinstance(entry, dict) or set(entry) - _KEYS[key]:
            raise self._bad(f"{at}: it may have {', '.join(sorted(_KEYS[key]))}{_but(entry, _KEYS[key])}")

    def _flag(self, at: str, entry: dict[str, Any], key: str) -> bool:
        value = entry.get(key, False)
        if not isinstance(value, bool):
            raise self._bad(f"{at}: {key}: expected true or false")
        return value

    def _texts(self, at: str, entry: dict[str, Any], key: str) -> tuple[str, ...]:
        value = entry.get(key)
        listed = [value] if isinstance(value, str) else value or []
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise self._bad(f"{at}: {key}: expected a list of texts")
        return tuple(listed)

    def _pairs(self, at: str, entry: dict[str, Any], key: str) -> list[tuple[str, Any]]:
        value = entry.get(key) or {}
        if not isinstance(value, dict):
            raise self._bad(f"{at}: {key}: expected names with values")
        return list(value.items())

    def _conditions(
        self, at: str, entry: dict[str, Any], key: str
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple(
            (name, self._texts(at, {key: values}, key)) for name, values in self._pairs(at, entry, key)
        )

    def _reading(self, at: str, entry: dict[str, Any]) -> Reading:
        owner = entry.get("owner_of")
        if owner is not None and owner not in _OWNERS:
            raise self._bad(f"{at}: owner_of: expected {' or '.join(_OWNERS)}")
        patterns = self._texts(at, entry, "match")
        for pattern in patterns:
            try:
                pc.match_substring_regex(pa.array([""]), pattern)  # by RE2, which searches use too
                groups = re.compile(pattern).groups
            except (pa.ArrowInvalid, re.error) as error:
                raise self._bad(f"{at}: match: {error}") from error
            if groups != 1:
                raise self._bad(f"{at}: match: {pattern!r} needs one group, which holds the value")
        replace = tuple((str(old), str(new)) for old, new in self._pairs(at, entry, "replace"))
        forms = tuple(f"^(?:{form})$" for form in (_OWNERS[owner] if owner else ()))
        return Reading(patterns, replace, forms)

    def _lookup(self, at: str, name: str, entry: Any) -> Lookup:
        self._check(f"{at}: lookup", entry, "lookup")
        if not isinstance(entry.get("by"), str) or not entry.get("metrics"):
            raise self._bad(f"{at}: lookup: it needs by and metrics")
        by = tuple(entry["by"].split("/"))
        key = tuple(entry.get("key", entry["by"]).split("/"))
        within, not_where = self._texts(at, entry, "within"), self._conditions(at, entry, "not_where")
        taken = entry.get("take", name)
        return Lookup(
            by, key, self._texts(at, entry, "metrics"), taken, self._reading(at, entry), within, not_where
        )

    def _kind(self, at: str, kind: Any) -> Kind | None:
        if kind is None:
            return None
        try:
            return Kind(kind)
        except ValueError as error:
            raise self._bad(f"{at}: expected a kind: {', '.join(Kind)}") from error

    def _split(self, at: str, listed: Any) -> list[str]:
        return [name for line in self._texts(at, {at: listed}, at) for name in line.split()]

    def _bad(self, what: str) -> UsageError:
        return UsageError(f"{self._path}: {what}")


def _but(found: object, known: set[str]) -> str:
    """Return the end of a complaint: which keys are not known, if that is what is wrong."""
    unknown = sorted(map(str, set(found) - known)) if isinstance(found, dict) else []
    return f", but not {', '.join(unknown)}" if unknown else ""


def matching(patterns: Sequence[str], name: str) -> bool:
    """Tell whether a name fits one of the patterns (``*`` is any text)."""
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) for pattern in patterns)
