"""What detections have learned of what is normal: of whom, since when, the usual day and week; and orders.

A detection with `stray` keeps its profile in the store once an hour, and that is what is told here. An admin
can lock an entity (what is normal for it stays as it is), unlock it, or reset it (it is learned anew). Orders
hold from the next minute on, for live runs, replays and searches alike.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from kubestray.api.asking import Admin, Asker, Here, Viewer
from kubestray.api.baseline_charts import usual_day, usual_week
from kubestray.api.detections import Name, search_named
from kubestray.api.refusal import Refused, not_found
from kubestray.api.remembering import forget, remembered
from kubestray.api.times import iso
from kubestray.baseline.arrays import Floats, Ints
from kubestray.baseline.bands import bands
from kubestray.baseline.orders import Orders
from kubestray.baseline.profile import Key, Profile
from kubestray.baseline.stray import LEARNING, READY, STALE
from kubestray.detect.runner import Times, request_of
from kubestray.model.content import Detection
from kubestray.model.errors import KubestrayError
from kubestray.pipeline.running import Running
from kubestray.pipeline.setting_up import profiles_of
from kubestray.search.learned import Learning, learning
from kubestray.search.profile_store import ORDERS

router = APIRouter(tags=["baselines"])

_KEEP = 20.0  # seconds
_MINUTE = 60.0
_DAY = 86_400.0

State = Literal["", "learning", "ready", "stale", "locked"]
Keys = Annotated[list[str], Query(alias="key", max_length=20, description="The values of the key fields")]


class Learned(BaseModel):
    """What a detection learns, and how far it has come. Numbers are of entities."""

    detection: str
    enabled: bool
    metrics: list[str]
    keys: list[str]
    as_of: datetime | None = Field(
        description="Up to when the state that is told has learned; null: nothing yet."
    )
    false_alarms_per_day: float = Field(description="Asked for, for each entity.")
    entities: int
    ready: int
    learning: int
    stale: int
    locked: int


class Usual(BaseModel):
    """What is normal for a metric of an entity at the moment, in the metric's own unit."""

    name: str
    expected: float | None
    lower: float | None
    upper: float | None
    week_change: float | None = Field(
        description="The last days against the same days a week before: 0.1 is a tenth more."
    )


class LearnedEntity(BaseModel):
    """An entity, by the values of the detection's key fields."""

    key: list[str]
    state: str = Field(description="learning, ready or stale")
    locked: bool
    first_seen: datetime | None
    last_seen: datetime | None
    metrics: list[Usual]


class LearnedEntities(Learned):
    """The entities of a detection that fit; ``total`` is how many do."""

    total: int
    found: list[LearnedEntity]


class Told(BaseModel):
    """An order that was given; ``key`` null is all entities."""

    time: datetime | None
    action: str
    key: list[str] | None
    actor: str
    reason: str


class LearnedPage(LearnedEntity):
    """An entity with its usual day and week, as charts by metric, and the orders about it."""

    detection: str
    keys: list[str]
    as_of: datetime | None
    days: dict[str, dict[str, Any]]
    weeks: dict[str, dict[str, Any]]
    orders: list[Told]


class NewOrder(BaseModel):
    """What to do, about which entity (null: all of them), and why."""

    action: Literal["lock", "unlock", "reset"]
    key: list[str] | None = Field(default=None, max_length=20)
    reason: str = Field(default="", max_length=500)


@dataclass(frozen=True, slots=True)
class _Known:
    """A profile as it is kept, with orders carried out that were given since; ``anew`` are those who were
    reset since and when.
    """

    learning: Learning
    profile: Profile | None
    until: float | None
    anew: dict[Key, float]


def all_learned(running: Running) -> list[Learned]:
    """Return what each detection has learned that learns by itself."""
    return [
        _summary(running, search)
        for search in running.content.detections.values()
        if _learning(running, search) is not None
    ]


def learned_entities(
    running: Running, name: str, *, words: str = "", state: State = "", most: int = 100, skip: int = 0
) -> LearnedEntities:
    """Return the entities that a detection knows, the newest first among those that are still learned."""
    search = _detection(running, name)
    known = _known(running, search)
    summary = _summary(running, search)
    rows = [
        (key, told, locked)
        for key, told, locked in _states(running, known)
        if state in ("", told, "locked" if locked else "")
        and all(word in " ".join(key).lower() for word in words.lower().split())
    ]
    rows.sort(key=lambda row: (row[1] == READY, not row[2], row[0]))
    found = [_entity(running, known, *row) for row in rows[skip : skip + most]]
    return LearnedEntities(**summary.model_dump(), total=len(rows), found=found)


