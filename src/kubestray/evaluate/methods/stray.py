"""`stray`: the product's own method, as it runs live."""

from __future__ import annotations

from kubestray.baseline.arrays import Floats, Rows
from kubestray.baseline.stray import Stray
from kubestray.evaluate.methods.base import Fleet, Verdict


class StrayMethod:
    """The fleet of `kubestray.baseline.stray`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = Stray(fleet.entity, fleet.step, fleet.per_day)

    def advance(self, rows: Rows, times: Floats, values: Floats) -> Verdict:
        """Score the step."""
        scores = self._fleet.advance(rows, times, values)
        return Verdict(scores.entities, scores.score, scores.alert)
