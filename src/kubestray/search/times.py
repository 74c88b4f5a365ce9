"""Times as searches write them: ``-1h``, ``-30d@d``, ``@w1``, ``now``, epoch seconds, ISO 8601.

A relative time is a chain of shifts and snaps, applied from left to right; snapping goes back to the
start of the unit (``@w1``: the last Monday). Days, weeks, months, quarters and years are those of the
calendar in a time zone: over a change of the clocks ``-1d`` is the same time of day and ``-24h`` is not.
Months end where they end: a month after 31 January is the last day of February.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from kubestray.search.zones import EPOCH, UTC, from_wall, to_wall

SECOND_NS = 10**9
_DAY_NS = 86_400 * SECOND_NS

_UNITS = {
    "nanoseconds": "ns nsec nsecs nanosecond nanoseconds",
    "microseconds": "us usec usecs microsecond microseconds",
    "milliseconds": "ms msec msecs millisecond milliseconds",
    "centiseconds": "cs csec csecs centisecond centiseconds",
    "deciseconds": "ds dsec dsecs decisecond deciseconds",
    "seconds": "s sec secs second seconds",
    "minutes": "m min mins minute minutes",
    "hours": "h hr hrs hour hours",
    "days": "d day days",
    "weeks": "w wk wks week weeks",
    "months": "mon month months",
    "quarters": "q qtr qtrs quarter quarters",
    "years": "y yr yrs year years",
}
UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
"""The unit that a word means, in lower case."""

SIZES = {
    "nanoseconds": 1, "microseconds": 10**3, "milliseconds": 10**6, "centiseconds": 10**7,
    "deciseconds": 10**8, "seconds": SECOND_NS, "minutes": 60 * SECOND_NS, "hours": 3600 * SECOND_NS,
}  # fmt: skip
"""Units that are equally long everywhere, in nanoseconds."""
DAYS = {"days": 1, "weeks": 7}
MONTHS = {"months": 1, "quarters": 3, "years": 12}

_LAST = 2**63 - 1
_FARTHEST = 10_000 * 366 * _DAY_NS
"""No shift leads farther than the calendar."""

_STEP = re.compile(r"([+-])(\d*)([a-zA-Z]+)|@([a-zA-Z]+)(\d?)")
_NUMBER = re.compile(r"\d+(\.\d*)?")
_FRACTION = re.compile(r"(?<=:\d\d:\d\d)[.,](\d+)")
_SPLUNK = ("%m/%d/%Y:%H:%M:%S", "%m/%d/%Y:%H:%M", "%m/%d/%Y")
_FORMS = "write -1h, -30d@d, now, epoch seconds, 11/22/2026:10:00:00 or 2026-11-22T10:00:00Z"


class BadTime(ValueError):
    """A text that is not a time; the message says why, or which forms are."""

    def __init__(self, text: str, why: str = _FORMS) -> None:
        super().__init__(f"{text!r} is not a time; {why}")


def parse_time(text: str, now: int, zone: str = UTC) -> int:
    """Return nanoseconds since the epoch for a time relative to ``now`` (ns).

    What lies before 1970 is 0, and what lies far ahead the last nanosecond that the store has numbers for.
    """
    return min(max(0, _parsed(text.strip(), now, zone)), _LAST)


def _parsed(text: str, now: int, zone: str) -> int:
    lower = text.lower()
    if _NUMBER.fullmatch(text):
        return int(Decimal(text) * SECOND_NS)
    for word in ("now()", "now", "time()"):
        if lower.startswith(word) and text[len(word) :][:1] in ("", "-", "+", "@"):
            return relative(text[len(word) :], now, zone)
    if re.match(r"rt([-+@]|$)", lower):
        raise BadTime(text, "there are no real-time searches here; write now, or a range such as -5m to now")
    if text[:1] in ("-", "+", "@"):
        return relative(text, now, zone)
    return _absolute(text, zone)


def parse_duration(text: str) -> int | None:
    """Return the nanoseconds of a span such as ``10s``, ``5m`` or ``1d``; None if it is not one."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)", text.strip())
    if not found:
        return None
    unit = UNIT_OF.get(found[2].lower(), "")
    size = SIZES.get(unit) or DAYS.get(unit, 0) * _DAY_NS
    return int(Decimal(found[1]) * size) if size else None


def per_day(text: str) -> float | None:
    """Return how many a day a rate such as ``1/30d`` or ``0.2/d`` is; None if it is not one, or is 0."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)/(\d*)([a-zA-Z]+)", text.strip())
    length = parse_duration(f"{found[2] or 1}{found[3]}") if found else None
    return float(found[1]) * _DAY_NS / length or None if found and length else None


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a relative time: a shift by ``count`` units, or a snap to the start of one."""

    unit: str
    count: int = 0
    snap: bool = False
    weekday: int = 0


