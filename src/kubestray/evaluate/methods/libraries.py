"""`half_space_trees` and `loda`: detectors of the libraries river and pysad, to compare with.

Both come with `kubestray[peers]`. A detector sees of an entity what it is given for each point: the latest
value of each metric, and how far it moved. It has the library's own settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from kubestray.baseline.arrays import Floats, Rows
from kubestray.evaluate.methods.base import Fleet, Verdict
from kubestray.model.errors import UsageError

_BOUND = 3.0
"""An alarm is a score this many standard deviations above the mean of the entity's scores before it: the
libraries leave the choice to their users.
"""
_SEED = 1


class Detector(Protocol):
    """What a library's detector is here: the score of a vector by those before it, which it then learns."""

    def score(self, features: Floats) -> float:
        """Return how unusual the features are, and learn them."""
        ...


class HalfSpaceTrees:
    """river's half-space trees, over features scaled to what was seen of them."""

    def __init__(self) -> None:
        try:
            from river import anomaly, preprocessing
        except ImportError as error:
            raise _missing("half_space_trees", "river") from error
        self._model: Any = anomaly.HalfSpaceTrees(seed=_SEED)
        self._scaler: Any = preprocessing.MinMaxScaler()

    def score(self, features: Floats) -> float:
        """Return a number from 0 to 1; 0 until a window of 250 points is full."""
        named = dict(enumerate(features.tolist()))
        self._scaler.learn_one(named)
        scaled = self._scaler.transform_one(named)
        found = float(self._model.score_one(scaled))
        self._model.learn_one(scaled)
        return found


class Loda:
    """pysad's LODA: the mean rarity in histograms of random projections."""

    def __init__(self) -> None:
        try:
            from pysad import models
        except ImportError as error:
            raise _missing("loda", "pysad") from error
        library: Any = models
        self._model = library.LODA(random_state=_SEED)

    def score(self, features: Floats) -> float:
        """Return the mean of -ln of densities, 0 for the first point."""
        found = float(self._model.fit_score_partial(features))
        return found if np.isfinite(found) else 0.0


def _missing(method: str, library: str) -> UsageError:
    return UsageError(f"--method {method} needs the library {library}: pip install 'kubestray[peers]'")


class OfEntities:
    """A detector for each entity."""

    def __init__(self, fleet: Fleet, make: Callable[[], Detector]) -> None:
        self._entity = fleet.entity
        self._detectors = [make() for _ in range(fleet.entities)]
        self._rows = [np.flatnonzero(fleet.entity == one) for one in range(fleet.entities)]
        self._value = np.full(len(fleet.entity), np.nan)
        self._moved = np.zeros(len(fleet.entity))
        self._seen, self._mean, self._square = np.zeros((3, fleet.entities))

    def advance(self, rows: Rows, times: Floats, values: Floats) -> Verdict:
        """Score the entities of the step, one after the other."""
        del times
        before = self._value[rows]
        self._moved[rows] = np.where(np.isnan(before), 0.0, values - before)
        self._value[rows] = values
        present = np.unique(self._entity[rows])
        known = np.nan_to_num(self._value)
        score = np.array([
            self._detectors[one].score(np.concatenate([known[self._rows[one]], self._moved[self._rows[one]]]))
            for one in present.tolist()
        ], dtype=np.float64)  # fmt: skip
        return Verdict(present, score, self._alarms(present, score))

    def _alarms(self, present: Rows, score: Floats) -> np.ndarray:
        """Hold scores against those before them, and learn them."""
        seen, mean = self._seen[present], self._mean[present]
        spread = np.sqrt(self._square[present] / np.maximum(seen, 1.0))
        off = score - mean
        self._seen[present] = seen + 1.0
        self._mean[present] = mean + off / (seen + 1.0)
        self._square[present] += off * (score - self._mean[present])
        return np.asarray((seen >= 2) & (off > _BOUND * spread))
