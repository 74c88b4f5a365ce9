"""``strftime``: times to texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

from kubestray.search.functions.base import Environment
from kubestray.search.functions.time_formats import COMPOSED, DIRECTIVES, flat
from kubestray.search.moments import MICROS, clock_of, moment_of, offset_of, once, rest
from kubestray.search.values import Shape, Value, as_number, as_text
from kubestray.search.zones import UTC, offset_names
from kubestray.store.trees import Tree, array, call, column, either, is_null, lambda_, null, number, text

_ENGINE = {
    "%a": "%a", "%A": "%W", "%b": "%b", "%B": "%M", "%C": "%C", "%d": "%d", "%G": "%G", "%g": "%g", "%H": "%H",
    "%h": "%b", "%I": "%I", "%j": "%j", "%m": "%m", "%M": "%i", "%n": "\n", "%p": "%p", "%S": "%S", "%t": "\t",
    "%u": "%u", "%V": "%V", "%w": "%w", "%y": "%y", "%Y": "%Y", "%z": "%z", "%%": "%%",
}  # fmt: skip
"""What formatDateTime of the engine calls them."""

Writer = Callable[[Tree, str], Tree]
"""Makes a text of a moment in a zone."""


def strftime(a: list[Value], env: Environment) -> Value:
    """Write a time (seconds) in a format."""
    layout, zone = a[1].literal, env.timezone

    def body(moment: Tree) -> Tree:
        shown = _by_row(as_text(a[1]), moment, zone) if layout is None else _written(layout, moment, zone)
        return either(is_null(moment), null(), shown)

    return Value(Shape.TEXT, once(moment_of(as_number(a[0])), body, "m"))


def _written(layout: str, moment: Tree, zone: str) -> Tree:
    """Write a moment in a format that is known; neighbours that the engine writes are written together."""
    parts: list[Tree] = []
    for own, tokens in groupby(re.findall(DIRECTIVES, flat(layout)), _OWN.__contains__):
        if own:
            parts += [_OWN[token](moment, zone) for token in tokens]
        else:
            words = "".join(_ENGINE.get(token, token.replace("%", "%%")) for token in tokens)
            parts.append(_engine(words, moment, zone))
    return call("concat", *parts, text(""), text(""))


def _engine(layout: str, moment: Tree, zone: str) -> Tree:
    if layout.count("%") == 2 * layout.count("%%"):
        return text(layout.replace("%%", "%"))
    return call("formatDateTime", clock_of(moment, zone), text(layout))


def _by_row(layout: Tree, moment: Tree, zone: str) -> Tree:
    """Write a moment in a format that every row has its own of: all that a format can ask for is at hand."""
    tokens = (*_ENGINE, *_OWN, *COMPOSED)
    values = array([_written(token, moment, zone) for token in tokens])

    def shown(made: Tree) -> Tree:
        place = call("indexOf", array(map(text, tokens)), column("p"))
        chosen = either(call("greater", place, number(0)), call("arrayElement", made, place), column("p"))
        found = call("extractAll", call("assumeNotNull", layout), text(DIRECTIVES))
        return call("arrayStringConcat", call("arrayMap", lambda_("p", chosen), found))

    return either(is_null(layout), null(), once(values, shown, "v"))


def _plain(function: str) -> Writer:
    return lambda moment, zone: call("toString", call(function, clock_of(moment, zone)))


def _padded(function: str) -> Writer:
    return lambda moment, zone: call("leftPad", _plain(function)(moment, zone), number(2), text(" "))


def _half_day(moment: Tree, zone: str) -> Tree:
    """Return the hour from 1 to 12."""
    hour = call("plus", call("toHour", clock_of(moment, zone)), number(11))
    return call("toString", call("plus", call("modulo", hour, number(12)), number(1)))


def _padded_half_day(moment: Tree, zone: str) -> Tree:
    return call("leftPad", _half_day(moment, zone), number(2), text(" "))


def _lower_half(moment: Tree, zone: str) -> Tree:
    return call("lower", _engine("%p", moment, zone))


def _short_year(moment: Tree, zone: str) -> Tree:
    return call("toString", call("modulo", call("toYear", clock_of(moment, zone)), number(100)))


def _epoch(moment: Tree, _: str) -> Tree:
    return call("toString", call("intDiv", call("minus", moment, rest(moment, MICROS)), number(MICROS)))


def _fraction(digits: int) -> Writer:
    """Return the first digits of the part of a second; a number holds no more than six of them."""

    def write(moment: Tree, _: str) -> Tree:
        micros = call("leftPad", call("toString", rest(moment, MICROS)), number(6), text("0"))
        return call("substring", call("rightPad", micros, number(9), text("0")), number(1), number(digits))

    return write


def _zone_name(moment: Tree, zone: str) -> Tree:
    """Return what the zone calls itself then: the latest name that it had for the offset."""
    if zone == UTC:
        return text("UTC")
    names = offset_names(zone)
    offset, unnamed = offset_of(moment, zone), _engine("%z", moment, zone)
    return call("transform", offset, array(map(number, names)), array(map(text, names.values())), unnamed)


def _offset(pattern: str, replacement: str) -> Writer:
    def write(moment: Tree, zone: str) -> Tree:
        return call("replaceRegexpOne", _engine("%z", moment, zone), text(pattern), text(replacement))

    return write


def _offset_minutes(moment: Tree, zone: str) -> Tree:
    return call("toString", call("intDiv", offset_of(moment, zone), number(60)))


def _week(first_day: int) -> Writer:
    """Return the week of the year, counted from 0, by the day that weeks start on."""

    def write(moment: Tree, zone: str) -> Tree:
        clock = clock_of(moment, zone)
        into_week = rest(call("minus", call("toDayOfWeek", clock), number(first_day)), 7)
        days = call("minus", call("plus", call("toDayOfYear", clock), number(6)), into_week)
        return call("leftPad", call("toString", call("intDiv", days, number(7))), number(2), text("0"))

    return write


_OWN: dict[str, Writer] = {
    "%e": _padded("toDayOfMonth"),
    "%k": _padded("toHour"),
    "%l": _padded_half_day,
    "%P": _lower_half,
    "%s": _epoch,
    "%Z": _zone_name,
    "%:z": _offset("(..)$", r":\1"),
    "%::z": _offset("(..)$", r":\1:00"),
    "%:::z": _offset("..$", ""),
    "%Ez": _offset_minutes,
    "%U": _week(7),
    "%W": _week(1),
    "%-d": _plain("toDayOfMonth"),
    "%-e": _plain("toDayOfMonth"),
    "%-m": _plain("toMonth"),
    "%-H": _plain("toHour"),
    "%-k": _plain("toHour"),
    "%-I": _half_day,
    "%-l": _half_day,
    "%-M": _plain("toMinute"),
    "%-S": _plain("toSecond"),
    "%-j": _plain("toDayOfYear"),
    "%-y": _short_year,
    "%N": _fraction(9),
    "%Q": _fraction(3),
    "%f": _fraction(6),
    **{f"%{digits}{letter}": _fraction(digits) for digits in range(1, 10) for letter in "NQf"},
}
"""What the engine has no word for."""
