"""``gentimes start=DAY [end=DAY] [increment=TIME]`` makes a row for each span of time.

A day is written month/day/year, with ``:hour:minute:second`` if wanted, or as a number of days from now:
-7, which is midnight of that day; 0 is now. Rows go up to the end, last midnight unless given.
``increment`` is a whole number of ``s``, ``m``, ``h`` or ``d``, one day unless given. A row has
``starttime`` and ``endtime``, the last second of the span, in seconds, and both for people:
``starthuman`` and ``endhuman``.

Example::

    | gentimes start=1/25/2027 end=1/28/2027 increment=12h
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.options import read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Place
from kubestray.search.zones import from_wall, to_wall

_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?::(\d{1,2}):(\d{1,2}):(\d{1,2}))?")
_LENGTH = re.compile(r"(\d+)([smhd])", re.IGNORECASE)
_NAMES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST = 100_000
_SECOND = timedelta(seconds=1)
_MIDNIGHT = "-0"


@dataclass(frozen=True, slots=True)
class GenTimes(Command):
    """The ``gentimes`` command."""

    place: ClassVar = Place.FIRST

    start: str
    end: str
    increment: timedelta


def parse(cursor: Cursor, at: int) -> GenTimes:
    """Read the options."""
    options: dict[str, str] = {}
    while read_options(cursor, ["start", "end", "increment"], options):
        cursor.take(",")
    if "start" not in options:
        raise cursor.error("gentimes needs a start", at, "write start=1/25/2027 or start=-7")
    found = _LENGTH.fullmatch(options.get("increment", "1d"))
    if not found or not int(found[1]):
        raise cursor.error(f"increment={options['increment']} is no length of time", at, "write 1h or 10m")
    step = timedelta(**{_NAMES[found[2].lower()]: int(found[1])})
    return GenTimes(at, options["start"], options.get("end", _MIDNIGHT), step)


def plan(command: GenTimes, _: None, context: Context) -> Relation:
    """Make the rows; days are those of the calendar."""
    start, end = _moment(command.start, command, context), _moment(command.end, command, context)
    if (end - start) / command.increment > _MOST:
        raise context.error(command.at, f"this makes more than {_MOST} rows", "take a longer increment")
    rows: list[dict[str, Any]] = []
    while start < end:
        after = start + command.increment
        first, last = (_seconds(moment, context) for moment in (start, after))
        rows.append(
            {
                "starttime": first,
                "endtime": last - 1,
                "starthuman": _human(start),
                "endhuman": _human(after - _SECOND),
            }
        )
        start = after
    return given_relation(rows, context, ["starttime", "endtime", "starthuman", "endhuman"])


def _moment(written: str, command: GenTimes, context: Context) -> datetime:
    """Return what a clock shows at a time that is written as a day or as a number of days from now."""
    if re.fullmatch(r"[+-]?\d{1,5}", written):
        today, _ = to_wall(timedelta(microseconds=context.now // 1000), context.timezone)
        now = today.replace(microsecond=0)
        midnight = now.replace(hour=0, minute=0, second=0)
        return now if written in ("0", "+0") else midnight + timedelta(days=int(written))
    found = _DAY.fullmatch(written)
    try:
        if found:
            month, day, year, hour, minute, second = (int(part or 0) for part in found.groups())
            return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second)
    except ValueError:
        pass
    raise context.error(command.at, f"{written!r} is no day", "write month/day/year or a number of days")


def _seconds(moment: datetime, context: Context) -> int:
    return from_wall(moment, context.timezone) // _SECOND


def _human(moment: datetime) -> str:
    return " ".join(moment.ctime().split())  # of a day below 10 without the second space
