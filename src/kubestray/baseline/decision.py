"""When a score is an alarm: one threshold for a fleet, steered so that false alarms come at the rate asked
for.

The highest score of each entity-hour of the fleet goes into one histogram. If all findings were false, the
threshold for a rate would be a quantile of it. But incidents are in it too, and they would use up the
budget: they score far above the threshold, where scores of normal hours fall off fast. So only hours in a
band above the threshold are charged to the budget. The band is narrower the rarer the rate, as normal
scores fall off faster there. Where a fleet has seen few of its rare hours, they are told by its usual ones.
In its first days much of what it did may be incidents: where these stand apart from its other hours, they
tell nothing of what is usual, nor does what lies higher than usual hours of any fleet do. Measured in
docs/decisions/0011-stray.md, 0035-rare-hours.md, 0041-first-days.md, 0044-seen-once.md and
0048-first-hours.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubestray.baseline.arrays import Arrays, Flags, Floats, Rows

HOUR = 3600.0
LOWEST, WIDTH, BINS = -6.0, 0.05, 800
HALF_LIFE_HOURS = 240.0
PRIOR_FINDINGS = 12.0
"""How many false findings what is expected of a fleet's rare hours is worth beside those that were seen. A
fleet of few entities has so few of them for weeks that a single incident of a day would be most of them.
"""

OWN_TIMES, OWN_HOURS, OWN_FREE = 10.0, 24.0, 2.0
"""An entity may be over its bound this many times as often as is asked for, as if it were a day older, and in
two hours more, as rare ones are no habit.
"""
OWN_WIDTH, OWN_BINS = 0.1, 160

EDGES = LOWEST + WIDTH * np.arange(BINS + 1)

_USUAL_MEDIAN, _USUAL_UPPER, _USUAL_HOURS, _USUAL_FADE = -0.5, 0.8, 16.0, 48.0
"""What the hours of fleets are like: their median, and the distance from it to what a tenth of them exceed.
Some usual hours stand in as long as a fleet has none, half as many in two days.
"""
_USUAL = np.diff(1.0 / (1.0 + np.exp((_USUAL_MEDIAN - EDGES) * np.log(9.0) / _USUAL_UPPER)))

_QUARTER_TO_TENTH, _MOST_TENTH = 2.17, 1.35
_LEAST_UPPER, _MOST_UPPER = 0.3, 1.6
_FALL, _START = 0.362, 0.5
"""How the rare hours of a fleet follow from its usual ones. Its upper half is told by what a tenth of its
hours exceed, and as much by what a quarter does (2.17 times as far), which incidents hardly touch. In this
distance fleets are alike: hours beyond the upper tenth get rarer by a factor of e in 0.362 of it, as if they
began 0.5 times that above the median.
"""
_YOUNG = 0.5
"""In a fleet that is not known yet they may get rarer slower by this share."""

_BAND, _BAND_RATE, _BAND_POWER = 1.62, 0.2, 0.25
"""How wide the band is, in distances that hours get rarer by a factor of e in, at a rate of 0.2 a day."""
_CHARGE, _CHARGE_POWER = 0.68, 0.2
"""Share of the hours in the band that are charged: the rest stands for incidents that barely show. It is
more at higher rates, where the band lies among normal hours, and at lower ones, where a narrow band already
leaves out most of what is above it.
"""
_TRUSTED_HOURS = 130.0
"""In this age a fleet is half as young, and half of what the band is spared is in force. At first all of it
is charged: what scores high in a young fleet is what was not seen yet, and hardly an incident.
"""


_SHARES = np.append(np.arange(0.02, 0.8, 0.02)[::-1], 0.0)
"""Shares of a fleet's hours that may be incidents, from the largest to none."""
_MOST_INCIDENTS, _FEWER_HOURS = 0.8, 24.0
"""As large a share of a new fleet's hours may stand apart, half as large a one in this age."""
_BEYOND, _GAP, _FOUND, _APART = 1.9, 1.2, 0.85, 0.8
"""Incidents are what lies 1.9 times the distance to the upper tenth above the median of the other hours. So
much of their share has to be there, and so much of that beyond a gap of 1.2 times this distance: what is
usual gets rarer without one.
"""
_IDLE = -1.2
"""Hours whose median is below it are idle, as of metrics that are mostly zero: from these all that happens
stands apart.
"""
_HIGH, _HIGHER = 0.1, 0.01
"""A tenth of a new fleet's usual hours lie above this score, at most; so much higher with each hour of its
age. Scores are distances in tails of an entity's own, so usual hours lie nearly alike in all fleets: where
more lie higher, some are incidents. The fewest are taken for incidents that leave the others so.
"""


