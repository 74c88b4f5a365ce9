"""What would be missed: the smallest attack on an entity that would have been an alarm, found by injection.

An attack adds the same amount to a metric in each bin of a stretch: bytes that leave, processor time that is
stolen, connections of a scan. It is put on top of what the entity really did then, and the profile as it was
before judges it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kubestray.baseline import profile
from kubestray.baseline.arrays import Floats
from kubestray.baseline.judging import Judge, Question
from kubestray.baseline.profile import Profile

_ROUNDS = 20
_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest attack that is found: how much in ``each`` bin, and in all of them; ``seconds`` long.

    All smaller ones are missed. Both are infinite if none is found: the entity is learning, or it only counts
    what is less than usual.
    """

    metric: str
    seconds: float
    each: float
    total: float


def smallest_detected(
    before: Profile,
    times: Sequence[float],
    values: Floats,
    metric: int,
    question: Question | None = None,
    threshold: float | None = None,
) -> Detectable:
    """Return the smallest attack on a metric of a single entity in some bins that makes one an alarm.

    ``before`` is the profile before the bins, and stays as it is; ``times`` are their starts, ``values``
    (bins, metrics) what the entity did, NaN where nothing is known. Raise `ValueError` without bins.
    """
    if not len(times):
        raise ValueError("an attack needs a bin to be in")
    question = dataclasses.replace(question or Question(before.form.direction), annotate=True)
    state, own = before.dump(), np.asarray(times, dtype=np.float64)
    codes = np.zeros(len(own), dtype=np.int64)

    def found(each: float) -> bool:
        attacked = values.copy()
        attacked[:, metric] = np.nan_to_num(attacked[:, metric]) + each
        judge = Judge(profile.load(state), question, threshold)
        return any(one.alert.any() for one in judge.take(own, before.names, codes, attacked, -math.inf))

    name, seconds = before.form.metrics[metric], len(own) * before.form.step
    each = _smallest(found, _unit(values[:, metric]))
    return Detectable(name, seconds, each, each * len(own))


def _unit(values: Floats) -> float:
    """Return something to begin with: what the metric is about, 1 for one that is always 0."""
    known = np.abs(values[np.isfinite(values)])
    return float(known.mean()) * 1e-6 or 1.0 if len(known) else 1.0


def _smallest(found: Callable[[float], bool], unit: float) -> float:
    if found(0.0):
        return 0.0
    low, high = 0.0, unit
    for _ in range(_DOUBLINGS):
        if found(high):
            break
        low, high = high, high * 2.0
    else:
        return math.inf
    for _ in range(_ROUNDS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if found(middle) else (middle, high)
    return high
