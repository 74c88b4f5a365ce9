"""What detections have learned of what is normal: of whom, since when, the usual day and week; and orders.

A detection with `stray` keeps its profile in the store once an hour, and that is what is told here. An admin
can lock an entity (what is normal for it stays as it is), unlock it, or reset it (it is learned anew). Orders
hold from the next minute on, for live runs, replays and searches alike.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from kubestray.api.asking import Admin, Here, Viewer
from kubestray.api.baseline_charts import usual_day, usual_week
from kubestray.api.baseline_orders import NewOrder, Told, order, told_about
from kubestray.api.kept_profiles import (
    Known,
    Stamp,
    known_by,
    known_of,
    learner,
    learning_of,
    moment,
    stamp_of,
    states_of,
)
from kubestray.api.named import Name
from kubestray.api.refusal import not_found
from kubestray.api.remembering import remembered
from kubestray.baseline.arrays import Floats, Ints
from kubestray.baseline.bands import bands
from kubestray.baseline.profile import Key, Profile
from kubestray.baseline.residuals import BINS, KINDS
from kubestray.baseline.stray import LEARNING, READY, STALE
from kubestray.model.content import Detection, Search
from kubestray.pipeline.running import Running

router = APIRouter(tags=["baselines"])

_KEEP = 20.0  # seconds
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
    points: int = Field(description="How many bins were learned.")
    day_known: float = Field(description="The share of the day whose usual value is known: seen on two days.")
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


class LearnedPage(LearnedEntity):
    """An entity with its usual day and week, as charts by metric, and the orders about it."""

    detection: str
    keys: list[str]
    as_of: datetime | None
    days: dict[str, dict[str, Any]]
    weeks: dict[str, dict[str, Any]]
    orders: list[Told]


def all_learned(running: Running) -> list[Learned]:
    """Return what each detection has learned that learns by itself."""
    return [
        _summary(running, search)
        for search in running.content.detections.values()
        if learning_of(running, search) is not None
    ]


def learned_entities(
    running: Running, name: str, *, words: str = "", state: State = "", most: int = 100, skip: int = 0
) -> LearnedEntities:
    """Return the entities that a detection knows, the newest first among those that are still learned."""
    search = learner(running, name)
    known, summary = known_by(running, search), _summary(running, search)
    rows = [
        (key, told, locked)
        for key, told, locked in states_of(known)
        if state in ("", told, "locked" if locked else "")
        and all(word in " ".join(key).lower() for word in words.lower().split())
    ]
    rows.sort(key=lambda row: (row[1] == READY, not row[2], row[0]))
    found = [_entity(running, known, *row) for row in rows[skip : skip + most]]
    return LearnedEntities(**summary.model_dump(), total=len(rows), found=found)


def learned_page(running: Running, name: str, key: list[str]) -> LearnedPage:
    """Return what is normal for one entity."""
    known = known_by(running, learner(running, name))
    row = next((row for row in states_of(known) if list(row[0]) == key), None)
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
        as_of=moment(known.until),
        days=days,
        weeks={metric: chart for metric, chart in weeks.items() if chart},
        orders=told_about(running, known.learning, key),
    )


def allowed_per_day(running: Running, search: Search) -> float | None:
    """Return how many false alarms a day a detection's budget allows for all entities that it knows."""
    if not isinstance(search, Detection) or learning_of(running, search) is None:
        return None
    summary = _summary(running, search)
    return summary.false_alarms_per_day * summary.entities if summary.entities else None


def _summary(running: Running, search: Detection) -> Learned:
    found = learning_of(running, search)
    assert found
    stamp = remembered(running, ("learned", search.name), _KEEP, lambda: stamp_of(running, found))
    kept: dict[str, tuple[Stamp, Learned]] = running.kept.setdefault("summaries", {})
    if search.name not in kept or kept[search.name][0] != stamp:
        kept[search.name] = stamp, _counted(search, known_of(running, found))
    return kept[search.name][1].model_copy(update={"enabled": search.enabled})


def _counted(search: Detection, known: Known) -> Learned:
    states = states_of(known)
    told = Counter(state for _, state, _ in states)
    return Learned(
        detection=search.name,
        enabled=search.enabled,
        metrics=list(known.learning.wish.fields),
        keys=list(known.learning.wish.keys),
        as_of=moment(known.until),
        false_alarms_per_day=known.learning.wish.per_day,
        entities=len(states),
        ready=told[READY],
        learning=told[LEARNING],
        stale=told[STALE],
        locked=sum(locked for _, _, locked in states),
    )


def _entity(running: Running, known: Known, key: Key, state: str, locked: bool) -> LearnedEntity:
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
        first_seen=moment(first),
        last_seen=moment(last),
        metrics=metrics,
    )


def _usual(running: Running, profile: Profile, names: tuple[str, ...], number: int) -> list[Usual]:
    rows: Ints = number * len(names) + np.arange(len(names))
    found = bands(profile.fleet, rows, np.full(len(rows), running.clock() / 1e9))
    change, known = week_change(profile, rows), day_known(profile, rows)
    points = profile.fleet.residuals.count[rows]
    return [
        Usual(
            name=name,
            expected=_finite(found.expected[place]),
            lower=_finite(found.lower[place]),
            upper=_finite(found.upper[place]),
            points=int(points[place]),
            day_known=round(float(known[place]), 3),
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


def day_known(profile: Profile, rows: Ints) -> Floats:
    """Return of which share of the day the seasonal view knows what to expect."""
    bins = np.ceil(_DAY / np.maximum(_DAY / BINS, profile.fleet.step[rows]))
    counts = profile.fleet.residuals.profile_count[rows].reshape(-1, KINDS, BINS)
    seen = (counts >= 2).any(axis=1).sum(axis=1)
    return np.asarray(np.minimum(1.0, seen / bins))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


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
    return _summary(here, learner(here, name))
