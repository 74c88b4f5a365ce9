"""The profiles of detections as they are kept in the store, and what was ordered since."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubestray.api.named import search_named
from kubestray.api.refusal import Refused
from kubestray.api.times import iso
from kubestray.baseline.orders import Orders
from kubestray.baseline.profile import Key, Profile
from kubestray.baseline.stray import LEARNING
from kubestray.detect.runner import Times, request_of
from kubestray.model.content import Detection
from kubestray.model.errors import KubestrayError
from kubestray.pipeline.running import Running
from kubestray.pipeline.setting_up import profiles_of
from kubestray.search.learned import Learning, learning

MINUTE = 60.0

Stamp = tuple[str, float | None, int]
"""What changes when something was learned or ordered."""


@dataclass(frozen=True, slots=True)
class Known:
    """A profile as it is kept, with orders carried out that were given since; ``anew`` are those who were
    reset since and when.
    """

    learning: Learning
    profile: Profile | None
    until: float | None
    anew: dict[Key, float]


def learning_of(running: Running, search: Detection) -> Learning | None:
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


def known_of(running: Running, found: Learning) -> Known:
    """Return what is kept. One profile at a time is remembered: that of a large fleet is many megabytes."""
    stamp = stamp_of(running, found)
    last: tuple[Stamp, Known] | None = running.kept.get("known")
    if last is not None and last[0] == stamp:
        return last[1]
    profiles, now = profiles_of(running.store), running.clock() / 1e9
    profile = profiles.nearest(found.of, now + MINUTE)
    anew = _carried_out(profile, profiles.orders(found.about), now + MINUTE) if profile else {}
    known = Known(found, profile, profile.until if profile else None, anew)
    running.kept["known"] = (stamp, known)
    return known


def stamp_of(running: Running, found: Learning) -> Stamp:
    """Return what a profile goes by, up to when it has learned, how many orders there are about it."""
    profiles = profiles_of(running.store)
    until = profiles.kept_until(found.of, running.clock() / 1e9 + MINUTE)
    return found.of, until, len(profiles.orders(found.about))


def _carried_out(profile: Profile, orders: Orders, until: float) -> dict[Key, float]:
    """Carry out what was ordered since a profile was kept; return who begins anew, and from when."""
    profile.orders, before = orders, list(profile.names)
    resets = [one for one in orders.between(profile.obeyed, until) if one.what == "reset"]
    profile.obey(until)
    return {key: one.time for one in resets for key in (before if one.key is None else [one.key])}


def states_of(known: Known) -> list[tuple[Key, str, bool]]:
    """Return for each entity its key, its state and whether it is locked."""
    profile = known.profile
    if profile is None or known.until is None:
        return []
    states = profile.fleet.state(known.until)
    told = [
        (key, states[number], key in profile.locked)
        for number, key in enumerate(profile.names)
        if key not in known.anew
    ]
    return told + [(key, LEARNING, False) for key in known.anew]


def learner(running: Running, name: str) -> Detection:
    """Return a detection that learns, by its name; refuse one that does not."""
    search = search_named(running, name)
    if not isinstance(search, Detection) or learning_of(running, search) is None:
        raise Refused(
            404, "not_learning", f"{name} learns nothing by itself", "only searches with `stray` do"
        )
    return search


def known_by(running: Running, search: Detection) -> Known:
    """Return what a detection that learns has learned."""
    found = learning_of(running, search)
    assert found
    return known_of(running, found)


def moment(seconds: float | None) -> datetime | None:
    """Return a time of a profile; None where there is none."""
    return iso(round(seconds * 1e9)) if seconds is not None and math.isfinite(seconds) else None
