"""Why a score is what it is: its parts, what was expected, what would have been quiet, and the evidence.

An `Explanation` is worked out from a profile of the single entity as it was before a stretch of bins, and
those bins; both are in its JSON form, from which `recompute` works it out again without a store.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard

from kubestray.baseline import profile, snapshot
from kubestray.baseline.arrays import Floats
from kubestray.baseline.judging import Judge, Judged, Question
from kubestray.baseline.profile import Bin, Profile
from kubestray.baseline.residuals import LASTING, VIEWS
from kubestray.baseline.tails import BLOCK, TAIL_SHARE
from kubestray.model.errors import KubestrayError

DAY = 86400.0
_ROUNDS = 24


@dataclass(frozen=True, slots=True)
class View:
    """One of the five residuals of a metric: what it expected, how many of its deviations the value was
    off, the tail by which that is judged (one block of ten minutes in ten exceeds ``usual_high``), its
    score, -log10 of how probable a block with as much is, and its ``weight`` among the views of the metric,
    which come to 1. None where the view does not know enough yet.
    """

    name: str
    expected: float | None
    deviations: float
    usual_high: float
    tail_index: float
    score: float
    weight: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the entity: its value, what was expected, the limits beyond which it alone would have
    fired.

    ``quiet`` is the nearest value with which, all else the same, there would have been no alarm: None if
    there is none, or was no alarm. ``score`` is the mean of the scores of its ``views``, as they weigh,
    ``lasting`` that of the last minutes, or hours where these decide.
    """

    name: str
    value: float
    expected: float | None
    lower: float | None
    upper: float | None
    quiet: float | None
    score: float
    lasting: float
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rest is worked out from: the profile before the bins, the bins of the entity (None where
    there was no value), the threshold that was in force, and the question that was asked.
    """

    state: str
    times: tuple[float, ...]
    values: tuple[tuple[float | None, ...], ...]
    threshold: float
    question: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an entity was, or was not, an alarm at a time; times in seconds since 1970.

    ``level`` is what the scores of the metrics come to together, in this moment or, if ``lasting``, over
    the last minutes or hours (``over`` is the half-life of the mean in seconds); ``usual_level`` is exceeded
    by one block of ten minutes in ten of this entity, and ``tail_index`` tells how heavy its tail is: from
    them comes the ``score``, of which ``once`` does not count, as the bin before did not score as high. It is
    an alarm above ``threshold``.
    ``expected_per_day`` is how often the entity is expected to come to such a level.
    ``asked_per_day`` is the budget. ``configuration`` tells the search from others, ``version`` what the
    numbers of the profile mean.
    """

    entity: dict[str, str]
    time: float
    step: float
    alert: bool
    reason: str | None
    state: str
    score: float
    threshold: float
    lasting: bool
    over: float
    level: float
    usual_level: float
    tail_index: float
    expected_per_day: float
    once: float
    asked_per_day: float
    metrics: tuple[Metric, ...]
    known_since: float
    learned_until: float
    version: int
    configuration: str
    evidence: Evidence

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as JSON has it: what `recompute` takes."""
        found: dict[str, Any] = dataclasses.asdict(self)
        if self.version <= snapshot.WITHOUT_ONCE:
            del found["once"], found["over"]
        if self.version <= snapshot.WITHOUT_MINUTES:
            for part in (found, *found["metrics"]):
                del part["lasting"]
        return found


def explain(
    before: Profile,
    times: Sequence[float],
    values: Floats,
    threshold: float | None = None,
    question: Question | None = None,
    configuration: str = "",
) -> Explanation:
    """Explain the last of some bins of the single entity of a profile, which learns the bins by that.

    ``times`` are the starts of the bins, ascending, ``values`` (bins, metrics) with NaN where there is
    none; ``threshold`` is the one in force for the entity (None: that of the profile). Raise `ValueError`
    if the profile is not of a single entity, or if there is nothing in the last bin.
    """
    if len(before.names) != 1 or not len(times) or not np.isfinite(values[-1]).any():
        raise ValueError("an explanation is of one entity, in a bin in which it has values")
    question = question or Question(before.form.direction)
    told = [tuple(float(v) if math.isfinite(v) else None for v in row) for row in values.tolist()]
    state = base64.b64encode(zstandard.compress(before.dump())).decode("ascii")
    until = before.until
    _take(before, times[:-1], values[:-1])
    judged, found, after = _last(before, times[-1], values[-1], threshold, question)
    evidence = Evidence(
        state, tuple(map(float, times)), tuple(told), float(judged.threshold[0]), dataclasses.asdict(question)
    )
    fleet, alert, lasts = after.fleet, bool(judged.alert[0]), int(found.scores.lasts[0])
    tails = (fleet.whole, fleet.minutes, fleet.hours)[lasts] or fleet.whole
    ln_u, xi, level = float(tails.ln_u[0]), float(tails.xi[0]), float(found.scores.level[0])
    blocks = DAY / max(BLOCK, before.form.step)
    metrics = tuple(
        _metric(
            before,
            judged,
            found,
            after,
            place,
            values[-1],
            _quiet(before, times[-1], values[-1], place, judged, question),
        )
        for place in np.flatnonzero(np.isfinite(values[-1])).tolist()
    )
    return Explanation(
        dict(zip(before.form.keys, before.names[0], strict=True)), float(times[-1]), before.form.step, alert,
        judged.reason[0], judged.state[0], float(judged.score[0]), float(judged.threshold[0]),
        lasts > 0, LASTING[lasts - 1] if lasts else 0.0, level, ln_u, xi,
        TAIL_SHARE * blocks * math.exp(-(level - ln_u) / xi), float(found.scores.once[0]),
        before.form.per_day, metrics,
        float(found.first[0]) if math.isfinite(found.first[0]) else float(times[-1]), until,
        snapshot.version_of(fleet), configuration, evidence,
    )  # fmt: skip


def recompute(document: Mapping[str, Any]) -> Explanation:
    """Work an explanation out again from its JSON form alone; raise `KubestrayError` if that cannot be
    read.
    """
    try:
        evidence = document["evidence"]
        state = zstandard.decompress(base64.b64decode(evidence["state"]))
        values = np.array(
            [[math.nan if v is None else v for v in row] for row in evidence["values"]], dtype=np.float64
        )
        question = Question(**evidence["question"])
        times, threshold = evidence["times"], float(evidence["threshold"])
        before = profile.load(state, then=True)
        return explain(before, times, values, threshold, question, str(document.get("configuration", "")))
    except (LookupError, TypeError, ValueError, ArithmeticError, zstandard.ZstdError) as error:
        raise KubestrayError(f"the explanation cannot be read: {error}") from error


def _take(into: Profile, times: Sequence[float], values: Floats) -> None:
    own = np.asarray(times, dtype=np.float64)
    codes = np.zeros(len(own), dtype=np.int64)
    for _ in into.advance(own, into.names, codes, values.reshape(len(own), values.shape[-1])):
        pass


def _last(
    before: Profile, time: float, values: Floats, threshold: float | None, question: Question
) -> tuple[Judged, Bin, Profile]:
    """Judge a bin by a profile that stays as it was; return what was learned too."""
    after = copy.deepcopy(before)
    judge = Judge(after, dataclasses.replace(question, annotate=True), threshold)
    (found,) = after.advance(
        np.array([time]), after.names, np.zeros(1, dtype=np.int64), values[None, :], -math.inf
    )
    return judge.judged(found), found, after


def _quiet(
    before: Profile, time: float, values: Floats, place: int, judged: Judged, question: Question
) -> float | None:
    """Return the value of a metric nearest to its own with which there is no alarm, all else the same."""
    expected, value = float(judged.expected[0, place]), float(values[place])
    if not judged.alert[0] or not math.isfinite(expected):
        return None

    def fires(own: float) -> bool:
        changed = values.copy()
        changed[place] = own
        return bool(_last(before, time, changed, float(judged.threshold[0]), question)[0].alert[0])

    if fires(expected):
        return None
    quiet, loud = expected, value
    for _ in range(_ROUNDS):
        middle = (quiet + loud) / 2
        quiet, loud = (quiet, middle) if fires(middle) else (middle, loud)
    return quiet


def _metric(
    before: Profile,
    judged: Judged,
    found: Bin,
    after: Profile,
    place: int,
    values: Floats,
    quiet: float | None,
) -> Metric:
    row = int(np.flatnonzero(found.rows == place)[0])
    state, fleet = before.fleet.residuals, after.fleet
    rows = len(fleet.entity)
    own = np.array([place])
    seasonal = state.season(own, state.bin_at(own, np.array([judged.time])))[0][0] + state.level[place]
    expected = [*state.location[:, place].tolist(), float(seasonal)]
    views = tuple(
        View(
            name,
            expected[view] if found.scores.z[view, row] != 0 or view < 4 else None,
            float(found.scores.z[view, row]),
            math.exp(float(fleet.views.ln_u[view * rows + place])),
            float(fleet.views.xi[view * rows + place]),
            float(found.scores.parts[view, row]),
            float(found.scores.trust[view, row]),
        )
        for view, name in enumerate(VIEWS)
    )
    limits = [_known(part[0, place]) for part in (judged.expected, judged.lower, judged.upper)]
    long = max(int(found.scores.lasts[0]), 1) - 1
    score, lasting = float(found.scores.metrics[row]), float(found.scores.lasting[long, row])
    return Metric(
        judged.metrics[place], float(values[place]), limits[0], limits[1], limits[2], quiet, score, lasting,
        views,
    )  # fmt: skip


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
