"""Functions of time: the clock, and times to texts and back."""

from __future__ import annotations

import re

from kubestray.search.functions.base import BadArgument, Environment, literal_text
from kubestray.search.times import BadTime, steps
from kubestray.search.values import Shape, Value, as_number, as_text
from kubestray.store.trees import Tree, call, either, is_null, null, number, text

# strftime of Splunk → formatDateTime of the engine, where they differ.
_OUT = {
    "a": "%a", "b": "%b", "B": "%M", "d": "%d", "e": "%e", "F": "%F", "H": "%H", "I": "%I", "j": "%j", "m": "%m",
    "M": "%i", "p": "%p", "S": "%S", "T": "%T", "u": "%u", "w": "%w", "y": "%y", "Y": "%Y", "%": "%%", "n": "\n",
    "t": "\t", "A": "%W", "D": "%m/%d/%y", "R": "%H:%i", "V": "%V", "G": "%G", "C": "%C", "h": "%b", "r": "%I:%i:%S %p",
}  # fmt: skip
# strptime of Splunk → parseDateTime of the engine.
_IN = {
    "a": "%a", "b": "%b", "B": "%M", "d": "%d", "e": "%e", "F": "%F", "H": "%H", "I": "%I", "j": "%j", "m": "%m",
    "M": "%i", "p": "%p", "S": "%S", "T": "%T", "y": "%y", "Y": "%Y", "%": "%%", "h": "%b", "D": "%m/%d/%y",
    "R": "%H:%i",
}  # fmt: skip
_DIRECTIVE = re.compile(r"%([0-9]?[A-Za-z%])")


def clock(_: list[Value], env: Environment) -> Value:
    """Return now, in seconds."""
    return Value(Shape.NUMBER, call("toNullable", call("toFloat64", number(env.now / 1e9))), static=True)


def strftime(a: list[Value], _: Environment) -> Value:
    """Write a time (seconds) in a format, in UTC."""
    layout = literal_text(a[1], 1, "the format")
    seconds = as_number(a[0])
    whole = call("toInt64", call("floor", seconds))
    moment = call("fromUnixTimestamp64Second", whole, text("UTC"))
    parts: list[Tree] = []
    at = 0
    for found in _DIRECTIVE.finditer(layout):
        parts.append(text(layout[at : found.start()]))
        parts.append(_written(found[1], seconds, whole, moment))
        at = found.end()
    parts += [text(layout[at:]), text("")]
    return Value(Shape.TEXT, either(is_null(seconds), null(), call("concat", *parts)))


def _written(directive: str, seconds: Tree, whole: Tree, moment: Tree) -> Tree:
    if directive == "s":
        return call("toString", whole)
    if directive in ("N", "3N", "6N", "9N", "Q", "3Q", "6Q", "9Q"):
        digits = int(directive[0]) if directive[0].isdigit() else 3 if directive[-1] == "Q" else 9
        # A double has about a quarter of a microsecond to spare at today's times.
        exact = call("multiply", call("minus", seconds, whole), number(float(10**digits)))
        part = call("floor", call("plus", exact, number(0.001))) if digits <= 3 else call("round", exact)
        return call("leftPad", call("toString", call("toInt64", part)), number(digits), text("0"))
    if directive in ("z", "Z"):
        return text("+0000" if directive == "z" else "UTC")
    if directive not in _OUT:
        raise BadArgument(1, f"the format %{directive} is not supported")
    return call("formatDateTime", moment, text(_OUT[directive]), text("UTC"))


def strptime(a: list[Value], _: Environment) -> Value:
    """Read a time written in a format, in UTC; null where it does not fit."""
    layout = literal_text(a[1], 1, "the format")
    if layout == "%s":
        return Value(Shape.NUMBER, as_number(a[0]))
    pieces: list[str] = []
    at = 0
    for found in _DIRECTIVE.finditer(layout):
        if found[1] not in _IN:
            raise BadArgument(1, f"the format %{found[1]} cannot be read back here")
        pieces += [layout[at : found.start()].replace("%", "%%"), _IN[found[1]]]
        at = found.end()
    pieces.append(layout[at:])
    read = call("parseDateTimeOrNull", as_text(a[0]), text("".join(pieces)), text("UTC"))
    return Value(Shape.NUMBER, call("toFloat64", call("toUnixTimestamp", read)))


def relative_time(a: list[Value], _: Environment) -> Value:
    """Shift and snap a time (seconds) as ``-1d@d`` says."""
    modifier = literal_text(a[1], 1, "the shift")
    try:
        chain = steps(modifier)
    except BadTime as error:
        raise BadArgument(1, str(error)) from error
    seconds = as_number(a[0])
    moment: Tree = call(
        "fromUnixTimestamp64Milli", call("toInt64", call("multiply", seconds, number(1000))), text("UTC")
    )
    for step in chain:
        moment = (
            _snapped(moment, step.unit, step.weekday)
            if step.snap
            else _shifted(moment, step.count, step.unit)
        )
    return Value(Shape.NUMBER, call("divide", call("toUnixTimestamp64Milli", moment), number(1000.0)))


def _shifted(moment: Tree, count: int, unit: str) -> Tree:
    function = {
        "seconds": "addSeconds", "minutes": "addMinutes", "hours": "addHours", "days": "addDays",
        "weeks": "addWeeks", "months": "addMonths", "quarters": "addQuarters", "years": "addYears",
    }[unit]  # fmt: skip
    return call(function, moment, number(count))


def _snapped(moment: Tree, unit: str, weekday: int) -> Tree:
    if unit == "weeks":
        # Monday is 1 for the engine as for us, and Sunday 7 or 0.
        back = call(
            "modulo",
            call("plus", call("minus", call("toDayOfWeek", moment), number(weekday)), number(7)),
            number(7),
        )
        day = call("subtractDays", moment, back)
        return _milli(call("toStartOfDay", day))
    function = {
        "seconds": "toStartOfSecond", "minutes": "toStartOfMinute", "hours": "toStartOfHour", "days": "toStartOfDay",
        "months": "toStartOfMonth", "quarters": "toStartOfQuarter", "years": "toStartOfYear",
    }[unit]  # fmt: skip
    return _milli(call(function, moment))


def _milli(moment: Tree) -> Tree:
    return call("toDateTime64", moment, number(3), text("UTC"))
