"""What is expected of a metric, and between which limits it raises no alarm: for people, not for the score.

The limits are where the views that an attack cannot move fast (global, ewma, seasonal) would by themselves
make the alarm of an entity with this metric alone that stays there. The short mean and the difference follow
the last values, so they say nothing about what is normal. Here views count alike, however they are trusted:
the one that knows a metric best follows it soonest, and one spike is to move no limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kubestray.baseline.arrays import Flags, Floats, Ints
from kubestray.baseline.residuals import STEADY
from kubestray.baseline.stray import Stray

_LEAST_RARITY = 0.3
_ROUNDS = 40
_OCTAVES = (-10.0, 40.0)


@dataclass(frozen=True, slots=True)
class Bands:
    """For each row, in the metric's unit: what is expected, and the limits. NaN while nothing is known.

    Where one direction alone counts there is no limit in the other: NaN.
    """

    expected: Floats
    lower: Floats
    upper: Floats


def bands(fleet: Stray, rows: Ints, times: Floats) -> Bands:
    """Return what is expected of rows at ``times`` (rows, seconds since 1970) from what was seen so far."""
    return limits(fleet, rows, steady(fleet, rows, times))


@dataclass(frozen=True, slots=True)
class Steady:
    """Location, scale and if it is known for each steady view, shape (3, rows): what limits are made from."""

    location: Floats
    scale: Floats
    known: Flags

    def of(self, chosen: Ints | Flags) -> Steady:
        """Return some of the rows."""
        return Steady(self.location[:, chosen], self.scale[:, chosen], self.known[:, chosen])

    def expected(self) -> Floats:
        """Return what is expected of each row, NaN while nothing is known."""
        trust = self.known / (self.scale * self.scale)
        total = trust.sum(axis=0)
        mean = (trust * self.location).sum(axis=0) / np.maximum(total, 1e-300)
        return np.where(total > 0, mean, np.nan)


def limits(fleet: Stray, rows: Ints, views: Steady) -> Bands:
    """Return the limits of rows, given what their views expected."""
    location, scale, known = views.location, views.scale, views.known
    expected = views.expected()
    rarity = _rarity_of_alarm(fleet)[fleet.entity[rows]]
    streams = (np.array(STEADY)[:, None] * len(fleet.entity) + rows).ravel()
    unit = np.where(known, scale, np.inf).min(axis=0)

    def limit(side: float) -> Floats:
        low, high = np.full(len(rows), _OCTAVES[0]), np.full(len(rows), _OCTAVES[1])
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            away = side * (expected + side * unit * np.exp2(middle) - location) / scale
            away = np.abs(away) if fleet.direction == "both" else np.maximum(away, 0.0)
            score = fleet.views.score(streams, np.nan_to_num(away).ravel()).reshape(away.shape)
            over = (score * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1) > rarity
            low, high = np.where(over, low, middle), np.where(over, middle, high)
        return np.asarray(expected + side * unit * np.exp2(high))

    with np.errstate(invalid="ignore"):
        lower = limit(-1.0) if fleet.direction != "up" else np.full(len(rows), np.nan)
        upper = limit(1.0) if fleet.direction != "down" else np.full(len(rows), np.nan)
    return Bands(expected, lower, upper)


def steady(fleet: Stray, rows: Ints, times: Floats) -> Steady:
    """Return what the steady views of rows expect at ``times``."""
    state = fleet.residuals
    floor = state.floor(rows)
    expected, seen = state.season(rows, state.bin_at(rows, times))
    location = np.stack([state.location[0, rows], state.calm[rows], expected + state.calm_level[rows]])
    scale = np.stack(
        [
            np.maximum(np.sqrt(state.variance[0, rows]), floor),
            np.sqrt(state.variance[1, rows] + floor * floor),
            np.sqrt(state.level_variance[rows] + floor * floor),
        ]
    )
    height = np.where(seen, (expected - state.location[0, rows]) / scale[0], np.nan)
    scale[1:] *= fleet.heights.breadth(rows, height, state.moving(rows))
    lived = state.count[rows] > 5
    season = seen & (state.seasonal_count[rows] > 20)
    return Steady(location, scale, np.stack([lived, lived, season]))


def _rarity_of_alarm(fleet: Stray) -> Floats:
    """Return for each entity the mean rarity of its metrics at which it alarms."""
    level = fleet.whole.ln_u + fleet.budget.bound(slice(None)) * np.sqrt(fleet.whole.xi)
    return np.asarray(np.maximum(np.exp(level / 3.0) - 0.5, _LEAST_RARITY))