def learned_page(running: Running, name: str, key: list[str]) -> LearnedPage:
    """Return what is normal for one entity."""
    known = _known(running, _detection(running, name))
    row = next((row for row in _states(running, known) if list(row[0]) == key), None)
    if row is None:
        raise not_found("entity", "/".join(key))
    profile = known.profile.only(row[0]) if known.profile else None
    days, weeks = {}, {}
    if profile is not None and profile.names:
        for place, metric in enumerate(known.learning.wish.fields):
            days[metric] = usual_day(profile, place, metric)
            weeks[metric] = usual_week(profile, place, metric)
    return LearnedPage(
        **_entity(running, known, *row).model_dump(),
        detection=name,
        keys=list(known.learning.wish.keys),
        as_of=_iso(known.until),
        days=days,
        weeks={metric: chart for metric, chart in weeks.items() if chart},
        orders=_told(running, known.learning, key),
    )


def order(running: Running, asker: Asker, name: str, wanted: NewOrder) -> None:
    """Give an order; it is in the audit log, and holds from the next whole minute on."""
    known = _known(running, _detection(running, name))
    if wanted.key is not None:
        row = next((row for row in _states(running, known) if list(row[0]) == wanted.key), None)
        if row is None:
            raise not_found("entity", "/".join(wanted.key))
        if wanted.action == "lock" and row[1] == LEARNING:
            raise Refused(
                400,
                "learning",
                "of this entity nothing is learned yet that could be kept",
                "lock it when it is ready",
            )
    elif known.profile is None:
        raise Refused(400, "learning", "this detection has learned nothing yet", "wait for its first run")
    time = math.floor(running.clock() / 1e9 / _MINUTE + 1) * _MINUTE
    document = {
        "time": time,
        "what": wanted.action,
        "key": wanted.key,
        "actor": asker.name,
        "reason": wanted.reason,
    }
    identity = f"{known.learning.about}/{int(time)}-{secrets.token_hex(6)}"
    running.documents.put(ORDERS, identity, document)
    told = {"key": wanted.key, "reason": wanted.reason}
    running.documents.note(asker.name, f"baseline.{wanted.action}", name, told)
    forget(running)


def _detection(running: Running, name: str) -> Detection:
    search = search_named(running, name)
    if not isinstance(search, Detection) or _learning(running, search) is None:
        raise Refused(
            404, "not_learning", f"{name} learns nothing by itself", "only searches with `stray` do"
        )
    return search


def _learning(running: Running, search: Detection) -> Learning | None:
    """Return what a detection learns; None also for one that cannot run, which its own page tells."""
    known: dict[str, Any] = running.kept.setdefault("learning", {})
    values = tuple(running.switches.value(one) for one in search.parameters) if running.switches else ()
    if search.name not in known or known[search.name][0] != values:
        try:
            request = request_of(search, running.content, Times(running.clock()), running.making())
            found = learning(request, running.store.query)
        except KubestrayError:
            found = None
        known[search.name] = (values, found)
    told: Learning | None = known[search.name][1]
    return told


def _known(running: Running, search: Detection) -> _Known:
    found = _learning(running, search)
    assert found
    # One at a time is remembered: that of a large fleet takes many megabytes.
    key = (found.of, found.about)
    last: tuple[Any, _Known] | None = running.kept.get("known")
    profiles = profiles_of(running.store)
    now = running.clock() / 1e9
    until = profiles.kept_until(found.of, now + _MINUTE)
    orders = profiles.orders(found.about)
    stamp = (key, until, len(orders))
    if last is not None and last[0] == stamp:
        return last[1]
    profile = profiles.nearest(found.of, now + _MINUTE)
    anew = _carried_out(profile, orders, now + _MINUTE) if profile else {}
    known = _Known(found, profile, until if profile else None, anew)
    running.kept["known"] = (stamp, known)
    return known


def _carried_out(profile: Profile, orders: Orders, until: float) -> dict[Key, float]:
    """Carry out what was ordered since a profile was kept; return who begins anew, and from when."""
    profile.orders, before = orders, list(profile.names)
    resets = [one for one in orders.between(profile.obeyed, until) if one.what == "reset"]
    profile.obey(until)
    return {key: one.time for one in resets for key in (before if one.key is None else [one.key])}


