"""A method, run over a set step by step."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from kubestray.baseline.arrays import ALL, Floats
from kubestray.evaluate.counting import Scored
from kubestray.evaluate.methods.base import Fleet, Method
from kubestray.evaluate.series_set import SeriesSet


def run(data: SeriesSet, make: Callable[[Fleet], Method], per_day: float) -> tuple[Scored, float]:
    """Return what a method says of the test part, and its cost in microseconds a sample.

    The method sees every point once, in the order of time, and no label. A verdict's time is that of the
    entity's last point in the step.
    """
    method = make(Fleet(data.entity, data.step, len(data.names), per_day, data.names))
    entities, times, scores, alerts = [], [], [], []
    began = time.process_time()
    for points in data.steps():
        rows = data.row[points]
        moments = data.times[points]
        verdict = method.advance(ALL if len(rows) == len(data.entity) else rows, moments, data.values[points])
        entities.append(verdict.entities)
        times.append(_latest(data, rows, moments)[verdict.entities])
        scores.append(verdict.score)
        alerts.append(verdict.alert)
    cost = (time.process_time() - began) / len(data.row) * 1e6
    entity, moment = np.concatenate(entities), np.concatenate(times)
    tested = moment >= data.train_end[entity]
    score, alert = np.concatenate(scores), np.concatenate(alerts)
    return Scored(entity[tested], moment[tested], score[tested], alert[tested]), cost


def _latest(data: SeriesSet, rows: np.ndarray, times: Floats) -> Floats:
    latest = np.zeros(len(data.names))
    np.maximum.at(latest, data.entity[rows], times)
    return latest
