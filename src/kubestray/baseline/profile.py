"""What a search has learned of its entities: a fleet whose entities have names, come and go.

A profile takes bins of one length in the order of time. Entities get their numbers when they are first seen,
and are forgotten at the first bin of a day on which they have not been seen for `FORGOTTEN_SECONDS`. Scores
do not depend on how the bins were cut into calls: who takes a month in one call and who takes it minute by
minute have the same state.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kubestray.baseline import snapshot
from kubestray.baseline.alerts import AlertBudget, Alerts
from kubestray.baseline.arrays import Floats, Ints
from kubestray.baseline.bands import Steady, steady
from kubestray.baseline.orders import Orders, locked
from kubestray.baseline.resize import resized
from kubestray.baseline.stray import Direction, Scores, Stray
from kubestray.baseline.tails import PHASES
from kubestray.model.errors import KubestrayError

Key = tuple[str, ...]
"""The name of an entity: the values of its key fields."""

DAY = 86400.0
FORGOTTEN_SECONDS = 8 * DAY
"""Longer than a week, so that what runs once a week is not new each time."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a profile is of: the names of its key fields and metrics, the length of a bin in seconds, the
    rate of false findings per entity-day that is asked for, the direction that counts, the budget of
    alarms of groups of entities, and on how many of the last days something makes it familiar (0: never).
    """

    keys: tuple[str, ...]
    metrics: tuple[str, ...]
    step: float
    per_day: float = 1 / 30
    direction: Direction = "both"
    alerts: Alerts | None = None
    familiar_days: int = 0


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin, judged: ``entities`` by number in ascending order, their keys, what their views expected
    before.

    ``values`` are (entities, metrics), NaN where there is none; ``first`` and ``last`` are when each entity
    was seen before, infinite if never. ``rows`` are the rows of the fleet that had values, in their order.
    """

    time: float
    entities: Ints
    keys: list[Key]
    values: Floats
    rows: Ints
    views: Steady
    first: Floats
    last: Floats
    scores: Scores


