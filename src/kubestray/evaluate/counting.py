"""Findings and events, counted: what is found, what is false, and at which score.

A finding is an entity in one clock hour with an alert. An event is found if an alert of its entity falls in
its window: from two steps before its start to 15 minutes, or three steps, after its end. A finding whose
hour touches such a window is true; all others are false. Nothing is adjusted: an alert counts where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kubestray.baseline.arrays import Flags, Floats, Ints
from kubestray.evaluate.series_set import Events

HOUR = 3600.0
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Scored:
    """What a method said of the test part: a row for each entity and step, in the order of time."""

    entity: Ints
    times: Floats
    score: Floats
    alert: Flags


@dataclass(frozen=True, slots=True)
class Counts:
    """Hours and events with the highest score in each, which is all that a threshold needs.

    ``hour_false`` tells that the hour touches no window; ``event_first`` is the first alert in an event's
    window in seconds since the event's start (NaN if there is none); ``days`` (entities) is the length of
    the test part.
    """

    hour_entity: Ints
    hour_score: Floats
    hour_false: Flags
    hour_alert: Flags
    event_entity: Ints
    event_score: Floats
    event_first: Floats
    days: Floats

    def of(self, entities: Ints) -> Counts:
        """Return the counts of a sample of entities; an entity may be there several times."""
        hours = _taken(self.hour_entity, entities)
        events = _taken(self.event_entity, entities)
        return Counts(
            self.hour_entity[hours], self.hour_score[hours], self.hour_false[hours], self.hour_alert[hours],
            self.event_entity[events], self.event_score[events], self.event_first[events],
            self.days[entities],
        )  # fmt: skip


def count(scored: Scored, events: Events | None, step: Floats, start: Floats) -> Counts:
    """Count the findings of a test part that begins at ``start`` and has this ``step`` (entities both)."""
    order = np.lexsort((scored.times, scored.entity))
    entity, times = scored.entity[order], scored.times[order]
    score, alert = scored.score[order], scored.alert[order]
    hour = (times // HOUR).astype(np.int64)
    firsts = np.flatnonzero(np.r_[True, (np.diff(entity) != 0) | (np.diff(hour) != 0)]) if len(hour) else hour
    hour_entity, hours = entity[firsts], hour[firsts]
    bounds = np.searchsorted(entity, np.arange(len(step) + 1))
    false = np.ones(len(firsts), dtype=bool)
    total = len(events) if events is not None else 0
    best, first = np.full(total, -np.inf), np.full(total, np.nan)
    for number in range(total):
        assert events is not None
        whose = int(events.entity[number])
        opens, closes = window(events.start[number], events.end[number], step[whose])
        span = slice(bounds[whose], bounds[whose + 1])
        a, b = span.start + np.searchsorted(times[span], [opens, np.nextafter(closes, np.inf)])
        if b > a:
            best[number] = score[a:b].max()
            if alert[a:b].any():
                first[number] = max(0.0, times[a + int(np.argmax(alert[a:b]))] - events.start[number])
        span = slice(*np.searchsorted(hour_entity, [whose, whose + 1]))
        a, b = span.start + np.searchsorted(hours[span], [opens // HOUR, closes // HOUR + 1])
        false[a:b] = False
    ends = np.array([times[b - 1] if b > a else np.nan for a, b in pairwise(bounds.tolist())])
    days = np.nan_to_num(np.maximum(ends - start, 0.0) / DAY)
    return Counts(
        hour_entity,
        np.maximum.reduceat(score, firsts) if len(firsts) else score,
        false,
        np.logical_or.reduceat(alert, firsts) if len(firsts) else alert,
        events.entity if events is not None else np.zeros(0, dtype=np.int64),
        best,
        first,
        days,
    )


def window(start: float, end: float, step: float) -> tuple[float, float]:
    """Return the first and the last moment at which an alert finds an event."""
    return start - 2 * step, end + max(900.0, 3 * step)


def _taken(entity: Ints, wanted: Ints) -> Ints:
    order = np.argsort(entity, kind="stable")
    sorted_entity = entity[order]
    bounds = np.searchsorted(sorted_entity, wanted), np.searchsorted(sorted_entity, wanted, side="right")
    return np.concatenate([order[a:b] for a, b in zip(*bounds, strict=True)] or [order[:0]])