def _body(histogram: Floats, age: float) -> tuple[float, float]:
    """Return the median of a fleet's usual hours, and the fall of their scores: in which distance rare ones
    get rarer by a factor of e.
    """
    below = np.cumsum(histogram + _USUAL_HOURS * np.exp2(-age / _USUAL_FADE) * _USUAL)
    shares = np.array([[0.5], [0.75], [0.9]]) * (1.0 - _SHARES)
    median, quarter, tenth = np.interp(shares * below[-1], below, EDGES[1:])
    half = _QUARTER_TO_TENTH * (quarter - median)
    upper = np.clip(np.sqrt(half * np.minimum(tenth - median, _MOST_TENTH * half)), _LEAST_UPPER, _MOST_UPPER)
    at = _incidents(below, median, upper, age)
    return float(median[at]), float(_FALL * upper[at])


def _young(age: float) -> float:
    """Return how young a fleet of this age, in hours, is: 1 at first, half as much in `_TRUSTED_HOURS`."""
    return float(np.exp2(-age / _TRUSTED_HOURS))


def _slower(fall: float, age: float) -> float:
    """Return the fall of rare hours that is believed of a fleet of this age."""
    return fall * (1.0 + _YOUNG * _young(age))


def _incidents(below: Floats, median: Floats, upper: Floats, age: float) -> int:
    """Return the place in `_SHARES` of how much of a fleet's hours are incidents.

    ``below`` (bins) is how many hours are up to the end of each bin; ``median`` and ``upper`` (shares), the
    distance to the upper tenth, are of the hours that are left without each share.
    """
    apart = median + _BEYOND * upper
    above = 1.0 - np.interp(np.stack([apart, apart + _GAP * upper]), EDGES[1:], below) / below[-1]
    busy = median > _IDLE
    found = busy & (above[0] >= _FOUND * _SHARES) & (above[1] >= _APART * above[0])
    found &= (_SHARES > 0.0) & (_MOST_INCIDENTS * np.exp2(-age / _FEWER_HOURS) > _SHARES)
    if found.any():
        return int(np.argmax(found))
    low = busy & (median + upper <= _HIGH + _HIGHER * age)
    if low.any():
        return int(np.flatnonzero(low)[-1])
    return int(np.argmax(busy)) if busy.any() else len(_SHARES) - 1


def _prior(per_day: float, median: float, fall: float) -> Floats:
    """Return the histogram of a fleet of no incidents."""
    above = np.minimum(1.0, 0.5 * np.exp(_START - (EDGES - median) / fall))
    share = above[:-1] - above[1:]
    share[0] += 1.0 - above[0]
    return np.asarray(24.0 * PRIOR_FINDINGS / per_day * share)


