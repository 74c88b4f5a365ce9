"""Lengths of bins as searches write them: ``5m``, ``1mon``, ``1w@w1``, ``10``, ``2log10``.

Each span says where the bin of a value starts, as a tree for the engine and as a number for planning.
Bins of hours and less start at whole multiples of their length since the epoch, or with an alignment from
there; days, weeks and months are those of the calendar in a time zone, counted from 1970-01-01.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from kubestray.search.moments import (
    DAY,
    MICROS,
    clock_of,
    moment_at,
    moment_of,
    once,
    rest,
    seconds_of,
    wall_of,
)
from kubestray.search.times import DAYS, MONTHS, SECOND_NS, SIZES, BadTime, steps
from kubestray.search.zones import UTC, from_wall, to_wall
from kubestray.store.trees import Tree, call, either, number, text

_DAY = 86_400.0
_EPOCH = datetime(1970, 1, 1)

_TIME = re.compile(r"(\d*)([a-z]+)(@[a-z]+\d?)?", re.IGNORECASE)
_LOG = re.compile(r"(\d+(?:\.\d+)?)?log(\d+(?:\.\d+)?)?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A length of time: so many seconds, or days or months of the calendar in ``zone``.

    Bins start at ``align``, seconds from the epoch or from the start of its first day.
    """

    seconds: float = 0.0
    days: int = 0
    months: int = 0
    align: float = 0.0
    zone: str = UTC

    @property
    def calendar(self) -> bool:
        """Whether the length is in days or more: an alignment does not hold for those."""
        return bool(self.days or self.months)

    @property
    def about(self) -> float:
        """How many seconds it is long, more or less."""
        return self.seconds or (self.days + self.months * 30) * _DAY

    @property
    def nominal(self) -> float:
        """How many seconds it is long where a month is 30 days and a year 365."""
        return self.about + 5 * _DAY * (self.months // 12)

    def start(self, value: Tree) -> Tree:
        """Return the start of the bin of a time in seconds; null for null."""
        return seconds_of(once(moment_of(value), self._start))

    def start_of(self, moment: Tree) -> Tree:
        """Return, in seconds, the start of the bin of a moment: whole microseconds, ``Nullable(Int64)``."""
        return seconds_of(once(moment, self._start))

    def _start(self, moment: Tree) -> Tree:
        if not self.calendar:
            return _multiple(moment, _micros(self.seconds), _micros(self.align))
        wall = wall_of(moment, self.zone)
        return moment_at(once(wall, self._wall_start, "s"), self.zone)

    def _wall_start(self, wall: Tree) -> Tree:
        if self.days:
            return _multiple(wall, self.days * DAY, _micros(self.align))
        clock = clock_of(wall, UTC)
        years = call("multiply", call("minus", call("toYear", clock), number(1970)), number(12))
        months = call("toInt64", call("minus", call("plus", years, call("toMonth", clock.copy())), number(1)))
        first = _multiple(months, self.months, 0)
        day = call("toInt64", call("addMonths", call("toDate32", text("1970-01-01")), first))
        return call("multiply", day, number(DAY))

    def floor(self, value: float) -> float:
        """Return the start of the bin of a time."""
        micros = round(value * MICROS)
        if not self.calendar:
            align = _micros(self.align)
            return ((micros - align) // _micros(self.seconds) * _micros(self.seconds) + align) / MICROS
        wall, _ = to_wall(timedelta(microseconds=micros), self.zone)
        if self.days:
            first = _EPOCH + timedelta(seconds=self.align)
            return self._moment(
                first + (wall - first) // timedelta(days=self.days) * timedelta(days=self.days)
            )
        months = (wall.year - 1970) * 12 + wall.month - 1
        return self._moment(_month(months // self.months * self.months))

    def after(self, start: float) -> float:
        """Return the start of the next bin."""
        if not self.calendar:
            return (round(start * MICROS) + _micros(self.seconds)) / MICROS
        wall, _ = to_wall(timedelta(microseconds=round(start * MICROS)), self.zone)
        # Where the clocks skip midnight a day starts an hour late: the calendar goes on from midnight.
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.days:
            return self._moment(midnight + timedelta(days=self.days))
        return self._moment(_month((midnight.year - 1970) * 12 + midnight.month - 1 + self.months))

    def _moment(self, wall: datetime) -> float:
        return from_wall(wall, self.zone) / timedelta(seconds=1)

    def starts(self, first: float, last: float) -> Iterator[float]:
        """Yield the starts of the bins from that of one time to that of another."""
        start = self.floor(first)
        while start <= last:
            yield start
            start = self.after(start)

    def count(self, first: float, last: float) -> int:
        """Return about how many bins there are from one time to another."""
        return int((last - first) // self.about) + 1

    def length(self, start: Tree) -> Tree:
        """Return how many seconds the bin is long that starts at a time."""
        if not self.calendar:
            return number(self.seconds)
        inside = call("plus", start, number((self.days + 31 * self.months) * _DAY + _DAY / 2))
        return call("minus", self.start(inside), start.copy())


@dataclass(frozen=True, slots=True)
class NumberSpan:
    """So much of a number; bins start at whole multiples."""

    size: Decimal

    def index(self, value: Tree) -> Tree:
        """Return which bin a number is in."""
        quotient = call("divide", value, number(float(self.size)))
        if self.size == self.size.to_integral_value():
            return call("floor", quotient)
        # 0.3 / 0.1 is a hair below 3.
        slack = call("multiply", call("greatest", call("abs", quotient), number(1.0)), number(1e-12))
        return call("floor", call("plus", quotient.copy(), slack))

    def start(self, value: Tree) -> Tree:
        """Return the start of the bin of a number."""
        return self._times(self.index(value))

    def _times(self, index: Tree) -> Tree:
        places = max(0, -int(self.size.as_tuple().exponent))
        product = call("multiply", index, number(float(self.size)))
        return call("round", product, number(places)) if places else product

    def label(self, value: Tree) -> Tree:
        """Return the bin as ``FROM-TO``."""
        end = self._times(call("plus", self.index(value.copy()), number(1)))
        return call("concat", call("toString", self.start(value)), text("-"), call("toString", end))

    def count(self, first: float, last: float) -> int:
        """Return how many bins there are from one number to another."""
        return self._floor(last) - self._floor(first) + 1

    def _floor(self, value: float) -> int:
        return math.floor(value / float(self.size) + max(1.0, abs(value / float(self.size))) * 1e-12)

    def labels(self, first: float, last: float) -> list[str]:
        """Return the bins from that of one number to that of another, as `label` writes them."""
        indexes = range(self._floor(first), self._floor(last) + 1)
        return [f"{_plain(self.size * index)}-{_plain(self.size * (index + 1))}" for index in indexes]


@dataclass(frozen=True, slots=True)
class LogSpan:
    """Bins that start at ``coefficient * base ** n``; numbers that are not above 0 are bins of their own."""

    coefficient: float
    base: float

    def index(self, value: Tree) -> Tree:
        """Return which bin a number is in."""
        scaled = call("log", call("divide", value, number(self.coefficient)))
        quotient = call("divide", scaled, number(math.log(self.base)))
        return call("floor", call("plus", quotient, number(1e-12)))

    def start(self, value: Tree) -> Tree:
        """Return the start of the bin of a number."""
        positive = call("greater", value, number(0))
        return either(positive, self._power(self.index(value.copy())), value.copy())

    def _power(self, index: Tree) -> Tree:
        # Without the hairs that a power adds: 10 ** -1 * 3 is 0.30000000000000004.
        power = call("multiply", call("pow", number(self.base), index), number(self.coefficient))
        digits = call("toInt32", call("minus", number(12), call("floor", call("log10", power))))
        scale = call("exp10", digits)
        return call("divide", call("round", call("multiply", power.copy(), scale)), scale.copy())

    def label(self, value: Tree) -> Tree:
        """Return the bin as ``FROM-TO``."""
        index = self.index(value)
        start, end = self._power(index), self._power(call("plus", index.copy(), number(1)))
        label = call("concat", call("toString", start), text("-"), call("toString", end))
        positive = call("greater", value.copy(), number(0))
        return either(positive, label, call("toString", value.copy()))


Span = TimeSpan | NumberSpan | LogSpan

STEPS = (
    *(TimeSpan(seconds) for seconds in (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0)),
    TimeSpan(days=1),
    TimeSpan(months=1),
)
"""The lengths of time among which bins are chosen where no span is given."""


def parse_span(written: str, zone: str = UTC) -> Span | None:
    """Return the span that a text names, or None if it names none."""
    written = written.strip()
    if _NUMBER.fullmatch(written):
        size = Decimal(written).normalize()
        return NumberSpan(size) if size else None
    if found := _LOG.fullmatch(written):
        coefficient, base = float(found[1] or 1), float(found[2] or 10)
        return LogSpan(coefficient, base) if base > 1 and 1 <= coefficient < base else None
    found = _TIME.fullmatch(written)
    return _time_span(found[1] or "1", found[2], found[3], zone) if found else None


def _time_span(count: str, unit: str, snap: str | None, zone: str) -> TimeSpan | None:
    try:
        (step,) = steps(f"+{count}{unit}")
        snapped = steps(snap)[0] if snap else None
    except BadTime:
        return None
    if step.count <= 0:
        return None
    # The epoch is a Thursday; Sunday is day 0 and day 7 of a week.
    align = (snapped.weekday % 7 - 4) * _DAY if snapped and snapped.unit == "weeks" else 0.0
    if step.unit in MONTHS:
        return TimeSpan(months=step.count * MONTHS[step.unit], zone=zone)
    if step.unit in DAYS:
        return TimeSpan(days=step.count * DAYS[step.unit], align=align, zone=zone)
    seconds = step.count * SIZES[step.unit] / SECOND_NS
    return TimeSpan(seconds) if seconds * MICROS >= 1 else None


def automatic_time(first: float, last: float, bins: int, least: float, zone: str) -> TimeSpan:
    """Return the shortest of the usual lengths of time that makes at most so many bins."""
    for step in STEPS:
        if step.about >= least and (last - first) / step.about < bins:
            return replace(step, zone=zone)
    return replace(STEPS[-1], zone=zone)


def automatic_number(first: float, last: float, bins: int, least: float) -> NumberSpan:
    """Return the smallest power of ten that makes at most so many bins."""
    length = max(last - first, 0.0) / bins
    exponent = math.floor(math.log10(length)) if length > 0 else 0
    span = NumberSpan(Decimal(10) ** exponent)
    while span.count(first, last) > bins or float(span.size) < least:
        exponent += 1
        span = NumberSpan(Decimal(10) ** exponent)
    return span


def _multiple(value: Tree, size: int, align: int) -> Tree:
    """Return the last multiple of a size, counted from ``align``, that is not above a whole number."""
    shifted = call("minus", value, number(align)) if align else value
    return call("minus", value.copy(), rest(shifted, size))


def _plain(value: Decimal) -> str:
    """Write a number as the engine does."""
    number_ = float(value)
    return str(int(number_)) if number_.is_integer() and abs(number_) < 1e16 else repr(number_)


def _micros(seconds: float) -> int:
    return round(seconds * MICROS)


def _month(months: int) -> datetime:
    year, month = divmod(months, 12)
    return datetime(1970 + year, month + 1, 1)
