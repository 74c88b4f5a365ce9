"""A set of series with what is known to have happened: metrics, series, events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from kubestray.baseline.arrays import Floats, Ints
from kubestray.evaluate.tables import Table, read
from kubestray.model.errors import UsageError


@dataclass(frozen=True, slots=True)
class Events:
    """What happened in the test part: the number of the entity, start and end in seconds since 1970."""

    entity: Ints
    start: Floats
    end: Floats

    def __len__(self) -> int:
        return len(self.entity)


@dataclass(frozen=True, slots=True)
class SeriesSet:
    """Points of the metrics of entities, in the order of time.

    A row is one metric of one entity: ``entity`` (rows) and ``step`` (rows, seconds). A point has its
    ``row``, time and value. The test part of an entity begins at ``train_end`` (entities, seconds since
    1970).
    """

    names: list[str]
    entity: Ints
    step: Floats
    train_end: Floats
    row: Ints
    times: Floats
    values: Floats
    events: Events | None

    @property
    def entity_step(self) -> Floats:
        """The longest step of each entity's metrics."""
        steps = np.zeros(len(self.names))
        np.maximum.at(steps, self.entity, self.step)
        return steps

    def steps(self) -> Iterator[slice]:
        """Give the points that a fleet takes at once: those of one tick, each row once."""
        tick = (self.times // self.step.min()).astype(np.int64)
        new = np.ones(len(tick), dtype=bool)
        new[1:] = (np.diff(tick) > 0) | (np.diff(self.row) <= 0)
        bounds = np.append(np.flatnonzero(new), len(tick)).tolist()
        for start, end in pairwise(bounds):
            yield slice(start, end)


def read_series(directory: Path) -> SeriesSet:
    """Read a set from its directory; raise `UsageError` with the path of what is wrong."""
    metrics, series = read(directory, "metrics"), read(directory, "series")
    if metrics is None:
        raise UsageError(f"{directory}: there is no metrics.parquet, metrics.csv, edges.parquet or edges.csv")
    if series is None:
        raise UsageError(
            f"{directory}: there is no series.csv, which names the series, steps and train_end_ts"
        )
    names, which = series.texts("series_id")
    if not names:
        raise UsageError(f"{series.path}: it has no rows")
    step, ends = series.numbers("step_s"), series.numbers("train_end_ts")
    if (step <= 0).any():
        raise UsageError(f"{series.path}: step_s must be above 0")
    order = np.argsort(which, kind="stable")
    train_end = np.zeros(len(names))
    train_end[which] = ends
    row, times, values = _points(metrics, series, np.argsort(order))
    if not len(row):
        raise UsageError(f"{metrics.path}: it has no points of the series in {series.path.name}")
    entity = which[order]
    if not (times >= train_end[entity[row]]).any():
        raise UsageError(
            f"{series.path}: no point of {metrics.path.name} is at or after its train_end_ts: there is no "
            "test part to judge; write an earlier train_end_ts"
        )
    events = _events(directory, names, train_end, metrics)
    return SeriesSet(names, entity, step[order], train_end, *ordered(row, times, values, step.min()), events)


def _points(metrics: Table, series: Table, place: Ints) -> tuple[Ints, Floats, Floats]:
    """Return row, time and value of each point that has a value."""
    rows = {
        key: int(place[index])
        for index, key in enumerate(zip(series.listed("series_id"), series.listed("metric"), strict=True))
    }
    if len(rows) < len(series):
        raise UsageError(f"{series.path}: a series_id and metric is there twice")
    ids, id_of = metrics.texts("series_id")
    kinds, kind_of = metrics.texts("metric")
    of_pair = np.array([[rows.get((i, kind), -1) for kind in kinds] for i in ids], dtype=np.int64)
    row = of_pair.reshape(len(ids), len(kinds))[id_of, kind_of] if len(metrics) else np.zeros(0, np.int64)
    if (row < 0).any():
        at = int(np.flatnonzero(row < 0)[0])
        pair = f"series_id {ids[id_of[at]]!r}, metric {kinds[kind_of[at]]!r}"
        raise UsageError(f"{metrics.path}: row {at + 1}: {pair} is not in {series.path.name}")
    times, values = metrics.moments("ts"), metrics.numbers("value", missing=True)
    known = np.isfinite(values)
    return row[known], times[known], values[known]


def ordered(row: Ints, times: Floats, values: Floats, step: float) -> tuple[Ints, Floats, Floats]:
    """Order points by tick and row; of several that claim one moment the last stands."""
    order = np.lexsort((np.arange(len(row)), times, row))
    row, times, values = row[order], times[order], values[order]
    last = np.ones(len(row), dtype=bool)
    last[:-1] = (row[1:] != row[:-1]) | (times[1:] != times[:-1])
    row, times, values = row[last], times[last], values[last]
    tick = times // step
    # Where a row has several points in a tick, its n-th is in the n-th step of that tick.
    again = np.zeros(len(row), dtype=np.int64)
    same = np.flatnonzero((row[1:] == row[:-1]) & (tick[1:] == tick[:-1])) + 1
    for at in same.tolist():
        again[at] = again[at - 1] + 1
    order = np.lexsort((row, again, tick))
    return row[order], times[order], values[order]


def _events(directory: Path, names: list[str], train_end: Floats, metrics: Table) -> Events | None:
    table = read(directory, "events")
    if table is None or not len(table):
        return _labelled(names, train_end, metrics) if metrics.has("label") else None
    return events_of(table, names, train_end)


def events_of(table: Table, names: list[str], train_end: Floats) -> Events:
    """Return the events of the test part that a table lists, of the entities of these names."""
    number = {name: index for index, name in enumerate(names)}
    listed = table.listed("series_id")
    unknown = next((name for name in listed if name not in number), None)
    if unknown is not None:
        raise UsageError(f"{table.path}: the series_id {unknown!r} has no row in the set's series")
    entity = np.array([number[name] for name in listed], dtype=np.int64)
    start, end = table.moments("start_ts"), table.moments("end_ts")
    if (end < start).any():
        raise UsageError(f"{table.path}: row {int(np.argmax(end < start)) + 1}: end_ts is before start_ts")
    tested = start >= train_end[entity]
    if table.has("split"):
        tested = np.array([split == "test" for split in table.listed("split")])
    return Events(entity[tested], start[tested], end[tested])


def _labelled(names: list[str], train_end: Floats, metrics: Table) -> Events | None:
    """Make events of the runs of labelled points of each entity; None if nothing is labelled."""
    label = np.nan_to_num(metrics.numbers("label", missing=True)) > 0
    if not label.any():
        return None
    ids, id_of = metrics.texts("series_id")
    number = {name: index for index, name in enumerate(names)}
    entity, times = np.array([number[i] for i in ids])[id_of], metrics.moments("ts")
    found: list[tuple[int, float, float]] = []
    for one in range(len(names)):
        mine = entity == one
        moments, at = np.unique(times[mine], return_inverse=True)
        hot = np.zeros(len(moments) + 2, dtype=bool)
        np.logical_or.at(hot, at + 1, label[mine])
        starts = np.flatnonzero(hot[1:] & ~hot[:-1])
        ends = np.flatnonzero(hot[:-1] & ~hot[1:]) - 1
        found += [(one, moments[a], moments[b]) for a, b in zip(starts, ends, strict=True)]
    whole = np.array(found, dtype=np.float64).reshape(-1, 3)
    whole = whole[whole[:, 1] >= train_end[whole[:, 0].astype(np.int64)]]
    return Events(whole[:, 0].astype(np.int64), whole[:, 1], whole[:, 2])
