"""The ``tests`` of a detection: data to run it over, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubestray.model.content import Search
from kubestray.model.errors import UsageError
from kubestray.search.times import BadTime, parse_duration, parse_time

DEFAULT_NOW = "2026-01-14T12:00:00Z"
"""When tests run that say nothing else: a Wednesday."""
_SECOND = 10**9
_KEYS = ("name", "now", "step", "data", "scenario", "risk", "expect")
_RISK = ("detection", "entity", "ago")
_SCENARIO = ("name", "seed", "length", "size", "nodes", "processes", "families")
_EXPECT = ("rows", "entities", "fields")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which simulation a test runs over: ``length`` (ns) of it before the test's now."""

    name: str
    seed: int = 1
    length: int = 6 * 3600 * _SECOND
    size: float | None = None
    nodes: int = 3
    processes: int = 20
    families: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a detection said of an entity, so long (ns) before the test's now."""

    detection: str
    entity: str
    ago: int


@dataclass(frozen=True, slots=True)
class Case:
    """One test; times in nanoseconds.

    ``risk`` is what a rule is run over. ``rows`` is how many there must be, None if that does not matter;
    ``entities`` are all that are at risk; ``fields`` must be so in one of the rows at least.
    """

    name: str
    now: int
    step: int
    data: tuple[str, ...] = ()
    scenario: Scenario | None = None
    risk: tuple[Told, ...] = ()
    rows: int | None = None
    entities: tuple[str, ...] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


def cases_of(search: Search) -> list[Case]:
    """Read the tests of a search, in order; raise `UsageError` for one that cannot be read.

    Tests of published content, which name files of events to download, are no tests of ours and left out.
    """
    told = search.raw.get("tests") or []
    if not isinstance(told, list):
        raise UsageError(f"{search.path}: tests: expected a list")
    ours = [one for one in told if not (isinstance(one, dict) and "attack_data" in one)]
    return [_case(one, f"{search.path}: tests.{number}") for number, one in enumerate(ours)]


def _case(told: Any, place: str) -> Case:
    values = _mapping(told, place, _KEYS)
    name = str(values.get("name") or "")
    if not name:
        raise UsageError(f"{place}: name is missing: say what happens in the data")
    data, risk = (values.get(key) or [] for key in ("data", "risk"))
    given = [bool(data), bool(risk), "scenario" in values]
    if not isinstance(data, list) or not isinstance(risk, list) or sum(given) != 1:
        raise UsageError(f"{place}: write either data (a list of series), scenario or risk (a list)")
    expect = _mapping(values.get("expect"), f"{place}.expect", _EXPECT)
    if not expect:
        raise UsageError(f"{place}: expect is missing: write rows: 0 where nothing may be found")
    entities = expect.get("entities")
    return Case(
        name,
        _time(values.get("now") or DEFAULT_NOW, place),
        _duration(values.get("step") or "10s", place),
        tuple(map(str, data)),
        _scenario(values["scenario"], f"{place}.scenario") if "scenario" in values else None,
        tuple(_told(one, f"{place}.risk.{number}") for number, one in enumerate(risk)),
        expect.get("rows"),
        None if entities is None else tuple(map(str, entities)),
        _mapping(expect.get("fields"), f"{place}.expect.fields"),
    )


def _told(told: Any, place: str) -> Told:
    values = _mapping(told, place, _RISK)
    if lacking := [key for key in _RISK if not values.get(key)]:
        raise UsageError(f"{place}: {lacking[0]} is missing: write detection, entity and ago")
    return Told(str(values["detection"]), str(values["entity"]), _duration(values["ago"], f"{place}.ago"))


def _scenario(told: Any, place: str) -> Scenario:
    values = dict(_mapping({"name": told} if isinstance(told, str) else told, place, _SCENARIO))
    if "length" in values:
        values["length"] = _duration(values["length"], place)
    values["families"] = tuple(values.get("families") or ())
    return Scenario(**values)


def _mapping(told: Any, place: str, known: tuple[str, ...] = ()) -> Mapping[str, Any]:
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise UsageError(f"{place}: expected a mapping")
    for key in told:
        if known and key not in known:
            raise UsageError(f"{place}: {key} is no key here: there are {', '.join(known)}")
    return told


def _time(told: Any, place: str) -> int:
    text = told.isoformat() if hasattr(told, "isoformat") else str(told)
    try:
        return parse_time(text, 0)
    except BadTime as error:
        raise UsageError(f"{place}: now: {error}") from error


def _duration(told: Any, place: str) -> int:
    length = parse_duration(str(told))
    if not length or length % _SECOND:
        raise UsageError(f"{place}: {told!r} is no length of time, such as 10s, 1m or 6h")
    return length
