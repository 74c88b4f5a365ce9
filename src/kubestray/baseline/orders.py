"""What people decide about what is learned: to lock entities, to unlock them, to have them begin anew.

An order holds for bins that start at its time or later, whenever it is carried out: who goes through the
points again comes to the same state as who was there live.

A locked entity keeps what takes days to learn: its usual size and spread, the shape of its day, how rare is
rare. What follows the last hour goes on, as without it nothing could be judged. So nobody can teach it
slowly that an attack is normal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kubestray.baseline.arrays import Arrays, Ints
from kubestray.baseline.heights import Heights
from kubestray.baseline.stray import Stray

What = Literal["lock", "unlock", "reset"]

_RESIDUALS = (
    ("location", 0), ("variance", None), ("seasonal_variance", None), ("level_variance", None),
    ("profile", None), ("profile_count", None), ("move", None), ("sustained_variance", None),
)  # fmt: skip
"""What of the residuals stays: of the location that of the global view."""
_OWN = ("own", "own_bound")
_TAILS = ("ln_u", "xi", "slope", "per_decade", "cap", "histogram", "blocks")


@dataclass(frozen=True, slots=True)
class Order:
    """``key`` is the name of an entity, None all of them; ``time`` in seconds since 1970."""

    time: float
    what: What
    key: tuple[str, ...] | None


class Orders:
    """Orders about one profile, in the order of time."""

    def __init__(self, orders: Sequence[Order] = ()) -> None:
        self._orders = sorted(orders, key=lambda one: one.time)

    def __len__(self) -> int:
        return len(self._orders)

    def between(self, after: float, until: float) -> list[Order]:
        """Return the orders of a stretch of time, without its start and with its end."""
        return [one for one in self._orders if after < one.time <= until]

    def next(self, after: float) -> float:
        """Return the time of the first order after a time; infinite if there is none."""
        return next((one.time for one in self._orders if one.time > after), math.inf)

    def last(self, key: tuple[str, ...], until: float) -> float:
        """Return when an order about an entity was given last, up to a time; -infinite if none was."""
        found = [one.time for one in self.between(-math.inf, until) if one.key in (None, key)]
        return found[-1] if found else -math.inf


@contextmanager
def locked(fleet: Stray, entities: Ints) -> Iterator[None]:
    """Keep what some entities have learned over a step that the fleet takes meanwhile."""
    rows = np.flatnonzero(np.isin(fleet.entity, entities))
    streams = fleet.views.streams(rows)
    assert not isinstance(streams, slice)
    held: list[tuple[Arrays, str, int | None, Ints]] = [
        *((fleet.residuals, name, view, rows) for name, view in _RESIDUALS),
        *((fleet.heights, name, None, rows) for name in Heights.fields),
        *((fleet.views, name, None, streams) for name in _TAILS),
        *((tails, name, None, entities) for tails in fleet.tails() for name in _TAILS),
        *((fleet.budget, name, None, entities) for name in _OWN),
        *([(fleet.familiar, "farthest", None, rows)] if fleet.familiar else []),
    ]
    # Fancy indexing copies.
    before = [getattr(part, name)[_index(part, name, view, at)] for part, name, view, at in held]
    yield
    for (part, name, view, at), values in zip(held, before, strict=True):
        getattr(part, name)[_index(part, name, view, at)] = values


def _index(part: Arrays, name: str, view: int | None, at: Ints) -> tuple[object, ...]:
    if view is not None:
        return view, at
    return (at,) if name in part.rows_first else (..., at)