class FleetBudget(Arrays):
    """The threshold of a fleet of ``entities``; ``per_day`` is the asked rate of false findings per entity-
    day.
    """

    fields = ("histogram", "peak", "clock", "age", "threshold", "own_bound")
    rows_first = ("own",)
    shared = ("histogram", "clock", "age", "threshold")

    def __init__(self, entities: int, per_day: float) -> None:
        self.per_day = per_day
        self.histogram = np.zeros(BINS)
        self.peak = np.full(entities, -np.inf)
        self.clock = np.full(1, -1, dtype=np.int64)
        self.age = np.zeros(1)  # in hours
        self.threshold = np.full(1, threshold(self.histogram, per_day))
        self.own = np.zeros((entities, OWN_BINS), dtype=np.float32)
        self.own_bound = np.full(entities, -np.inf)

    def bound(self, rows: Rows) -> Floats:
        """Return the score that each entity must exceed: the fleet's, or its own if that is higher."""
        return np.asarray(np.maximum(self.own_bound[rows], self.threshold[0]))

    def doubt(self, score: Floats) -> Floats:
        """Return how likely alarms of these scores are false, from 0 to 1.

        It is the share of false ones among hours as high: false ones come at the rate asked for at the
        threshold, and get rarer above it as those of a fleet of no incidents do; how many hours were as
        high was counted.
        """
        age = float(self.age[0])
        fall = _slower(_body(self.histogram, age)[1], age)
        beyond = np.exp(-np.maximum(score - self.threshold[0], 0.0) / fall)
        expected = (self.histogram.sum() * self.per_day / 24.0 + PRIOR_FINDINGS) * beyond
        above = np.cumsum(self.histogram[::-1])[::-1]
        place = np.clip((score - LOWEST) / WIDTH, 0, BINS - 1).astype(np.int64)
        return np.asarray(np.minimum(1.0, expected / np.maximum(above[place] + PRIOR_FINDINGS * beyond, 1.0)))

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the arrays of a dump; one that does not tell how old its fleet is was of an old one."""
        super().load({"age": np.full(1, HALF_LIFE_HOURS)} | arrays)

    def advance(self, rows: Rows, times: Floats, score: Floats, counted: Flags | None = None) -> Flags:
        """Take the scores of a step and tell which are alarms, judged by the hours before this one.

        Scores that are not ``counted`` cannot be alarms, whatever they are, so they tell nothing of what
        alarms come to.
        """
        if not len(times):
            return np.zeros(0, dtype=bool)
        hour = int(times.max() // HOUR)
        if hour > self.clock[0]:
            self._close(hour)
        heard = score if counted is None else np.where(counted, score, -np.inf)
        self.peak[rows] = np.maximum(self.peak[rows], heard)
        return np.asarray(heard > self.bound(rows))

    def _close(self, hour: int) -> None:
        at = np.flatnonzero(self.peak > -np.inf)
        if len(at):
            kept = self._kept(hour)
            above = self.peak[at] - LOWEST
            self.histogram *= kept
            place = np.clip(above / WIDTH, 0, BINS - 1).astype(np.int64)
            self.histogram += np.bincount(place, minlength=BINS)
            self.threshold[0] = threshold(self.histogram, self.per_day, self.age[0])
            self.own *= np.float32(kept)
            self.own[at, np.clip(above / OWN_WIDTH, 0, OWN_BINS - 1).astype(np.int64)] += 1.0
            self._bind()
        self.clock[0] = hour
        self.peak[:] = -np.inf

    def _kept(self, hour: int) -> float:
        """Return the share of what was known that still holds: a young fleet forgets its first hours, in
        which everything is new, as fast as it grows older.
        """
        if self.clock[0] < 0:
            return 1.0
        self.age[0] += hour - self.clock[0]
        return float(np.exp2(-(hour - self.clock[0]) / min(HALF_LIFE_HOURS, self.age[0])))

    def _bind(self) -> None:
        """Work out the bound of each entity from its own hours."""
        reached = np.cumsum(self.own[:, ::-1], axis=1)[:, ::-1]
        allowed = OWN_TIMES * self.per_day / 24.0 * (reached[:, :1] + OWN_HOURS) + OWN_FREE
        often = (reached > allowed).sum(axis=1)
        self.own_bound[:] = np.where(often > 0, LOWEST + OWN_WIDTH * often, -np.inf)

    def merge(self, other: FleetBudget) -> None:
        """Add the hours of another state of the fleet, decayed to the later of both clocks."""
        now = max(self.clock[0], other.clock[0])
        for part, into in ((self, False), (other, True)):
            if part.clock[0] < 0:
                continue
            kept = np.exp2(-(now - part.clock[0]) / HALF_LIFE_HOURS)
            self.histogram = self.histogram + part.histogram * kept if into else part.histogram * kept
            own = part.own * np.float32(kept)
            self.own = self.own + own if into else own
        self.clock[0] = now
        self.age[0] = max(self.age[0], other.age[0])
        self.threshold[0] = threshold(self.histogram, self.per_day, self.age[0])
        self._bind()


def threshold(histogram: Floats, per_day: float, age: float = 0.0) -> float:
    """Return the lowest score above which the band is always within the rate; ``age`` is that of the fleet
    in hours.
    """
    median, fall = _body(histogram, age)
    young = _young(age)
    hours = histogram + _prior(per_day, median, _slower(fall, age))
    width = max(1, round(_BAND * fall * (per_day / _BAND_RATE) ** _BAND_POWER / WIDTH))
    above = np.cumsum(hours[::-1])[::-1]
    band = above - np.append(above[width:], np.zeros(min(width, BINS)))[:BINS]
    share = 1.0 - (1.0 - _CHARGE) * (1.0 - young)
    charge = min(1.0, share * max(per_day / _BAND_RATE, _BAND_RATE / per_day) ** _CHARGE_POWER)
    over = np.flatnonzero(band * charge > per_day / 24.0 * above[0])
    return float(LOWEST + WIDTH * (over[-1] + 1)) if len(over) else LOWEST
