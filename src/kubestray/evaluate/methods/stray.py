"""`stray`: the product's own method, as it runs live."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kubestray.baseline.arrays import Floats, Ints, Rows
from kubestray.baseline.profile import phase_of
from kubestray.baseline.stray import Stray
from kubestray.evaluate.methods.base import Fleet, Verdict


class StrayMethod:
    """The fleet of `kubestray.baseline.stray`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = Stray(fleet.entity, fleet.step, fleet.per_day, phase=phases(fleet.names))

    def advance(self, rows: Rows, times: Floats, values: Floats) -> Verdict:
        """Score the step."""
        scores = self._fleet.advance(rows, times, values)
        return Verdict(scores.entities, scores.score, scores.alert)


def phases(names: Sequence[str]) -> Ints:
    """Return when in an hour each entity is worked out anew (`phase_of`): by its name, as it is live, so that
    a score does not depend on the order in which files list entities.
    """
    return np.array([phase_of((name,)) for name in names], dtype=np.int64)