def steps(text: str) -> list[Step]:
    """Return the parts of a relative time such as ``-1d@d``; raise `BadTime` if it is none."""
    at, found_steps = 0, []
    while at < len(text):
        found = _STEP.match(text, at)
        if not found:
            raise BadTime(text, _what_is_wrong(text[at:]))
        unit = UNIT_OF.get((found[3] or found[4]).lower())
        if unit is None:
            raise BadTime(text, _unknown_unit(found[3] or found[4]))
        if found[1]:
            found_steps.append(_shift(text, found[1] + (found[2] or "1"), unit))
        else:
            found_steps.append(_snap(text, unit, found[5]))
        at = found.end()
    return found_steps


def _shift(text: str, count: str, unit: str) -> Step:
    size = SIZES.get(unit) or DAYS.get(unit, 0) * _DAY_NS or MONTHS[unit] * 28 * _DAY_NS
    if len(count) > 30 or abs(int(count)) * size > _FARTHEST:
        raise BadTime(text, "it leads farther than the calendar")
    return Step(unit, int(count))


def _snap(text: str, unit: str, weekday: str) -> Step:
    if weekday and (unit != "weeks" or int(weekday) > 7):
        raise BadTime(text, "a day of the week is @w0 (Sunday), @w1 (Monday) to @w6, or @w7 (Sunday)")
    return Step(unit, snap=True, weekday=int(weekday or 0))


def _what_is_wrong(rest: str) -> str:
    if re.match(r"[+-]\d+($|[+@-])", rest):
        return "the number lacks a unit: s, m, h, d, w, mon, q or y"
    if rest.startswith("@"):
        return "after @ comes a unit: @s, @m, @h, @d, @w, @mon, @q or @y"
    return "a relative time is a chain of shifts and snaps such as -1d@d+6h"


def _unknown_unit(word: str) -> str:
    near = difflib.get_close_matches(word.lower(), UNIT_OF, n=1, cutoff=0.75)
    if near and len(word) > 1:
        return f"{word!r} is no unit of time; did you mean {near[0]}?"
    return f"{word!r} is no unit of time: write s, m, h, d, w, mon, q or y"


def relative(text: str, moment: int, zone: str = UTC) -> int:
    """Return a time (ns) shifted and snapped as a text says; raise `BadTime` if it is no such text."""
    try:
        for step in steps(text):
            moment = moved(moment, step, zone)
    except OverflowError:
        raise BadTime(text, "it leads out of the calendar") from None
    return moment


def moved(moment: int, step: Step, zone: str = UTC) -> int:
    """Return a time (ns) after one step; raise `OverflowError` outside the years 1 to 9999."""
    size = SIZES.get(step.unit)
    if size and not step.snap:
        return moment + step.count * size
    if not step.snap and not step.count:
        return moment
    wall, offset, rest = _wall(moment, zone)
    if size:
        return moment - (moment + round(offset.total_seconds()) * SECOND_NS) % size
    if step.snap:
        return _nanoseconds(_start(wall, step.unit, step.weekday), zone)
    if step.unit in DAYS:
        return _nanoseconds(wall + timedelta(days=step.count * DAYS[step.unit]), zone) + rest
    return _nanoseconds(_months_later(wall, step.count * MONTHS[step.unit]), zone) + rest


def _start(wall: datetime, unit: str, weekday: int) -> datetime:
    midnight = wall.replace(hour=0, minute=0, second=0)
    if unit == "days":
        return midnight
    if unit == "weeks":
        # Sunday is day 0 and day 7 of a week, Monday day 1.
        return midnight - timedelta(days=(midnight.isoweekday() - weekday) % 7)
    month = {"months": wall.month, "quarters": (wall.month - 1) // 3 * 3 + 1, "years": 1}[unit]
    return midnight.replace(month=month, day=1)


def _months_later(wall: datetime, count: int) -> datetime:
    year, month = divmod(wall.year * 12 + wall.month - 1 + count, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    for day in range(wall.day, 28, -1):  # the 31st of a shorter month is its last day
        try:
            return wall.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return wall.replace(year=year, month=month + 1, day=min(wall.day, 28))


def _absolute(text: str, zone: str) -> int:
    fraction = _FRACTION.search(text)
    nanoseconds = int(f"{fraction[1][:9]:0<9}") if fraction else 0
    whole = text[: fraction.start()] + text[fraction.end() :] if fraction else text
    when = _read(whole)
    if when is None:
        if re.fullmatch(r"\d+\s*[a-zA-Z]+(@.*)?", text):
            raise BadTime(text, f"write -{text} for a time before now, +{text} for one after")
        raise BadTime(text)
    if when.tzinfo is None:
        return _nanoseconds(when, zone) + nanoseconds
    return _whole(when - EPOCH) + nanoseconds


def _read(text: str) -> datetime | None:
    for form in _SPLUNK:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _wall(moment: int, zone: str) -> tuple[datetime, timedelta, int]:
    """Return what the clocks show (whole seconds), their offset from UTC, and the nanoseconds left over."""
    seconds, rest = divmod(moment, SECOND_NS)
    wall, offset = to_wall(timedelta(seconds=seconds), zone)
    return wall, offset, rest


def _nanoseconds(wall: datetime, zone: str) -> int:
    return _whole(from_wall(wall, zone))


def _whole(gap: timedelta) -> int:
    return (gap.days * 86_400 + gap.seconds) * SECOND_NS + gap.microseconds * 1000
