"""Times as searches write them: ``-1h``, ``-30d@d``, ``@w1``, ``now``, epoch seconds, RFC 3339.

A relative time is a chain of shifts and snaps, applied from left to right; snapping goes back to the
start of the unit (``@w1``: the last Monday). Days, weeks, months and years follow UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

SECOND_NS = 10**9

_UNITS = {
    "seconds": "s sec secs second seconds",
    "minutes": "m min mins minute minutes",
    "hours": "h hr hrs hour hours",
    "days": "d day days",
    "weeks": "w week weeks",
    "months": "mon month months",
    "quarters": "q qtr qtrs quarter quarters",
    "years": "y yr yrs year years",
}
_UNIT = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_FIXED = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}
_MONTHS = {"months": 1, "quarters": 3, "years": 12}

_STEP = re.compile(r"([+-])(\d*)([a-zA-Z]+)|@([a-zA-Z]+)(\d?)")
_NUMBER = re.compile(r"\d+(\.\d*)?")
_SPLUNK = ("%m/%d/%Y:%H:%M:%S", "%m/%d/%Y")


class BadTime(ValueError):
    """A text that is not a time; the message says which forms are."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not a time; write -1h, -30d@d, now, epoch seconds or 2026-11-22T10:00:00Z"
        )


def parse_time(text: str, now: int) -> int:
    """Return nanoseconds since the epoch, never below 0, for a time relative to ``now`` (ns)."""
    text = text.strip()
    if text.lower() in ("now", "now()"):
        return now
    if _NUMBER.fullmatch(text):
        return int(Decimal(text) * SECOND_NS)
    if text[:1] in ("-", "+", "@"):
        try:
            return max(0, _relative(text, now))
        except OverflowError:
            raise BadTime(text) from None
    return _absolute(text)


def parse_duration(text: str) -> int | None:
    """Return the nanoseconds of a span such as ``10s``, ``5m`` or ``1d``; None if it is not one."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|us|[a-zA-Z]+)", text.strip())
    if not found:
        return None
    sub_second = {"ms": 10**6, "us": 10**3}.get(found[2])
    if sub_second:
        return int(Decimal(found[1]) * sub_second)
    unit = _UNIT.get(found[2].lower())
    return int(Decimal(found[1]) * _FIXED[unit] * SECOND_NS) if unit in _FIXED else None


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
            raise BadTime(text)
        unit = _UNIT.get((found[3] or found[4]).lower())
        weekday = found[5]
        if unit is None or (weekday and (unit != "weeks" or int(weekday) > 7)):
            raise BadTime(text)
        if found[1]:
            found_steps.append(Step(unit, int(found[2] or 1) * (1 if found[1] == "+" else -1)))
        else:
            found_steps.append(Step(unit, snap=True, weekday=int(weekday or 0)))
        at = found.end()
    return found_steps


def _relative(text: str, now: int) -> int:
    moment = now
    for step in steps(text):
        if step.snap:
            moment = _snap(moment, step.unit, step.weekday)
        else:
            moment = _shift(moment, step.count, step.unit, text)
    return moment


def _shift(moment: int, count: int, unit: str, text: str) -> int:
    if unit in _FIXED:
        return moment + count * _FIXED[unit] * SECOND_NS
    when, rest = _datetime(moment)
    month = when.year * 12 + when.month - 1 + count * _MONTHS[unit]
    if not 12 <= month < 9999 * 12:
        raise BadTime(text)
    year, month = divmod(month, 12)
    for day in range(when.day, 27, -1):  # the 31st of a shorter month is its last day
        shifted = _on_day(when, year, month + 1, day)
        if shifted:
            return _nanoseconds(shifted) + rest
    return _nanoseconds(when.replace(year=year, month=month + 1)) + rest


def _snap(moment: int, unit: str, weekday: int) -> int:
    if unit in ("seconds", "minutes", "hours", "days"):
        size = _FIXED[unit] * SECOND_NS
        return moment // size * size
    when, _ = _datetime(moment)
    midnight = when.replace(hour=0, minute=0, second=0)
    if unit == "weeks":
        # Sunday is day 0 and day 7 of a week, Monday day 1.
        return _nanoseconds(midnight - timedelta(days=(midnight.isoweekday() - weekday) % 7))
    month = {"months": when.month, "quarters": (when.month - 1) // 3 * 3 + 1, "years": 1}[unit]
    return _nanoseconds(midnight.replace(month=month, day=1))


def _absolute(text: str) -> int:
    for form in _SPLUNK:
        when = _in_form(text, form)
        if when:
            return _nanoseconds(when)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadTime(text) from None
    return max(0, _nanoseconds(when if when.tzinfo else when.replace(tzinfo=UTC)))


def _datetime(moment: int) -> tuple[datetime, int]:
    """Return the whole second in UTC, and the nanoseconds left over."""
    seconds, rest = divmod(max(moment, 0), SECOND_NS)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds), rest  # OverflowError past 9999


def _nanoseconds(when: datetime) -> int:
    gap = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (gap.days * 86400 + gap.seconds) * SECOND_NS + gap.microseconds * 1000


def _on_day(when: datetime, year: int, month: int, day: int) -> datetime | None:
    try:
        return when.replace(year=year, month=month, day=day)
    except ValueError:
        return None


def _in_form(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
