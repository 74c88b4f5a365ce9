"""Bins of a search, judged for people: which rows are alarms, what was expected, between which limits.

A profile learns whatever comes; which alarms are told depends on what is asked as well: how large an effect
must be, and if an entity that is not known yet is judged by its peers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kubestray.baseline.arrays import Flags, Floats, Ints
from kubestray.baseline.bands import limits
from kubestray.baseline.peers import by_peers
from kubestray.baseline.profile import Bin, Key, Profile
from kubestray.baseline.stray import LEARNING, LEARNING_SECONDS, READY, STALE, STALE_SECONDS, Direction

PEERS = "peers"
BY_SCORE, BY_RISE, BY_PEERS = "score", "rise", "peers"
HELD = "held"
"""The reason of what is no alarm because its group has none left: see `kubestray.baseline.alerts`."""
FAMILIAR = "familiar"
"""The reason of what is no alarm because it happens every day: see `kubestray.baseline.familiar`."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which alarms are wanted: the direction that counts, and how far a metric must at least be from what was
    expected, in its own unit and as a ratio.

    With ``annotate`` all rows are told, not only alarms; with ``held`` those that were held back, or are
    familiar.
    """

    direction: Direction = "both"
    min_change: float = 0.0
    min_ratio: float = 1.0
    annotate: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What is told of a bin; arrays are by entity, or (entities, metrics) with NaN for what is not known.

    ``threshold`` is the score above which an entity alarms; ``reason`` says why there is one, ``shown`` what
    is told.
    """

    time: float
    metrics: tuple[str, ...]
    keys: list[Key]
    score: Floats
    threshold: Floats
    alert: Flags
    shown: Flags
    state: list[str]
    reason: list[str | None]
    expected: Floats
    lower: Floats
    upper: Floats
    rarity: Floats

    def fields(self, index: int) -> dict[str, Any]:
        """Return what is added to the row of an entity; what is not known is left out."""
        made: dict[str, Any] = {
            "score": float(self.score[index]),
            "threshold": float(self.threshold[index]),
            "alert": int(self.alert[index]),
            "stray_state": self.state[index],
        }
        if self.reason[index] is not None:
            made["stray_reason"] = self.reason[index]
        for place, name in enumerate(self.metrics):
            parts = (self.expected, self.lower, self.upper, self.rarity)
            for part, values in zip(ADDED, parts, strict=True):
                value = float(values[index, place])
                if math.isfinite(value):
                    made[f"{part}_{name}"] = value
        return made


ADDED = ("expected", "lower", "upper", "score")
"""What is added for each metric, as NAME_METRIC."""
OF_ENTITY = ("score", "threshold", "alert", "stray_state", "stray_reason")


