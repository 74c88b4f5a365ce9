"""The `stray` score: one causal number for an entity over its metrics, and what each metric gave to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kubestray.baseline.arrays import ALL, Arrays, Flags, Floats, Ints, Rows
from kubestray.baseline.decision import FleetBudget
from kubestray.baseline.familiar import Familiar
from kubestray.baseline.heights import Heights
from kubestray.baseline.lasting import CHANCES, KNOWN_BLOCKS, LATER, lasting, one_of_many
from kubestray.baseline.lingering import Lingering
from kubestray.baseline.once import Once, off_together
from kubestray.baseline.ramps import Ramps
from kubestray.baseline.residuals import DAY, DISTANCES, VIEWS, Residuals
from kubestray.baseline.tails import BLOCK, Prior, Tails
from kubestray.baseline.trust import trust

VIEW_PRIOR = Prior(ln_u=float(np.log(4.0)), ln_u_blocks=100, xi=0.5, xi_blocks=20, decades=1.7)
ENTITY_PRIOR = Prior(ln_u=0.0, ln_u_blocks=150, xi=0.75, xi_blocks=30, decades=3.0)

Direction = Literal["up", "down", "both"]
"""Which way from what is expected counts."""
_SIDES: dict[Direction, tuple[int, ...]] = {"up": (1,), "down": (-1,), "both": (1, -1)}

LEARNING, READY, STALE = "learning", "ready", "stale"
LEARNING_SECONDS = 3600.0
"""An entity raises no alarm on its own account before it was seen for this long."""
STALE_SECONDS = 86400.0
ODD, ODD_COUNTS, ODD_FADES = 1.0, 0.3, 43200.0
"""Of an entity that is new, a block of ten minutes with a higher score than this counts for this share of one
in what tails learn; what it lacks halves in so many seconds of the entity's life. See `Stray._learn_less`.
"""
FARTHEST = 1e150
"""Values beyond it count as it, on either side: squares of what is learned from must be numbers."""
_NEAR = 2.0**-5
"""A distance the other way is learned as hardly any: it is known, and not rare."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What one step gave: ``entities`` by number, in ascending order, and for each its score and if it is
    an alarm. ``score`` lingers (`kubestray.baseline.lingering`), ``moment`` is the one that decides: that of
    the step alone where ``lasts`` is 0, of the last minutes where it is 1, of the last hours where it is 2
    (`kubestray.baseline.lasting`).

    ``metrics`` (rows of the step) is the rarity of each metric, the mean of those of its ``parts`` that are
    of `VIEWS`, weighed by ``trust`` (`VIEWS`, rows). Parts (`DISTANCES`, rows) are -log10 of a probability
    each; ``z`` of the same shape is how many deviations off each view was, signed, where the deviation is
    that of the height at which the metric was expected. ``lasting`` (`residuals.LASTING`, rows) is the rarity
    of each metric over the last minutes and hours.
    ``level`` is what an entity's metrics come to together, in what decides, of which the score is a distance
    in a tail of its own, less ``once``, what does not count yet (`kubestray.baseline.once`). ``rising`` are
    the entities found to be on a slow ramp, which is an alarm whatever the score.
    """

    entities: Ints
    score: Floats
    moment: Floats
    lasts: Ints
    alert: Flags
    metrics: Floats
    parts: Floats
    z: Floats
    trust: Floats
    lasting: Floats
    level: Floats
    once: Floats
    rising: Ints

    def deciding(self, place: Ints) -> Floats:
        """Return the rarity of each metric that its entity's score is made of: of the moment, or of what
        lasts. ``place`` (rows of the step) is that of its entity in ``entities``.
        """
        return np.asarray(np.choose(self.lasts[place], [self.metrics, *self.lasting]))


class Stray:
    """What is known of a fleet: ``entity`` (rows) numbers the entity of each metric, ``step`` (rows) is in
    seconds.

    ``per_day`` is the rate of false findings per entity-day that is asked for. ``phase`` (entities) spreads
    the work of an hour, see `Tails`. With ``daily`` it is kept what each hour of the last days was like.
    """

    def __init__(
        self,
        entity: Ints,
        step: Floats,
        per_day: float = 1 / 30,
        direction: Direction = "both",
        phase: Ints | None = None,
        daily: bool = False,
    ) -> None:
        self.direction = direction
        self.entity = np.asarray(entity, dtype=np.int64)
        self.step = np.asarray(step, dtype=np.float64)
        self.entities = int(self.entity.max()) + 1 if len(self.entity) else 0
        entity_step = np.ones(self.entities)
        np.maximum.at(entity_step, self.entity, self.step)
        self.residuals = Residuals(self.step)
        self.heights = Heights(self.step)
        phase = np.arange(self.entities) if phase is None else phase
        self.views = Tails(
            self.step, VIEW_PRIOR, copies=DISTANCES, phase=phase[self.entity], whose=self.entity
        )
        self.whole = Tails(entity_step, ENTITY_PRIOR, phase=phase)
        self.minutes: Tails | None = Tails(entity_step, ENTITY_PRIOR, phase=phase)
        self.hours: Tails | None = Tails(entity_step, ENTITY_PRIOR, phase=phase)
        self.one_of_many = True
        """Whether one metric that lasts counts by itself; as of a time before it did not."""
        self.odd_counts_less = True
        """Whether new entities learn little of what is odd; as of a time before they did not."""
        self.once: Once | None = Once(entity_step)
        self.budget = FleetBudget(self.entities, per_day)
        self.seen = Seen(self.entities)
        self.lingering = Lingering(entity_step)
        self.ramps = Ramps(self.step, self.entity, self.entities)
        self.familiar = Familiar(len(self.entity), _SIDES[direction]) if daily else None

    def parts(self) -> dict[str, Arrays]:
        """Return the parts of the state by name."""
        some = {"familiar": self.familiar, "minutes": self.minutes, "hours": self.hours, "once": self.once}
        return {
            "residuals": self.residuals, "heights": self.heights, "views": self.views, "whole": self.whole,
            "budget": self.budget, "seen": self.seen, "ramps": self.ramps, "lingering": self.lingering,
            **{name: part for name, part in some.items() if part},
        }  # fmt: skip

    def tails(self) -> list[Tails]:
        """Return the tails of entities: of the moment, the last minutes and the last hours."""
        return [self.whole, *filter(None, (self.minutes, self.hours))]

    def advance(self, rows: Rows, times: Floats, values: Floats) -> Scores:
        """Take the next point of each row and score its entity.

        ``rows`` ascend and name a row once; ``times`` are seconds since 1970 and never fall; values are
        finite, those beyond `FARTHEST` count as it. A score depends on no later point. The cost does not
        depend on how much was seen before.
        """
        values = np.clip(values, -FARTHEST, FARTHEST)
        missed = self.residuals.advance(rows, times, values)
        moving = self.residuals.moving(rows)
        z = self.heights.advance(rows, missed.height, missed.z, moving)
        away = self._away(z)
        self.views.close(rows, times)
        streams = self.views.streams(rows)
        flat = away.ravel()
        parts = self.views.score(streams, flat).reshape(away.shape)
        with np.errstate(divide="ignore"):
            self.views.observe(streams, np.log(flat))
        weight = trust(missed.width, moving)
        metrics = (weight * parts[: len(VIEWS)]).sum(axis=0)
        rising = self.ramps.advance(rows, times, values)
        if self.familiar:
            self.familiar.advance(rows, times, values)
        if self.direction == "down":
            rising = rising[:0]
        return self._fused(self.entity[rows], times, metrics, (parts, z, weight), rising)

    def _away(self, z: Floats) -> Floats:
        """Return how far values are from what each view expected, in the direction that counts."""
        if self.direction == "both":
            return np.abs(z)
        far = z if self.direction == "up" else -z
        return np.where(z == 0.0, 0.0, np.maximum(far, _NEAR))

    def _fused(
        self, whose: Ints, times: Floats, metrics: Floats, views: tuple[Floats, Floats, Floats], rising: Ints
    ) -> Scores:
        """Put the metrics of each entity together, measure the result against the entity's own past,
        decide.
        """
        count = np.bincount(whose, minlength=self.entities)
        present = np.flatnonzero(count)
        at: Rows = ALL if len(present) == self.entities else present
        moment = np.zeros(self.entities)
        np.maximum.at(moment, whose, times)
        moment = moment[present]
        level = _level(together(whose, metrics, count)[present])
        score = _in_tail(self.whole, at, moment, level)
        lasts, long = np.zeros(len(present), dtype=np.int64), lasting(views[0])
        for number, tails in enumerate((self.minutes, self.hours)):
            if tails is None:
                continue
            rarity, later = self._held(number, whose, long[number], count)
            held = _level(rarity[present])
            instead = _in_tail(tails, at, moment, held) - later[present]
            decides = self._known(tails, at, KNOWN_BLOCKS[number]) & (instead > score)
            lasts[decides] = number + 1
            score, level = np.where(decides, instead, score), np.where(decides, held, level)
        once = np.zeros(len(present))
        if self.once:
            off = off_together(whose, metrics, self.entities)[present]
            once = self.once.advance(at, moment, score, off)
            score = score - once
        lived = self.seen.advance(at, moment)
        if self.odd_counts_less:
            self._learn_less(present, score, lived)
        alert = self.budget.advance(at, moment, score, lived >= LEARNING_SECONDS)
        alert |= np.isin(present, rising)
        lingering = self.lingering.advance(at, score)
        return Scores(present, lingering, score, lasts, alert, metrics, *views, long, level, once, rising)

    def _learn_less(self, present: Ints, score: Floats, lived: Floats) -> None:
        """Have what is odd of new entities teach their tails little.

        Of five hours a fault in every second one would soon be what is usual, if it were learned like any
        other. What still comes back when an entity is known is usual, and is learned as it is. It goes by
        the score alone, so that no other entity has a say.
        """
        lacking = np.where(score > ODD, (1.0 - ODD_COUNTS) * np.exp2(-lived / ODD_FADES), 0.0)
        odd = np.flatnonzero(lacking > 0.01)
        if not len(odd):
            return
        share = np.ones(self.entities)
        share[present[odd]] = 1.0 - lacking[odd]
        for tails in self.tails():
            tails.discount(present[odd], share[present[odd]])
        rows = np.flatnonzero(share[self.entity] < 1.0)
        self.views.discount(rows, share[self.entity[rows]])

    def _held(self, number: int, whose: Ints, rarity: Floats, count: Ints) -> tuple[Floats, Floats]:
        """Return the rarity of entities over the last minutes (0) or hours (1), and how much higher its score
        has to be than that of a moment.
        """
        later = np.full(len(count), LATER[number])
        if number == 0 and self.one_of_many:
            return one_of_many(whose, rarity, count), later + CHANCES * np.log(np.maximum(count, 1))
        return together(whose, rarity, count), later

    def _known(self, tails: Tails, at: Rows, blocks: float) -> Flags:
        """Return which entities have seen enough of what lasts: all their lives, and at least ``blocks``; a
        day where they were known before it was looked at.
        """
        needed = np.minimum(np.maximum(self.whole.blocks[at], blocks), DAY / BLOCK)
        return np.asarray(tails.blocks[at] >= needed)

    def state(self, now: float) -> list[str]:
        """Tell for each entity if it is learning, ready or stale at a time in seconds since 1970."""
        return [
            STALE if now - last > STALE_SECONDS else READY if last - first >= LEARNING_SECONDS else LEARNING
            for first, last in zip(self.seen.first, self.seen.last, strict=True)
        ]


def _in_tail(tails: Tails, at: Rows, times: Floats, level: Floats) -> Floats:
    """Return how far levels are in the tails of their entities, which learn from them."""
    tails.close(at, times)
    score = (level - tails.ln_u[at]) / np.sqrt(tails.xi[at])
    tails.observe(at, level)
    return np.asarray(score)


def _level(rarity: Floats) -> Floats:
    """Return the rarity of entities on the scale of their tails."""
    return np.asarray(3.0 * np.log(rarity + 0.5))


def together(whose: Ints, metrics: Floats, count: Ints) -> Floats:
    """Return the rarity of each entity from that of its metrics: half way from their mean to their power
    mean.

    Agreement of many metrics is what the mean sees; one metric of many is lost in it and shows in the root
    of the mean square. ``count`` is how many metrics each entity has here; an entity without any gets 0.
    """
    some = np.maximum(count, 1)
    mean = np.bincount(whose, weights=metrics, minlength=len(count)) / some
    square = np.bincount(whose, weights=metrics * metrics, minlength=len(count)) / some
    return np.asarray((mean + np.sqrt(square)) / 2)


class Seen(Arrays):
    """When each entity was first and last seen, in seconds since 1970."""

    fields = ("first", "last")

    def __init__(self, entities: int) -> None:
        self.first = np.full(entities, np.inf)
        self.last = np.full(entities, -np.inf)

    def advance(self, rows: Rows, times: Floats) -> Floats:
        """Note a time for each row, and return how long it has been seen."""
        self.first[rows] = np.minimum(self.first[rows], times)
        self.last[rows] = np.maximum(self.last[rows], times)
        return np.asarray(times - self.first[rows])
