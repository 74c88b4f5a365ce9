"""Measures of a method on a set, from its counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kubestray.baseline.arrays import Floats
from kubestray.evaluate.counting import Counts, Scored
from kubestray.evaluate.series_set import Events
from kubestray.evaluate.vus import vus_pr

RATES = (0.05, 0.2, 1.0)
"""False findings per entity-day at which recall is given."""

SAMPLES = 200
INTERVAL = (5.0, 95.0)
"""Bounds of a confidence interval, in percent of the bootstrap samples over entities."""

_LONGEST_WINDOW = 100


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures by name; a measure that the set cannot give is None. Intervals by the same names."""

    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


def recall_at(counts: Counts, allowed: float) -> float | None:
    """Return the best recall over one threshold with at most ``allowed`` false findings per entity-day."""
    if not len(counts.event_score):
        return None
    spare = int(np.floor(allowed * counts.days.sum() + 1e-9))
    false = np.sort(counts.hour_score[counts.hour_false])[::-1]
    # The threshold is just above the score of the first false finding that is one too many.
    bound = false[spare] if spare < len(false) else -np.inf
    return float((counts.event_score > bound).mean())


def _recall(counts: Counts) -> float | None:
    return float(np.isfinite(counts.event_first).mean()) if len(counts.event_first) else None


def _precision(counts: Counts) -> float | None:
    findings = int(counts.hour_alert.sum())
    if not findings or not len(counts.event_first):
        return None
    return float((counts.hour_alert & ~counts.hour_false).sum() / findings)


def _false_rate(counts: Counts) -> float | None:
    days = counts.days.sum()
    return float((counts.hour_alert & counts.hour_false).sum() / days) if days else None


def _findings_rate(counts: Counts) -> float | None:
    days = counts.days.sum()
    return float(counts.hour_alert.sum() / days) if days else None


def _delay(counts: Counts) -> float | None:
    found = counts.event_first[np.isfinite(counts.event_first)]
    return float(np.median(found)) if len(found) else None


COUNTED: dict[str, Callable[[Counts], float | None]] = {
    **{f"R@{allowed:g}": lambda counts, allowed=allowed: recall_at(counts, allowed) for allowed in RATES},  # type: ignore[misc]
    "recall": _recall,
    "precision": _precision,
    "false_per_entity_day": _false_rate,
    "findings_per_entity_day": _findings_rate,
    "seconds_to_detect": _delay,
}
"""What can be counted, by the name it is reported under."""

_WITH_INTERVAL = ("R@0.05", "R@0.2", "R@1", "recall", "precision", "false_per_entity_day")


def measure(counts: Counts) -> Measures:
    """Return what can be counted, with confidence intervals over entities."""
    values = {name: counted(counts) for name, counted in COUNTED.items()}
    entities = np.flatnonzero(counts.days > 0)
    samples: dict[str, list[float]] = {name: [] for name in _WITH_INTERVAL if values[name] is not None}
    chance = np.random.default_rng(0)
    for _ in range(SAMPLES if len(entities) > 1 else 0):
        sample = counts.of(chance.choice(entities, len(entities)))
        for name, drawn in samples.items():
            value = COUNTED[name](sample)
            if value is not None:
                drawn.append(value)
    intervals = {name: _interval(drawn) for name, drawn in samples.items() if drawn}
    return Measures(values, intervals)


def _interval(drawn: list[float]) -> tuple[float, float]:
    low, high = np.percentile(drawn, INTERVAL)
    return float(low), float(high)


def mean_vus_pr(scored: Scored, events: Events, step: Floats) -> float | None:
    """Return the VUS-PR averaged over the entities that have events; windows are up to an hour, or 100
    steps.
    """
    volumes: list[float] = []
    for entity in np.unique(events.entity).tolist():
        mine = scored.entity == entity
        times, score = scored.times[mine], scored.score[mine]
        labels = np.zeros(len(times), dtype=bool)
        for number in np.flatnonzero(events.entity == entity).tolist():
            labels |= (times >= events.start[number]) & (times <= events.end[number])
        if labels.any():
            longest = min(_LONGEST_WINDOW, int(3600 // step[entity]))
            volumes.append(vus_pr(labels, score, longest))
    return float(np.mean(volumes)) if volumes else None