@dataclass(slots=True)
class Profile:
    """See the module. ``until`` is the end of the last bin that was learned, in seconds since 1970."""

    form: Form
    until: float = -np.inf
    fleet: Stray = field(init=False)
    names: list[Key] = field(default_factory=list)
    orders: Orders = field(default_factory=Orders)
    """What people have decided; carried out as bins reach the time of an order."""
    locked: set[Key] = field(default_factory=set)
    obeyed: float = -np.inf
    """Up to when orders were carried out."""
    alerts: AlertBudget | None = field(init=False)
    _number: dict[Key, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fleet = _blank(self.form, [], 0)
        self.alerts = AlertBudget(self.form.alerts) if self.form.alerts else None

    def advance(
        self, times: Floats, keys: Sequence[Key], key_of: Ints, values: Floats, report_from: float = np.inf
    ) -> Iterator[Bin]:
        """Learn from rows and yield the bins that start at ``report_from`` or later, judged before they are
        learned.

        ``times`` (rows) are starts of bins, in any order; ``key_of`` (rows) says which of ``keys`` each row
        is of; ``values`` are (rows, metrics). Bins before ``until`` are passed over. Raise `ValueError` for
        two rows of one entity in one bin.
        """
        order = np.lexsort((key_of, times))
        times, key_of, values = times[order], key_of[order], values[order]
        start = int(np.searchsorted(times, self.until, side="left"))
        while start < len(times):
            day = times[start] // DAY
            if self.until > -np.inf and day > (self.until - self.form.step) // DAY:
                self._forget(times[start])
            self.obey(times[start])
            stop = min((day + 1) * DAY, self.orders.next(times[start]))
            end = int(np.searchsorted(times, stop, side="left"))
            part = slice(start, end)
            yield from self._day(times[part], keys, key_of[part], values[part], report_from)
            start = end

    def _day(
        self, times: Floats, keys: Sequence[Key], key_of: Ints, values: Floats, report_from: float
    ) -> Iterator[Bin]:
        entity = self._numbers(keys, key_of)
        order = np.lexsort((entity, times))
        times, entity, values = times[order], entity[order], values[order]
        starts = np.flatnonzero(np.concatenate(([True], times[1:] != times[:-1])))
        ends = np.append(starts[1:], len(times))
        for begin, end in zip(starts.tolist(), ends.tolist(), strict=True):
            found = self._bin(
                float(times[begin]), entity[begin:end], values[begin:end], times[begin] >= report_from
            )
            if found is not None:
                yield found

    def _bin(self, time: float, entity: Ints, values: Floats, report: bool) -> Bin | None:
        twice = np.flatnonzero(entity[1:] == entity[:-1])
        if len(twice):
            raise ValueError(f"two rows of {self.names[int(entity[twice[0]])]} at {time:.0f}")
        width = len(self.form.metrics)
        there = np.isfinite(values)
        rows = (entity[:, None] * width + np.arange(width))[there]
        self.until = time + self.form.step
        if not len(rows):
            return None
        moments = np.full(len(rows), time)
        if not report:
            self._learn(rows, moments, values[there])
            return None
        some = there.any(axis=1)
        views = steady(self.fleet, rows, moments)
        first, last = self.fleet.seen.first[entity[some]], self.fleet.seen.last[entity[some]]
        scores = self._learn(rows, moments, values[there])
        names = [self.names[number] for number in scores.entities.tolist()]
        return Bin(time, scores.entities, names, values[some], rows, views, first, last, scores)

    def _learn(self, rows: Ints, moments: Floats, values: Floats) -> Scores:
        if not self.locked:
            return self.fleet.advance(rows, moments, values)
        numbers = np.array([self._number[key] for key in self.locked if key in self._number], dtype=np.int64)
        with locked(self.fleet, numbers):
            return self.fleet.advance(rows, moments, values)

    def obey(self, time: float) -> None:
        """Carry out the orders up to a time (seconds)."""
        for order in self.orders.between(self.obeyed, time):
            keys = self.names if order.key is None else [order.key]
            if order.what == "lock":
                # Of one that nothing is known of yet there is nothing to keep.
                self.locked.update(key for key in keys if key in self._number)
            else:
                self.locked.difference_update(list(keys))
            if order.what == "reset":
                self._begin_anew(order.key)
        self.obeyed = max(self.obeyed, time)

    def _begin_anew(self, key: Key | None) -> None:
        """Forget an entity, or all of them and what they had in common."""
        if key is None:
            self.fleet, self.names, self._number = _blank(self.form, [], 0), [], {}
        elif key in self._number:
            self._keep(np.array([n for n, name in enumerate(self.names) if name != key], dtype=np.int64))

    def _numbers(self, keys: Sequence[Key], key_of: Ints) -> Ints:
        """Return the numbers of the entities of rows, which are new ones for those not seen before."""
        _, first = np.unique(key_of, return_index=True)
        table = np.zeros(len(keys), dtype=np.int64)
        fresh: list[Key] = []
        for code in key_of[np.sort(first)].tolist():
            key = keys[code]
            number = self._number.get(key)
            if number is None:
                number = self._number[key] = len(self.names) + len(fresh)
                fresh.append(key)
            table[code] = number
        self._add(fresh)
        return table[key_of]

    def _add(self, fresh: list[Key]) -> None:
        needed = len(self.names) + len(fresh)
        if fresh:
            # Some more than are needed: a fleet that grows one by one is copied seldom.
            spare = max(16, needed // 4) if needed > self.fleet.entities else 0
            self._resize(np.arange(len(self.names)), [*self.names, *fresh], spare)

    def _resize(self, keep: Ints, names: list[Key], spare: int) -> None:
        room = max(self.fleet.entities, len(names) + spare) if spare == 0 else len(names) + spare
        if room > self.fleet.entities or len(keep) < len(self.names):
            more = _blank(self.form, names[len(keep) :], room - len(keep))
            self.fleet = resized(self.fleet, keep, more)
        else:
            self._mark(names, len(keep))
        self.names = names

    def _mark(self, names: list[Key], start: int) -> None:
        """Give the phases of entities to spare rows that become theirs."""
        width, total = len(self.form.metrics), self.fleet.entities
        for number in range(start, len(names)):
            own = phase_of(names[number])
            for tails in self.fleet.tails():
                tails.phase[number] = own
            rows = number * width + np.arange(width)
            for copy in range(self.fleet.views.copies):
                self.fleet.views.phase[copy * total * width + rows] = own

    def _forget(self, now: float) -> None:
        last = self.fleet.seen.last[: len(self.names)]
        keep = np.flatnonzero(last >= now - FORGOTTEN_SECONDS)
        if len(keep) < len(self.names):
            self._keep(keep)

    def _keep(self, keep: Ints) -> None:
        names = [self.names[number] for number in keep.tolist()]
        self._resize(keep, names, 0)
        self._number = {name: number for number, name in enumerate(names)}
        self.locked.intersection_update(names)

    def admit(self, key: Key) -> None:
        """Give an entity a number, if it has none: it is known by name, and nothing else."""
        if key not in self._number:
            self._number[key] = len(self.names)
            self._add([key])

    def only(self, key: Key) -> Profile:
        """Return the profile of a single entity, with the budget of the fleet; of none if it is not known.

        What a group has left for alarms is not part of it: an alarm is one, told or held back.
        """
        made = Profile(replace(self.form, alerts=None), self.until, orders=self.orders, obeyed=self.obeyed)
        made.locked = self.locked & {key}
        number = self._number.get(key)
        keep = np.zeros(0, dtype=np.int64) if number is None else np.array([number])
        made.fleet = resized(self.fleet, keep, _blank(self.form, [], 0))
        made.names = [] if number is None else [key]
        made._number = {name: place for place, name in enumerate(made.names)}
        return made

    def dump(self) -> bytes:
        """Return the profile as bytes, that `load` takes."""
        form = self.form
        head = [form.keys, form.metrics, form.step, form.per_day, form.direction, self.until, self.names]
        head += [sorted(self.locked), self.obeyed]
        told = self.alerts
        head += [told and [told.asked.per_day, told.asked.within, told.as_json()], form.familiar_days]
        return snapshot.dump(self.fleet, json.dumps(head).encode("utf-8"), len(self.names))


def load(state: bytes, then: bool = False) -> Profile:
    """Return the profile of a dump, with ``then`` as `snapshot.load_with_head` has it; raise `KubestrayError`
    if it cannot be read.
    """
    fleet, head = snapshot.load_with_head(state, then)
    try:
        keys, metrics, step, per_day, direction, until, names, *orders = json.loads(head)
    except ValueError as error:
        raise KubestrayError("this is the state of a fleet without names, and no profile") from error
    budget, days = [*orders[2:], None, None][:2]
    alerts = Alerts(budget[0], tuple(budget[1])) if budget else None
    made = Profile(Form(tuple(keys), tuple(metrics), step, per_day, direction, alerts, days or 0), until)
    if made.alerts:
        made.alerts.read(budget[2])
    made.fleet = fleet
    made.names = [tuple(name) for name in names]
    if orders:
        made.locked, made.obeyed = {tuple(name) for name in orders[0]}, orders[1]
    else:  # written by a version that knew no orders
        made.obeyed = until
    made._number = {name: number for number, name in enumerate(made.names)}
    return made


def phase_of(key: Key) -> int:
    """Return in which ten minutes of an hour an entity is worked out anew: always the same ones."""
    return zlib.crc32("\0".join(key).encode("utf-8", "surrogatepass")) % PHASES


def _blank(form: Form, names: Sequence[Key], entities: int) -> Stray:
    width = len(form.metrics)
    phase = np.array([phase_of(name) for name in names] + [0] * (entities - len(names)), dtype=np.int64)
    entity = np.repeat(np.arange(entities), width)
    step, daily = np.full(entities * width, form.step), form.familiar_days > 0
    return Stray(entity, step, form.per_day, form.direction, phase, daily)
