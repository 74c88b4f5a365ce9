"""``strptime``: texts to times.

A format becomes a regular expression whose groups are the parts of a time. What stands behind the part of
the text that fits is not looked at. A fraction of a second may be missing together with the point before it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from kubestray.search.functions.base import Environment
from kubestray.search.functions.time_formats import DIRECTIVES, PIECES, READ, READABLE, SIGNS, compiled
from kubestray.search.moments import DAY, MICROS, moment_at, once, seconds_of
from kubestray.search.times import SECOND_NS
from kubestray.search.values import NULL_NUMBER, Shape, Value, as_text, bound
from kubestray.search.zones import WRITTEN_OFFSETS, offset_names, to_wall
from kubestray.store.trees import (
    Tree,
    all_of,
    array,
    call,
    column,
    either,
    is_null,
    lambda_,
    null,
    number,
    text,
)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

Part = Callable[[str], Tree | None]
"""Gives the text of a part of a time: empty where the row has none, None where no row has one."""


def strptime(a: list[Value], env: Environment) -> Value:
    """Read a time written in a format; null where it does not fit."""
    given, layout = as_text(a[0]), a[1].literal
    if layout is None:
        return Value(Shape.NUMBER, once(as_text(a[1]), lambda shape: _by_row(given, shape, env), "f"))
    names, pattern = compiled(layout)
    if not names:
        return NULL_NUMBER

    def body(groups: Tree) -> Tree:
        places = {name: number(place) for place, name in enumerate(names, 1)}

        def part(name: str) -> Tree | None:
            return call("arrayElement", groups, places[name]) if name in places else None

        return either(call("notEmpty", groups), _assembled(part, env), null())

    return Value(Shape.NUMBER, once(call("extractGroups", given, text(pattern)), body, "g"))


_MOST = 9
"""As many groups as the engine gives back from an expression that is not a literal."""


def _by_row(given: Tree, layout: Tree, env: Environment) -> Tree:
    """Read a time in a format that every row has its own of."""
    composed = array(map(text, READABLE)), array(map(text, READABLE.values()))
    token = call("replaceRegexpOne", column("p"), text("^%-"), text("%"))
    simple = lambda_("p", call("transform", token, *composed, token))
    tokens = call("extractAll", call("ifNull", layout, text("")), text(DIRECTIVES))
    flat = call("arrayStringConcat", call("arrayMap", simple, tokens))

    def read(pieces: Tree) -> Tree:
        names = _each(pieces, [names for names, _ in READ.values()], text(""), " ")
        rest = call("replaceRegexpAll", column("p"), text(SIGNS), text(r"\\\0"))
        literal = either(call("match", column("p"), text(r"^\s+$")), text(r"\s*"), rest)
        pattern = _each(pieces, [expression for _, expression in READ.values()], literal, "")
        matched = once(pattern, lambda p: _matched(given, column("n"), p, env), "r")
        return bound("n", call("splitByWhitespace", names), matched)

    return once(call("extractAll", flat, text(PIECES)), read, "k")


def _each(pieces: Tree, known: list[str], otherwise: Tree, between: str) -> Tree:
    """Return what each piece of a format stands for, joined."""
    place = call("indexOf", array(map(text, READ)), column("p"))
    meaning = call("arrayElement", array(map(text, known)), place)
    chosen = either(call("greater", place, number(0)), meaning, otherwise)
    return call("arrayStringConcat", call("arrayMap", lambda_("p", chosen), pieces), text(between))


def _matched(given: Tree, names: Tree, pattern: Tree, env: Environment) -> Tree:
    anchored = call("concat", text(r"^\s*"), pattern, text(r"(?s:.*)$"))
    group = lambda_("i", call("concat", text("\\"), call("toString", column("i"))))
    groups = call("arrayStringConcat", call("arrayMap", group, call("arrayEnumerate", names)), text("\n"))
    found = call("splitByChar", text("\n"), call("replaceRegexpOne", given, anchored, groups))

    def body(values: Tree) -> Tree:
        def part(name: str) -> Tree:
            return call("arrayElement", values, call("indexOf", names, text(name)))

        count = call("length", names)
        few = call("and", call("greater", count, number(0)), call("lessOrEquals", count, number(_MOST)))
        fits = call("and", few, call("ifNull", call("match", given, anchored), number(0)))
        return either(fits, _assembled(part, env), null())

    return once(call("ifNull", found, call("CAST", array([]), text("Array(String)"))), body, "v")


def _assembled(part: Part, env: Environment) -> Tree:
    """Return the time, in seconds, that the parts make up."""
    wall = call("plus", call("multiply", _day(part, env), number(DAY)), _time_of_day(part))
    epoch, fraction = part("epoch"), _fraction(part)
    if epoch is None:
        return seconds_of(_in_zone(wall, part, env.timezone))
    exact = call("plus", call("toFloat64OrNull", epoch), seconds_of(fraction))
    return either(call("notEmpty", epoch), exact, seconds_of(_in_zone(wall, part, env.timezone)))


def _number(part: Part, name: str) -> Tree | None:
    found = part(name)
    return None if found is None else call("toInt32OrNull", found)


def _first(*values: Tree | None) -> Tree:
    """Return the first that is not null."""
    known = [value for value in values if value is not None]
    return known[0] if len(known) == 1 else call("coalesce", *known)


def _day(part: Part, env: Environment) -> Tree:
    """Return the days since the epoch. Without a date it is today; without a year it is this year's.

    A year or month without a day is no date.
    """
    today, _ = to_wall(timedelta(seconds=env.now // SECOND_NS), env.timezone)
    years, month = _years(part), _month(part)
    year = _first(*years, number(today.year))
    day, day_of_year = _number(part, "day"), _number(part, "day_of_year")
    cases: list[Tree] = []
    if day_of_year is not None:
        # The engine makes no date of the 366th day.
        before = call("minus", day_of_year, number(1))
        date = call("addDays", call("makeDate32", year, number(1), number(1)), before)
        cases += [call("isNotNull", day_of_year), _checked(date, {"toDayOfYear": day_of_year})]
    if day is not None:
        this_month = _first(month, number(today.month))
        date = call("makeDate32", year, this_month, day)
        cases += [call("isNotNull", day), _checked(date, {"toDayOfMonth": day, "toMonth": this_month})]
    undated = [is_null(given) for given in (*years, month) if given is not None]
    cases += [all_of(undated), number((today - _START).days), null()]
    return call("multiIf", *cases)


_START = datetime(1970, 1, 1)  # what the clocks show, wherever they hang


def _checked(date: Tree, parts: dict[str, Tree]) -> Tree:
    """Return the days of a date since the epoch; what is no date, such as 30 February, comes out as another."""

    def days(made: Tree) -> Tree:
        same = [call("equals", call(function, made), value) for function, value in parts.items()]
        return either(all_of(same), call("toInt64", call("toInt32", made)), null())

    return once(date, days, "d")


def _years(part: Part) -> list[Tree]:
    year, short = _number(part, "year"), _number(part, "short_year")
    if short is not None:
        century = either(call("less", short, number(69)), number(2000), number(1900))
        short = call("plus", short, century)
    return [given for given in (year, short) if given is not None]


def _month(part: Part) -> Tree | None:
    written = part("month")
    if written is None:
        return None
    name = call("lower", call("substring", written, number(1), number(3)))
    months = array(map(text, _MONTHS)), array(number(month) for month in range(1, 13))
    return call("coalesce", call("toInt32OrNull", written), call("transform", name, *months, null()))


def _time_of_day(part: Part) -> Tree:
    """Return the microseconds since midnight; null if an hour, minute or second is too large."""
    hour = _first(_number(part, "hour"), _hour_of_half(part), number(0))
    minute = _first(_number(part, "minute"), number(0))
    second = _first(_number(part, "second"), number(0))
    # The last minute of a day may have 61 seconds, and has had 62 in manuals.
    fits = all_of(
        [call("less", hour, number(24)), call("less", minute, number(60)), call("less", second, number(62))]
    )
    minutes = call("plus", call("multiply", hour, number(60)), minute)
    seconds = call("toInt64", call("plus", call("multiply", minutes, number(60)), second))
    return either(fits, call("plus", call("multiply", seconds, number(MICROS)), _fraction(part)), null())


def _hour_of_half(part: Part) -> Tree | None:
    """Return the hour of an hour from 1 to 12 and its half of the day; 24 if there is none such."""
    hour, half = _number(part, "half_hour"), part("half")
    if hour is None:
        return None
    afternoon = number(0) if half is None else call("equals", call("lower", half), text("p"))
    whole = call("plus", call("modulo", hour, number(12)), call("multiply", afternoon, number(12)))
    return call("multiIf", is_null(hour), null(), call("greater", hour, number(12)), number(24), whole)


def _fraction(part: Part) -> Tree:
    """Return the microseconds of a fraction."""
    digits = part("fraction")
    if digits is None:
        return number(0)
    return call(
        "toInt64", call("rightPad", call("substring", digits, number(1), number(6)), number(6), text("0"))
    )


def _in_zone(wall: Tree, part: Part, zone: str) -> Tree:
    """Return the moment at which clocks show this: those of the zone in the text, else those of the search."""
    written, minutes = part("zone"), part("zone_minutes")
    if written is None and minutes is None:
        return moment_at(wall, zone)

    def moment(shown: Tree) -> Tree:
        made = moment_at(shown, zone)
        if minutes is not None:
            ahead = call("multiply", call("toInt64OrNull", minutes), number(60 * MICROS))
            made = either(call("notEmpty", minutes), call("minus", shown, ahead), made)
        if written is not None:
            ahead = call("multiply", call("toInt64", _written_offset(written, zone)), number(MICROS))
            made = either(call("notEmpty", written), call("minus", shown, ahead), made)
        return made

    return once(wall, moment, "z")


def _written_offset(written: Tree, zone: str) -> Tree:
    """Return the seconds from UTC that ``+05:30``, ``CEST`` or ``GMT-0700`` says; null for an unknown name."""
    known = {name: minutes * 60 for name, minutes in WRITTEN_OFFSETS.items()}
    known |= {name.upper(): offset for offset, name in offset_names(zone).items() if name.isalpha()}
    names = array(map(text, ("", *known))), array(map(number, (0, *known.values())))

    def offset(groups: Tree) -> Tree:
        def piece(place: int) -> Tree:
            return call("toInt32OrZero", call("arrayElement", groups, number(place)))

        minutes = call("plus", call("multiply", piece(3), number(60)), piece(4))
        seconds = call("plus", call("multiply", minutes, number(60)), piece(5))
        behind = call("equals", call("arrayElement", groups, number(2)), text("-"))
        named = call("transform", call("upper", call("arrayElement", groups, number(1))), *names, null())
        return call("plus", named, either(behind, call("negate", seconds), seconds))

    shape = r"^([A-Za-z]*)(?:([+-])(\d{1,2}):?(\d{2})?:?(\d{2})?)?$"
    return once(call("extractGroups", written, text(shape)), offset, "o")
