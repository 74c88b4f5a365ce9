"""What a method is to `evaluate`: a fleet that takes one step of points at a time and says what it thinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kubestray.baseline.arrays import Flags, Floats, Ints, Rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """Scores of the entities of a step, in ascending order of their number, and which of them are alarms."""

    entities: Ints
    score: Floats
    alert: Flags


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a method is made for: rows (metrics of entities), each with its entity and its step in seconds.

    ``per_day`` is the asked rate of false findings per entity-day; simple methods have none and ignore it.
    ``names`` are those of the entities, by their number; what is done at certain times goes by them, never by
    a number, which depends on the order of files.
    """

    entity: Ints
    step: Floats
    entities: int
    per_day: float
    names: Sequence[str]


class Method(Protocol):
    """A causal method: a verdict depends on no later step."""

    def advance(self, rows: Rows, times: Floats, values: Floats) -> Verdict:
        """Take the next points; see `kubestray.baseline.stray.Stray.advance`."""
        ...


def highest(entity: Ints, score: Floats, entities: int) -> tuple[Ints, Floats]:
    """Return the entities of a step and the highest score of the metrics of each."""
    whole = np.full(entities, -np.inf)
    np.maximum.at(whole, entity, score)
    present = np.flatnonzero(whole > -np.inf)
    return present, whole[present]


class ByMetric:
    """A method that scores each metric by itself; the entity has the highest, an alarm is a score above a
    bound.
    """

    bound = 3.0

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.n = len(fleet.entity)

    def advance(self, rows: Rows, times: Floats, values: Floats) -> Verdict:
        """Score the metrics, then the entities."""
        present, score = highest(
            self.fleet.entity[rows], self.score(rows, times, values), self.fleet.entities
        )
        return Verdict(present, score, score > self.bound)

    def score(self, rows: Rows, times: Floats, values: Floats) -> Floats:
        """Return the score of each row of the step, finite."""
        raise NotImplementedError