@dataclass(slots=True)
class Judge:
    """Takes rows into a profile and judges them; by a ``threshold`` of its own, if it has one."""

    profile: Profile
    question: Question
    threshold: float | None = None

    def take(
        self,
        times: Floats,
        keys: Sequence[Key],
        key_of: Ints,
        values: Floats,
        report_from: float,
        groups: Ints | None = None,
    ) -> Iterator[Judged]:
        """Learn from rows and yield what is told of the bins that start at ``report_from`` or later.

        The arguments are those of `Profile.advance`; ``groups`` (rows) tells which entities are peers.
        """
        group_of: dict[Key, int] = {}
        if groups is not None:
            codes, first = np.unique(key_of, return_index=True)
            group_of = {keys[code]: int(groups[row]) for code, row in zip(codes, first, strict=True)}
        # What is told depends on what was told before, so then every bin is judged.
        judge_from = -math.inf if self.profile.alerts else report_from
        for found in self.profile.advance(times, keys, key_of, values, judge_from):
            judged = self.judged(found, group_of)
            if found.time >= report_from:
                yield judged

    def judged(self, found: Bin, group_of: Mapping[Key, int] | None = None) -> Judged:
        """Return what is told of a bin that the profile has just learned."""
        group_of = group_of or {}
        fleet, width = self.profile.fleet, len(self.profile.form.metrics)
        place = np.searchsorted(found.entities, fleet.entity[found.rows])
        metric = found.rows % width
        shape = (len(found.keys), width)
        expected = _spread(found.views.expected(), place, metric, shape)
        rarity = _spread(found.scores.deciding(place), place, metric, shape)
        score, alert = found.scores.moment.copy(), found.scores.alert.copy()
        rising = np.isin(found.entities, found.scores.rising)
        state = _states(found)
        threshold = fleet.budget.bound(found.entities)
        if self.threshold is not None:
            threshold = np.full(len(score), self.threshold)
            known = np.array([one != LEARNING for one in state])
            alert = known & (score > threshold) | rising
        reason: list[str | None] = [BY_RISE if is_rising else BY_SCORE for is_rising in rising]
        learning = [n for n, one in enumerate(state) if one == LEARNING]
        if group_of and learning:
            group = np.array([group_of.get(key, -1) for key in found.keys])
            theirs, middle = by_peers(group, learning, found.values, self.question.direction)
            for n, own, usual in zip(learning, theirs, middle, strict=True):
                if math.isfinite(own):
                    state[n], reason[n], score[n] = PEERS, BY_PEERS, own
                    alert[n] = own > threshold[n]
                    expected[n] = usual
        alert &= rising | self._large(found.values, expected, rarity)
        familiar = self._familiar(found, place, alert & ~rising, expected, rarity)
        alert &= ~familiar
        held = self._held(found, alert, score)
        alert &= ~held
        shown = held | familiar if self.question.held else alert
        if self.question.annotate:
            shown = np.ones(len(alert), dtype=bool)
        lower, upper = np.full(shape, np.nan), np.full(shape, np.nan)
        wanted = np.flatnonzero(shown[place])
        if len(wanted):
            own = limits(fleet, found.rows[wanted], found.views.of(wanted))
            lower[place[wanted], metric[wanted]] = own.lower
            upper[place[wanted], metric[wanted]] = own.upper
        reasons = [one if is_alert else None for one, is_alert in zip(reason, alert, strict=True)]
        for why, quiet in ((HELD, held), (FAMILIAR, familiar)):
            for n in np.flatnonzero(quiet).tolist():
                reasons[n] = why
        return Judged(
            found.time, self.profile.form.metrics, found.keys, score, threshold, alert, shown,
            state, reasons, expected, lower, upper, rarity,
        )  # fmt: skip

    def _held(self, found: Bin, alert: Flags, score: Floats) -> Flags:
        """Return which alarms are held back, and take the others into account."""
        budget = self.profile.alerts
        if budget is None or not alert.any():
            return np.zeros(len(alert), dtype=bool)
        places = [self.profile.form.keys.index(name) for name in budget.asked.within]
        groups = [tuple(key[place] for place in places) for key in found.keys]
        doubt = self.profile.fleet.budget.doubt(score)
        return alert & ~budget.tell(found.time, found.keys, groups, alert, doubt)

    def _large(self, values: Floats, expected: Floats, rarity: Floats) -> Flags:
        """Return which entities have a metric that is rare, and as far from what was expected as is asked."""
        question = self.question
        if question.min_change <= 0 and question.min_ratio <= 1:
            return np.ones(len(values), dtype=bool)
        change = values - expected
        with np.errstate(divide="ignore", invalid="ignore"):
            up = np.where(change > 0, np.abs(values) / np.abs(expected), 0.0)
            down = np.where(change < 0, np.abs(expected) / np.abs(values), 0.0)
        ratio = {"up": up, "down": down, "both": np.fmax(up, down)}[question.direction]
        change = {"up": change, "down": -change, "both": np.abs(change)}[question.direction]
        enough = (change >= question.min_change) & (ratio >= question.min_ratio)
        return np.asarray((_rare(rarity) & enough).any(axis=1))

    def _familiar(self, found: Bin, place: Ints, alert: Flags, expected: Floats, rarity: Floats) -> Flags:
        """Return which alarms are familiar: all their rare metrics are, on as many days as is asked for."""
        daily, asked = self.profile.fleet.familiar, self.profile.form.familiar_days
        if daily is None or not alert.any():
            return np.zeros(len(alert), dtype=bool)
        metric = found.rows % len(self.profile.form.metrics)
        looked = np.flatnonzero((alert[:, None] & _rare(rarity))[place, metric])
        of, at = place[looked], metric[looked]
        days = daily.days(found.rows[looked], found.time, found.values[of, at], expected[of, at])
        news = np.bincount(of, weights=days < asked, minlength=len(alert)) > 0
        return alert & ~news


def _rare(rarity: Floats) -> Flags:
    """Return which metrics make an entity rare, of (entities, metrics): those half as rare as its rarest."""
    known = np.nan_to_num(rarity)
    return np.asarray(known >= known.max(axis=1, keepdims=True) / 2)


def _states(found: Bin) -> list[str]:
    lived, away = found.time - found.first, found.time - found.last
    new = ~(lived >= LEARNING_SECONDS)
    return [
        LEARNING if is_new else STALE if gone > STALE_SECONDS else READY
        for is_new, gone in zip(new, away, strict=True)
    ]


def _spread(values: Floats, place: Ints, metric: Ints, shape: tuple[int, int]) -> Floats:
    """Return the values of rows as (entities, metrics)."""
    made = np.full(shape, np.nan)
    made[place, metric] = values
    return made
