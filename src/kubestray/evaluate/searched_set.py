"""A set of what a search of a store gives: methods run over one's own metrics, as over files."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kubestray.baseline.arrays import Floats, Ints
from kubestray.evaluate.series_set import SeriesSet, events_of, ordered
from kubestray.evaluate.tables import read_file
from kubestray.model.errors import UsageError

Entity = tuple[tuple[str, str], ...]
"""Fields that name an entity, with their values."""

_TIME = "_time"


def set_of_rows(
    parts: Iterable[Sequence[Mapping[str, Any]]], train: float | None = None, events: Path | None = None
) -> SeriesSet:
    """Return the set of the rows of a search, which come in parts.

    ``_time`` (seconds since 1970) is when a row's points are. A field of numbers is a metric, one of texts
    names the entity; an entity's name has the values of these, ``/`` between them. The test part begins
    ``train`` seconds after the first point, or half-way to the last one. ``events`` is a file of events as in
    the layout of sets. Raise `UsageError` for rows that are no series.
    """
    columns = _Columns()
    for part in parts:
        for told in part:
            columns.add(told)
    names, entity, row, times, values = columns.arrays()
    begin, end = float(times.min()), float(times.max())
    train_end = np.full(len(names), begin + (end - begin) / 2 if train is None else begin + train)
    if end < train_end[0]:
        raise UsageError(
            f"--train: the search's rows end {end - begin:g} s after the first one: there is no test part"
        )
    known = events_of(read_file(events), names, train_end) if events else None
    step = _steps(row, times, len(entity))
    return SeriesSet(names, entity, step, train_end, *ordered(row, times, values, step.min()), known)


class _Columns:
    """Points of rows, as they come; a metric of an entity has a number, in the order in which they come."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Entity, str], int] = {}
        self._row, self._times, self._values = array("q"), array("d"), array("d")

    def add(self, row: Mapping[str, Any]) -> None:
        """Take the points of a row."""
        time = row.get(_TIME)
        if not isinstance(time, int | float):
            raise UsageError(
                "--search: its rows need a _time: end it with mstats … span=1m, or bin and stats"
            )
        fields = [(name, value) for name, value in row.items() if not name.startswith("_")]
        entity = tuple((name, value) for name, value in fields if isinstance(value, str))
        for name, value in fields:
            if _is_number(value):
                self._row.append(self._numbers.setdefault((entity, name), len(self._numbers)))
                self._times.append(time)
                self._values.append(value)
            elif not isinstance(value, str) and value is not None:
                raise UsageError(f"--search: the field {name!r} holds {value!r}: expected a number or a text")

    def arrays(self) -> tuple[list[str], Ints, Ints, Floats, Floats]:
        """Return the entities' names, the entity of each metric, and metric, time and value of each point.

        Metrics are in the order of their entities.
        """
        if not self._values:
            raise UsageError("--search: it gives no row with a number: nothing can be learned of it")
        entities = sorted({entity for entity, _ in self._numbers})
        names = ["/".join(value for _, value in entity) for entity in entities]
        if twice := [name for name, next_one in pairwise(sorted(names)) if name == next_one]:
            raise UsageError(f"--search: two entities are named {twice[0]!r}: rename or leave out a field")
        number = {entity: at for at, entity in enumerate(entities)}
        keys = [(number[entity], metric) for entity, metric in self._numbers]
        ordering = sorted(range(len(keys)), key=keys.__getitem__)
        place = np.empty(len(ordering), np.int64)
        place[ordering] = np.arange(len(ordering))
        of = np.array([entity for entity, _ in keys], np.int64)[ordering]
        times, values = np.array(self._times, np.float64), np.array(self._values, np.float64)
        known = np.isfinite(values)
        return names, of, place[np.array(self._row, np.int64)][known], times[known], values[known]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _steps(row: Ints, times: Floats, rows: int) -> Floats:
    """Return the usual time between two points of each row; of one with a single point the least of all."""
    order = np.lexsort((times, row))
    apart, alike = np.diff(times[order]), np.diff(row[order]) == 0
    apart, of = apart[alike & (apart > 0)], row[order][1:][alike & (apart > 0)]
    if not len(apart):
        raise UsageError("--search: no entity has points at two times: end it with mstats … span=1m")
    steps = np.full(rows, apart.min())
    bounds = np.append(np.flatnonzero(np.diff(of, prepend=-1)), len(of))
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        steps[of[begin]] = np.median(apart[begin:end])
    return steps
