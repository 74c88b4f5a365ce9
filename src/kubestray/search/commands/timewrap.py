"""``timewrap [N]UNIT [align=now|end] [series=relative|short|exact] [time_format=FORMAT]``
puts periods of a ``timechart`` beside each other.

The units are ``s``, ``min``, ``h``, ``d`` and ``w``, and ``m``, ``qtr`` and ``y`` of the calendar. The
periods end where the range of the search does, or now, with ``align=now`` always now. A field of each
period: ``count_latest_week``, ``count_1week_before``, ``count_2weeks_before`` …; with ``series=short``
``s0``, ``s1`` … after the name of the field, which is left out if there is one only; with ``series=exact``
the start of the period as ``time_format`` says. ``_time`` is that of the latest period.

Example::

    | timechart count span=1h | timewrap 1d
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kubestray.search.cursor import Cursor
from kubestray.search.given import Row, given_relation
from kubestray.search.options import read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.times import relative
from kubestray.search.truncation import first
from kubestray.search.zones import to_wall

_SPAN = r"(\d+)?\s*([A-Za-z]+)(?=[\s|\]]|$)"
_UNITS = {
    "second": ("s", "sec", "secs", "second", "seconds"),
    "minute": ("min", "mins", "minute", "minutes"),
    "hour": ("h", "hr", "hrs", "hour", "hours"),
    "day": ("d", "day", "days"),
    "week": ("w", "week", "weeks"),
    "month": ("m", "mon", "month", "months"),
    "quarter": ("q", "qtr", "qtrs", "quarter", "quarters"),
    "year": ("y", "yr", "yrs", "year", "years"),
}
_SERIES = ("relative", "short", "exact")
_MOST_PERIODS = 1000
_MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class TimeWrap(Command):
    """The ``timewrap`` command."""

    count: int
    unit: str
    to_now: bool
    series: str
    format: str


def parse(cursor: Cursor, at: int) -> TimeWrap:
    """Read the span and the options."""
    options: dict[str, str] = {}
    found = cursor.match(_SPAN)
    unit = next((u for u, words in _UNITS.items() if found and found[2].lower() in words), None)
    if not found or unit is None or found[1] == "0":
        raise cursor.error("timewrap needs the length of a period", at, "write timewrap 1d or timewrap 2w")
    read_options(cursor, ["align", "series", "time_format"], options)
    series, align = options.get("series", "relative").lower(), options.get("align", "end").lower()
    if series not in _SERIES or align not in ("now", "end"):
        hint = "series is relative, short or exact; align is now or end"
        raise cursor.error(f"series={series} align={align} is unknown", at, hint)
    shown = options.get("time_format", "%Y-%m-%d")
    return TimeWrap(at, int(found[1] or 1), unit, align == "now", series, shown)


def plan(command: TimeWrap, relation: Relation, context: Context) -> Relation:
    """Run what comes before, and put its rows beside each other."""
    if "_time" not in relation.fields:
        raise context.error(command.at, "timewrap needs _time", "write timechart before it")
    rows = context.discover(first(relation, _MOST_ROWS + 1))
    if len(rows) > _MOST_ROWS:
        raise context.error(command.at, f"these are more than {_MOST_ROWS} rows", "take longer spans")
    fields = [name for name in relation.fields if not name.startswith("_")]
    ends = _ends(command, rows, context)
    wrapped: dict[float, Row] = {}
    for row in rows:
        if isinstance(row.get("_time"), int | float):
            period = next((k for k in range(len(ends) - 1) if row["_time"] >= ends[k + 1]), 0)
            time = row["_time"] + ends[0] - ends[period]
            line = wrapped.setdefault(time, {"_time": time})
            line |= {_name(f, period, fields, ends, command, context): row[f] for f in fields if f in row}
    names = [
        _name(field, period, fields, ends, command, context)
        for field in fields
        for period in reversed(range(len(ends) - 1))
    ]
    return given_relation([wrapped[time] for time in sorted(wrapped)], context, ["_time", *names])


def _ends(command: TimeWrap, rows: list[Row], context: Context) -> list[float]:
    """Return where the periods end in seconds, the latest first, and last where the oldest starts."""
    latest = context.now if command.to_now or context.span.latest is None else context.span.latest
    oldest = min((row["_time"] for row in rows if isinstance(row.get("_time"), int | float)), default=latest)
    ends = [latest / 1e9]
    while len(ends) < 2 or ends[-1] > oldest:
        if len(ends) > _MOST_PERIODS:
            raise context.error(command.at, f"this makes more than {_MOST_PERIODS} periods")
        back = f"-{len(ends) * command.count}{_UNITS[command.unit][0 if command.unit != 'month' else 1]}"
        ends.append(relative(back, latest, context.timezone) / 1e9)
    return ends


def _name(
    field: str, period: int, fields: list[str], ends: list[float], command: TimeWrap, context: Context
) -> str:
    """Return what the field of a period is called."""
    if command.series == "relative":
        count = period * command.count
        plural = "s" if max(count, command.count) > 1 else ""
        size = command.count if command.count > 1 else ""
        if not period:
            return f"{field}_latest_{size}{command.unit}{plural}"
        return f"{field}_{count}{command.unit}{plural}_before"
    series = f"s{period}"
    if command.series == "exact":
        start, _ = to_wall(timedelta(seconds=ends[period + 1]), context.timezone)
        series = start.strftime(command.format)
    return series if len(fields) == 1 else f"{field}_{series}"
