"""Five views of how far a value is from what was expected: global, ewma, short mean, difference, seasonal.

Each view has a location, where it expects the value, and a variance of what it missed by. What is learned
from one point is clipped at five standard deviations of its view, so an attack does not teach that it is
normal. The formulas and the choice of views: section 1a of the method in docs/decisions/0011-stray.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubestray.baseline.arrays import Arrays, Flags, Floats, Ints, Rows

VIEWS = ("global", "ewma", "short_mean", "difference", "seasonal")
"""The views that decide, in their order."""
STEADY = (0, 1, 4)
"""The places of those that an attack cannot move fast: global, ewma, seasonal."""
LASTING = (300.0, 7200.0)
"""Half-lives, in seconds, of what is looked at beside the views: means of the last minutes and hours. They
come late to a single point, but stay up for as long as an incident lasts: `kubestray.baseline.lasting`.
"""
SUSTAINED = slice(len(VIEWS), len(VIEWS) + len(LASTING))
"""Their places, after those of the views."""
DISTANCES = SUSTAINED.stop
BINS = 96
"""Bins of a day of the seasonal view: a quarter of an hour each."""
KINDS = 2
"""Kinds of days, each with bins of its own: Monday to Friday, and the weekend (in UTC)."""

DAY = 86400.0
CLIP = 5.0
_CALM = 2.0
"""What people are told to expect follows a value at most so many deviations: no spike moves limits far."""
FAR, FAR_BEFORE = 8.0, 500.0
"""A mean of the last minutes is at most so many deviations, or usual moves, off once values are back: what is
usual again after a fault would be far off from it for half an hour, and be learned as such. Up to version 6
of a state it was more.
"""
_CLIP_FROM = 20
"""A value is clipped once this many points were seen: before, the variance is hardly known."""
_SCORE_FROM = 5

_SEEN = 2
_FIRST_WEEKDAY, _WEEKEND = 3, 5
"""1970 began on a Thursday; Saturday is the sixth day of a week."""
_SUSTAINED_CLIP = 15.0
"""A point counts for at most so many deviations in a mean of what lasts: one alone lasts no minutes."""
_SUSTAINED_FLOOR = 0.25
"""Of the floor of a variance, for a mean of several points."""

_MOVE_SHARE = 0.5
_MOVED_FROM = 4
_SELDOM, _OFTEN = 0.05, 0.15
"""A metric that rests mostly has hardly a variance, so each of its moves would be a record. Where it moves in
more than a tenth of all hours, and in four at the least, its moves are usual, and half of a usual move is the
least deviation that is believed. Where moves are rarer, a move is what is rare. A single attack is neither.
"""

_GLOBAL, _EWMA, _SHORT, _DIFFERENCE = range(4)
_VARIANCE_HALF_LIFE = np.array([[7 * DAY], [DAY], [7 * DAY], [7 * DAY]])
_FLOOR_SHARE = np.array([[0.0], [1.0], [0.25], [0.25]])


def rate(half_life: float | Floats, step: Floats) -> Floats:
    """Return the share of a new point in an average of this half-life; both in seconds."""
    return np.asarray(1.0 - np.exp2(-step / half_life), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Missed:
    """How far the values of a step were from what was expected.

    ``z`` (`DISTANCES`, rows) is in standard deviations of each view, signed; a view that does not know
    enough yet gives 0. ``width`` (`VIEWS`, rows) is that deviation in the unit of the metric; the global one
    stands in for a bin of the day that is not known. ``height`` (rows) is how far what that bin lets expect
    is above the mean of all hours, in global deviations; NaN if it is not known.
    """

    z: Floats
    width: Floats
    height: Floats


class Residuals(Arrays):
    """The views of ``n`` metrics, each with its step in seconds."""

    fields = (
        "count", "location", "variance", "seasonal_count", "level", "seasonal_variance",
        "level_variance", "bin", "bin_sum", "bin_count", "moves", "move", "move_hour", "move_hours",
        "sustained", "sustained_variance", "calm", "calm_level",
    )  # fmt: skip
    rows_first = ("profile", "profile_count")

    def __init__(self, step: Floats) -> None:
        n = len(step)
        self.step, self.far = step, FAR
        self.count = np.zeros(n)
        self.location = np.zeros((4, n))
        self.variance = np.zeros((4, n))
        self.seasonal_count = np.zeros(n)
        self.level = np.zeros(n)
        self.calm, self.calm_level = np.zeros(n), np.zeros(n)
        self.seasonal_variance = np.zeros(n)
        self.level_variance = np.zeros(n)
        self.bin = np.full(n, -1, dtype=np.int64)
        self.bin_sum = np.zeros(n)
        self.bin_count = np.zeros(n)
        self.profile = np.zeros((n, KINDS * BINS))
        self.profile_count = np.zeros((n, KINDS * BINS), dtype=np.float32)
        self.moves, self.move = np.zeros(n), np.zeros(n)
        self.move_hour, self.move_hours = np.full(n, -1, dtype=np.int64), np.zeros(n)
        self.sustained, self.sustained_variance = np.zeros((2, len(LASTING), n))
        self._sustained_rate = np.stack([np.minimum(0.5, rate(seconds, step)) for seconds in LASTING])
        self._location_rate = np.stack([
            rate(7 * DAY, step),
            np.minimum(0.5, rate(3600.0, step)),
            np.minimum(0.5, rate(900.0, step)),
            np.ones(n),
        ])  # fmt: skip
        self._variance_rate = rate(_VARIANCE_HALF_LIFE, step)
        self._rate_day, self._rate_week = rate(DAY, step), rate(7 * DAY, step)
        self._hours_each = np.minimum(1.0, step / 3600.0)
        self._bin_length = np.maximum(DAY / BINS, step)

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the arrays of a dump; what one lacks of what limits follow is what scores follow."""
        near = {"calm": arrays["location"][_EWMA], "calm_level": arrays["level"]}
        super().load(near | arrays)

    def advance(self, rows: Rows, times: Floats, values: Floats) -> Missed:
        """Take the next point of each row, and return how far it was from each view's expectation.

        ``times`` are seconds since 1970, ``values`` finite.
        """
        count = self.count[rows] + 1.0
        self.count[rows] = count
        first = count == 1.0
        if first.any():
            at = first if isinstance(rows, slice) else rows[first]
            self.location[:, at] = self.calm[at] = values[first]
        usual = self.location[_GLOBAL, rows].copy()
        z, width = np.empty((DISTANCES, len(values))), np.empty((len(VIEWS), len(values)))
        floor = self.floor(rows)
        known = count > _CLIP_FROM
        self._learn_move(rows, times, values)
        z[:4], width[:4] = self._steady(rows, values, floor, count, known)
        z[:4, count <= _SCORE_FROM] = 0.0
        z[4], width[4], season, seen = self._seasonal(rows, times, values, floor)
        width[4] = np.where(width[4] > 0, width[4], width[_GLOBAL])
        height = np.where(seen, (season - usual) / width[_GLOBAL], np.nan)
        off = values - np.where(seen, season, usual)
        wide = np.where(seen, np.sqrt(self.seasonal_variance[rows] + floor * floor), width[_GLOBAL])
        z[SUSTAINED] = self._sustain(rows, off, wide, floor, known)
        return Missed(z, width, height)

    def moving(self, rows: Rows) -> Floats:
        """Return the share of its points at which each row moved."""
        return np.asarray(self.moves[rows] / np.maximum(self.count[rows], 1.0))

    def floor(self, rows: Rows) -> Floats:
        """Return the least standard deviation that is believed: a constant that moves a little is no news."""
        spread = 0.1 * np.sqrt(self.variance[_GLOBAL, rows])
        least = np.maximum(np.maximum(spread, 1e-3 * np.abs(self.location[_GLOBAL, rows])), 1e-9)
        return np.maximum(least, self._usual_move(rows))

    def _usual_move(self, rows: Rows) -> Floats:
        """Return the least deviation that the moves of a metric let believe, 0 for one that seldom moves."""
        moved = self.move_hours[rows]
        share = moved / np.maximum(self.count[rows] * self._hours_each[rows], 1.0)
        often = np.clip((share - _SELDOM) / (_OFTEN - _SELDOM), 0.0, 1.0) * (moved >= _MOVED_FROM)
        return np.asarray(_MOVE_SHARE * often * np.exp(self.move[rows]))

    def _far(self, rows: Rows, scale: Floats) -> Floats:
        """Return how far off a mean of the last minutes may be where values are back at what is usual."""
        return np.asarray(self.far * np.maximum(scale, np.exp(self.move[rows])))

    def _learn_move(self, rows: Rows, times: Floats, values: Floats) -> None:
        """Learn how far the value goes when it moves: the geometric mean, which one attack hardly changes."""
        apart = np.abs(values - self.location[_DIFFERENCE, rows])
        moved = apart > 0
        if not moved.any():
            return
        at = np.arange(len(self.step))[rows][moved]
        self.moves[at] += 1.0
        share = np.maximum(self._rate_week[at], 1.0 / self.moves[at])
        self.move[at] += share * (np.log(apart[moved]) - self.move[at])
        hour = (times[moved] // 3600).astype(np.int64)
        self.move_hours[at] += hour != self.move_hour[at]
        self.move_hour[at] = hour

    def bin_at(self, rows: Rows, times: Floats) -> Ints:
        """Return the bin that each row's time lies in: those of weekends come after those of other days."""
        weekend = (times // DAY + _FIRST_WEEKDAY) % 7 >= _WEEKEND
        return np.asarray(times % DAY // self._bin_length[rows] + BINS * weekend, dtype=np.int64)

    def season(self, rows: Rows, now: Ints) -> tuple[Floats, Flags]:
        """Return what bins let expect, and if they were seen often enough to say so.

        A bin of a weekend that was not, or of another day, is answered by that of the other kind of days.
        """
        number = np.arange(len(self.step))[rows]
        known = self.profile_count[number, now] >= _SEEN
        now = np.where(known, now, (now + BINS) % (KINDS * BINS))
        return self.profile[number, now], self.profile_count[number, now] >= _SEEN

    def _steady(
        self, rows: Rows, values: Floats, floor: Floats, count: Floats, known: Flags
    ) -> tuple[Floats, Floats]:
        location, variance = self.location[:, rows], self.variance[:, rows]
        missed = values - location
        scale = np.sqrt(variance + _FLOOR_SHARE * (floor * floor))
        np.maximum(scale[_GLOBAL], floor, out=scale[_GLOBAL])
        reach = np.where(known, CLIP * scale, np.inf)
        clipped = np.clip(missed, -reach, reach)
        warm = 1.0 / count
        share = np.maximum(self._variance_rate[:, rows], warm)
        gain = share.copy()
        gain[_GLOBAL] *= 1.0 - share[_GLOBAL]
        self.variance[:, rows] = (1.0 - share) * variance + gain * (clipped * clipped)
        # The short mean and the last value follow the data as it is: they are what "just now" means.
        clipped[_SHORT:] = missed[_SHORT:]
        follow = np.maximum(self._location_rate[:, rows], warm)
        self.calm[rows] = _calmly(self.calm[rows], values, scale[_EWMA], follow[_EWMA], known)
        location = location + follow * clipped
        back, far = known & (np.abs(missed[_GLOBAL]) <= reach[_GLOBAL]), self._far(rows, scale[_GLOBAL])
        near = np.clip(location[_SHORT], location[_GLOBAL] - far, location[_GLOBAL] + far)
        location[_SHORT] = np.where(back, near, location[_SHORT])
        self.location[:, rows] = location
        return missed / scale, scale

    def _sustain(self, rows: Rows, missed: Floats, wide: Floats, floor: Floats, known: Flags) -> Floats:
        """Learn how far off the last minutes and hours were on average, and return it; ``wide`` is the
        deviation of a point.
        """
        warm = 1.0 / self.count[rows]
        most = _SUSTAINED_CLIP * wide
        missed = np.where(known, np.clip(missed, -most, most), missed)
        mean = self.sustained[:, rows]
        mean = mean + np.maximum(self._sustained_rate[:, rows], warm) * (missed - mean)
        variance = self.sustained_variance[:, rows]
        scale = np.sqrt(variance + _SUSTAINED_FLOOR * floor * floor)
        back, far = known & (np.abs(missed) <= CLIP * scale), self._far(rows, scale)
        self.sustained[:, rows] = np.where(back, np.clip(mean, -far, far), mean)
        reach = np.where(known, CLIP * scale, np.inf)
        share = np.maximum(self._rate_week[rows], warm)
        self.sustained_variance[:, rows] = variance + share * (np.clip(mean, -reach, reach) ** 2 - variance)
        return np.where(known, mean / scale, 0.0)

    def _seasonal(
        self, rows: Rows, times: Floats, values: Floats, floor: Floats
    ) -> tuple[Floats, Floats, Floats, Flags]:
        """Return how far values are off their bin of the day, the deviation that this is told in (0 if there
        is none yet), what the bin let expect, and if it is known.
        """
        now = self.bin_at(rows, times)
        changed = now != self.bin[rows]
        if changed.any():
            self._change_bin(rows, now, changed)
        expected, seen = self.season(rows, now)
        if not seen.any():
            self.bin_sum[rows] += values
            self.bin_count[rows] += 1.0
            return np.zeros(len(values)), np.zeros(len(values)), expected, seen
        level, around = self.level[rows], self.seasonal_variance[rows]
        count = self.seasonal_count[rows] + seen
        self.seasonal_count[rows] = count
        missed = values - expected
        known, warm, square = count > _CLIP_FROM, 1.0 / np.maximum(count, 1.0), floor * floor
        reach = np.where(known, CLIP * np.sqrt(around + square), np.inf)
        clipped = np.clip(missed, -reach, reach)
        share = np.maximum(self._rate_week[rows], warm)
        around_new = (1.0 - share) * around + share * clipped * clipped
        self.seasonal_variance[rows] = np.where(seen, around_new, around)
        variance = self.level_variance[rows]
        scale = np.sqrt(variance + square)
        off = clipped - level
        reach = np.where(known, CLIP * scale, np.inf)
        moved = np.clip(off, -reach, reach)
        share = np.maximum(self._rate_day[rows], warm)
        self.level_variance[rows] = np.where(seen, (1.0 - share) * variance + share * moved * moved, variance)
        hour = np.maximum(self._location_rate[_EWMA, rows], warm)
        self.level[rows] = np.where(seen, level + hour * moved, level)
        calm = self.calm_level[rows]
        self.calm_level[rows] = np.where(seen, _calmly(calm, clipped, scale, hour, known), calm)
        reach = CLIP * np.sqrt(around_new + square)
        # The first days of a kind are learned as they are, not as what the other kind lets expect.
        own = self.profile_count[np.arange(len(self.step))[rows], now] >= _SEEN
        self.bin_sum[rows] += np.where(own, expected + np.clip(missed, -reach, reach), values)
        self.bin_count[rows] += 1.0
        lived = seen & known
        return np.where(lived, off / scale, 0.0), np.where(lived, scale, 0.0), expected, seen

    def _change_bin(self, rows: Rows, now: Ints, changed: Flags) -> None:
        """Put the average of the bin that ends into the profile, and begin the next."""
        at = np.arange(len(self.step))[rows][changed]
        done = at[self.bin_count[at] > 0]
        old = self.bin[done]
        times_seen = self.profile_count[done, old].astype(np.float64) + 1.0
        average = self.bin_sum[done] / self.bin_count[done]
        share = np.maximum(0.2, 1.0 / times_seen)
        self.profile[done, old] += share * (average - self.profile[done, old])
        self.profile_count[done, old] = times_seen
        self.bin[at] = now[changed]
        self.bin_sum[at] = 0.0
        self.bin_count[at] = 0.0


def _calmly(calm: Floats, values: Floats, scale: Floats, share: Floats, known: Flags) -> Floats:
    """Return averages that have taken a value each, and of one that is far off hardly more than of others."""
    reach = np.where(known, _CALM * scale, np.inf)
    return np.asarray(calm + share * np.clip(values - calm, -reach, reach))