def _summary(running: Running, search: Detection) -> Learned:
    def make() -> Learned:
        known = _known(running, search)
        states = _states(running, known)
        told = Counter(state for _, state, _ in states)
        return Learned(
            detection=search.name,
            enabled=search.enabled,
            metrics=list(known.learning.wish.fields),
            keys=list(known.learning.wish.keys),
            as_of=_iso(known.until),
            false_alarms_per_day=known.learning.wish.per_day,
            entities=len(states),
            ready=told[READY],
            learning=told[LEARNING],
            stale=told[STALE],
            locked=sum(locked for _, _, locked in states),
        )

    summary = remembered(running, ("learned", search.name), _KEEP, make)
    return summary.model_copy(update={"enabled": search.enabled})


def _states(running: Running, known: _Known) -> list[tuple[Key, str, bool]]:
    """Return for each entity its key, its state and whether it is locked."""
    profile = known.profile
    if profile is None:
        return []
    states = profile.fleet.state(running.clock() / 1e9)
    told = [
        (key, states[number], key in profile.locked)
        for number, key in enumerate(profile.names)
        if key not in known.anew
    ]
    return told + [(key, LEARNING, False) for key in known.anew]


def _entity(running: Running, known: _Known, key: Key, state: str, locked: bool) -> LearnedEntity:
    first: float | None = known.anew.get(key)
    last: float | None = None
    metrics: list[Usual] = []
    if first is None and known.profile is not None:
        number = known.profile.names.index(key)
        seen = known.profile.fleet.seen
        first, last = float(seen.first[number]), float(seen.last[number])
        metrics = _usual(running, known.profile, known.learning.wish.fields, number)
    return LearnedEntity(
        key=list(key),
        state=state,
        locked=locked,
        first_seen=_iso(first),
        last_seen=_iso(last),
        metrics=metrics,
    )


def _usual(running: Running, profile: Profile, names: tuple[str, ...], number: int) -> list[Usual]:
    rows: Ints = number * len(names) + np.arange(len(names))
    found = bands(profile.fleet, rows, np.full(len(rows), running.clock() / 1e9))
    change = week_change(profile, rows)
    return [
        Usual(
            name=name,
            expected=_finite(found.expected[place]),
            lower=_finite(found.lower[place]),
            upper=_finite(found.upper[place]),
            week_change=_finite(change[place]),
        )
        for place, name in enumerate(names)
    ]


def week_change(profile: Profile, rows: Ints) -> Floats:
    """Return by which share the last days were above those of the week before; NaN where nothing compares."""
    ramps = profile.fleet.ramps
    total = ramps.bases[rows].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(total > 0, ramps.rises[rows].sum(axis=1) / total, np.nan))


def _told(running: Running, found: Learning, key: list[str]) -> list[Told]:
    told = [
        Told(
            time=_iso(one["time"]),
            action=one["what"],
            key=one["key"],
            actor=one["actor"],
            reason=one["reason"],
        )
        for name, one in running.documents.all(ORDERS).items()
        if name.startswith(f"{found.about}/") and one["key"] in (None, key)
    ]
    return sorted(told, key=lambda one: str(one.time), reverse=True)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _iso(seconds: float | None) -> datetime | None:
    return iso(round(seconds * 1e9)) if seconds is not None and math.isfinite(seconds) else None


@router.get("/learned")
def learned(here: Here, _asker: Viewer) -> list[Learned]:
    """Return what each detection has learned that learns by itself."""
    return all_learned(here)


@router.get("/learned/{name}")
def learned_of(
    here: Here,
    _asker: Viewer,
    name: Name,
    words: Annotated[str, Query(max_length=500)] = "",
    state: State = "",
    most: Annotated[int, Query(ge=1, le=1000)] = 100,
    skip: Annotated[int, Query(ge=0, le=200_000)] = 0,
) -> LearnedEntities:
    """Return the entities that a detection knows."""
    return learned_entities(here, name, words=words, state=state, most=most, skip=skip)


@router.get("/learned/{name}/entity")
def learned_of_entity(here: Here, _asker: Viewer, name: Name, key: Keys) -> LearnedPage:
    """Return what is normal for one entity."""
    return learned_page(here, name, key)


@router.post("/learned/{name}/orders")
def learned_order(here: Here, asker: Admin, name: Name, wanted: NewOrder) -> Learned:
    """Lock or unlock what is normal, or have it learned anew."""
    order(here, asker, name, wanted)
    return _summary(here, _detection(here, name))
