"""The smallest attack that is found on each entity of a set, by injection into its real series.

All entities are attacked at once, each with a size of its own, at some moments of the test part. An attack
adds the same to one metric in every step of a stretch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kubestray.baseline import snapshot
from kubestray.baseline.arrays import Flags, Floats, Ints
from kubestray.baseline.stray import Stray
from kubestray.evaluate.methods.stray import phases
from kubestray.evaluate.series_set import SeriesSet

Row = dict[str, Any]

LENGTHS = (600.0, 3600.0)
"""Seconds of an attack."""
VOLUME = 600.0
"""Seconds of the volume that an attack is compared with."""
_MOMENTS = (0.25, 0.5, 0.75)
_ROUNDS = 14
_DOUBLINGS = 40
_USEFUL = 5.0


def detectable(data: SeriesSet, per_day: float) -> list[Row]:
    """Return a row for each entity: the total of the smallest attacks that are found (median of some
    moments), and as a multiple of the entity's own 99th percentile of the volume of ten minutes.

    Attacked is the first metric of each entity. None where it has no points at the moments, or where no
    size is found, which ``missed_600`` and ``missed_3600`` tell: one metric of many may weigh too little.
    """
    first = np.array([int(np.argmax(data.entity == entity)) for entity in range(len(data.names))])
    smallest = {length: np.full((len(_MOMENTS), len(data.names)), np.nan) for length in LENGTHS}
    fleet, at = Stray(data.entity, data.step, per_day, phase=phases(data.names)), 0
    steps = list(data.steps())
    starts = np.array([data.times[points.start] for points in steps])
    begin, end = float(data.train_end.min()), float(data.times.max())
    for place, share in enumerate(_MOMENTS):
        until = int(np.searchsorted(starts, begin + share * (end - begin)))
        for points in steps[at:until]:
            fleet.advance(data.row[points], data.times[points], data.values[points])
        at = until
        state = snapshot.dump(fleet)
        for length in LENGTHS:
            count = int(np.searchsorted(starts, starts[min(until, len(starts) - 1)] + length)) - until
            smallest[length][place] = _smallest(data, state, first, steps[until : until + count])
    usual = np.array([_usual(data, row) for row in first])
    return [_row(name, number, smallest, usual) for number, name in enumerate(data.names)]


def useful(rows: Sequence[Row]) -> float | None:
    """Return the share of entities on which an attack of ten minutes is found at 5 times their usual volume;
    those whose usual volume is 0 have none to compare with.
    """
    judged = [
        row for row in rows if row["ratio_600"] is not None or (row["missed_600"] and row["usual_volume"] > 0)
    ]
    if not judged:
        return None
    return float(np.mean([not row["missed_600"] and row["ratio_600"] <= _USEFUL for row in judged]))


def _row(name: str, number: int, smallest: dict[float, Floats], usual: Floats) -> Row:
    row: Row = {"entity": name, "usual_volume": float(usual[number])}
    for length, found in smallest.items():
        known = found[:, number][~np.isnan(found[:, number])]
        total = float(np.median(known)) if len(known) else math.nan
        row[f"total_{length:.0f}"] = total if math.isfinite(total) else None
        ratio = total / float(usual[number]) if usual[number] > 0 else math.nan
        row[f"ratio_{length:.0f}"] = ratio if math.isfinite(ratio) else None
        row[f"missed_{length:.0f}"] = math.isinf(total)
    return row


def _usual(data: SeriesSet, row: int) -> float:
    """Return the 99th percentile of the volume of ten minutes of a metric."""
    own = data.row == row
    block = (data.times[own] // VOLUME).astype(np.int64)
    _, place = np.unique(block, return_inverse=True)
    return float(np.quantile(np.bincount(place, weights=data.values[own]), 0.99))


def _smallest(data: SeriesSet, state: bytes, first: Ints, steps: Sequence[slice]) -> Floats:
    """Return for each entity the total of the smallest attack that is found in some steps, NaN without
    points.
    """
    there = np.zeros(len(data.names))
    scale = np.zeros(len(data.names))
    for points in steps:
        hit = np.isin(data.row[points], first)
        whose = data.entity[data.row[points][hit]]
        np.add.at(there, whose, 1.0)
        np.add.at(scale, whose, np.abs(data.values[points][hit]))
    unit = np.where(scale > 0, scale / np.maximum(there, 1) * 1e-3, 1e-3)

    def found(each: Floats) -> Flags:
        return _found(data, state, first, steps, each)

    alarmed = found(np.zeros(len(unit)))
    low, high = np.zeros(len(unit)), unit
    for _ in range(_DOUBLINGS):
        missed = ~found(high)
        if not (missed & (there > 0) & ~alarmed).any():
            break
        low, high = np.where(missed, high, low), np.where(missed, high * 2.0, high)
    never = ~found(high)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2.0
        hit = found(middle)
        low, high = np.where(hit, low, middle), np.where(hit, middle, high)
    # An alarm that there is without an attack says nothing about attacks.
    total = np.where(never, np.inf, high * there)
    return np.where((there > 0) & ~alarmed, total, np.nan)


def _found(data: SeriesSet, state: bytes, first: Ints, steps: Sequence[slice], each: Floats) -> Flags:
    fleet = snapshot.load(state)
    alarms = np.zeros(len(data.names), dtype=bool)
    for points in steps:
        rows, values = data.row[points], data.values[points].copy()
        hit = np.isin(rows, first)
        values[hit] += each[data.entity[rows[hit]]]
        scores = fleet.advance(rows, data.times[points], values)
        alarms[scores.entities[scores.alert]] = True
    return alarms
