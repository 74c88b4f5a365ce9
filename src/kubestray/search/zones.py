"""Time zones: their names, and what they call their offsets from UTC.

Names are those of the IANA data base. The standard library reads it from the system or from the
``tzdata`` package; the engine has a copy of its own.
"""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import UTC as _UTC
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

UTC = "UTC"

EPOCH = datetime(1970, 1, 1, tzinfo=_UTC)

_UNFIT = ("localtime", "posixrules", "Factory")
"""Files beside the data base that name no zone, or one that differs between machines."""

WRITTEN_OFFSETS = {
    "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "MET": 60,
    "MEST": 120, "EET": 120, "EEST": 180, "MSK": 180, "SAST": 120, "IST": 330, "PKT": 300, "SGT": 480,
    "HKT": 480,
    "AWST": 480, "JST": 540, "KST": 540, "ACST": 570, "ACDT": 630, "AEST": 600, "AEDT": 660, "NZST": 720,
    "NZDT": 780, "NST": -210, "NDT": -150, "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360,
    "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600,
}  # fmt: skip
"""Minutes from UTC of the names of zones that logs are written with; of several meanings the most usual."""


class UnknownZone(ValueError):
    """A name that is no time zone; the message has the nearest one."""


def checked_zone(name: str) -> str:
    """Return the name of a time zone; raise `UnknownZone` if there is none of that name."""
    try:
        if name in _UNFIT:
            raise KeyError(name)
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name at all, or a folder of zones
        raise UnknownZone(
            f"expected the name of a time zone, for example Europe/Berlin{_nearest(name)}"
        ) from None
    return name


def _nearest(name: str) -> str:
    names = sorted(zoneinfo.available_timezones() - set(_UNFIT))
    known = {name.lower().rpartition("/")[2]: name for name in names} | {name.lower(): name for name in names}
    written = name.strip().lower().replace(" ", "_")
    close = difflib.get_close_matches(written, known, n=1)
    return f"; did you mean {known[close[0]]}?" if close else ""


def to_wall(moment: timedelta, zone: str) -> tuple[datetime, timedelta]:
    """Return what the clocks of a zone show at a time since the epoch, and their offset from UTC.

    Raise `OverflowError` before year 1 and after year 9999.
    """
    shown = (EPOCH + moment).astimezone(ZoneInfo(zone))
    offset = shown.utcoffset()
    assert offset is not None
    return shown.replace(tzinfo=None, fold=0), offset


def from_wall(wall: datetime, zone: str) -> timedelta:
    """Return the time since the epoch at which the clocks of a zone show this.

    What they show twice is the first time; what they skip is as if they had not been changed yet.
    """
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0) - EPOCH


@cache
def whole_hours_ahead(zone: str, first: int, last: int) -> bool:
    """Tell whether the clocks of a zone are whole hours from UTC in all days of some years and a day beside.

    Clocks have never been changed for less than a day.
    """
    if zone == UTC:
        return True
    info = ZoneInfo(zone)
    begin, end = datetime(first, 1, 1, tzinfo=_UTC), datetime(last + 1, 1, 1, tzinfo=_UTC)
    days = ((begin + timedelta(days=day)).astimezone(info) for day in range(-1, (end - begin).days + 2))
    return not any(offset % timedelta(hours=1) for day in days if (offset := day.utcoffset()) is not None)


@cache
def offset_names(zone: str) -> dict[int, str]:
    """Return what a zone calls its offsets (seconds from UTC): the latest name of each."""
    names: dict[int, str] = {}
    info = ZoneInfo(zone)
    for days in range(0, 75 * 365, 28):
        when = (EPOCH + timedelta(days=days)).astimezone(info)
        offset = when.utcoffset()
        assert offset is not None
        names[round(offset.total_seconds())] = when.tzname() or ""
    return names
