"""Functions of the clock and the calendar."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.functions.base import BadArgument, Environment
from kubestray.search.functions.strftime import strftime
from kubestray.search.functions.strptime import strptime
from kubestray.search.moments import (
    DAY,
    MICROS,
    moment_at,
    moment_of,
    months_added,
    moved,
    once,
    seconds_of,
    wall_of,
    wall_snapped,
)
from kubestray.search.times import DAYS, MONTHS, SECOND_NS, SIZES, UNIT_OF, BadTime, steps
from kubestray.search.values import Shape, Value, as_number, as_text, constant
from kubestray.store.trees import Tree, array, call, column, either, null, number, text

__all__ = ["clock", "precise_clock", "relative_time", "strftime", "strptime"]


def clock(_: list[Value], env: Environment) -> Value:
    """Return now, in whole seconds."""
    return _literal(env.now // SECOND_NS)


def precise_clock(_: list[Value], env: Environment) -> Value:
    """Return now, in seconds with microseconds."""
    return _literal(env.now // 1000 / MICROS)


def _literal(seconds: float) -> Value:
    return Value(Shape.NUMBER, constant(seconds), static=True)


def relative_time(a: list[Value], env: Environment) -> Value:
    """Shift and snap a time (seconds) as ``-1d@d`` says."""
    moment = moment_of(as_number(a[0]))
    if a[1].literal is None:
        by_row = once(call("trimBoth", as_text(a[1])), lambda says: _by_row(moment, says, env.timezone), "f")
        return Value(Shape.NUMBER, seconds_of(by_row))
    try:
        chain = steps(a[1].literal.strip())
    except BadTime as error:
        raise BadArgument(1, str(error)) from error
    if not chain:
        raise BadArgument(1, "expected a shift or a snap here, such as -1d@d")
    for step in chain:
        moment = moved(moment, step, env.timezone)
    return Value(Shape.NUMBER, seconds_of(moment))


_STEP = r"([+-])(\d{0,9})([a-zA-Z]+)|@([a-zA-Z]+)([0-7]?)"
_CHAIN = r"^(?:[+-]\d{0,9}[a-zA-Z]+|@(?i:w|wk|wks|week|weeks)[0-7]|@[a-zA-Z]+)+$"
_FAR = 4_000_000
"""More days or months than the calendar has."""


def _by_row(moment: Tree, says: Tree, zone: str) -> Tree:
    """Move a moment as a text says that every row has its own of; null if it says nothing of the kind."""
    found = call("extractAllGroupsVertical", call("ifNull", says, text("")), text(_STEP))
    body = once(_unit_of_step(), lambda unit: _after_step(unit, zone), "u")
    names = [exp.to_identifier("m"), exp.to_identifier("s")]
    fold = exp.Lambda(this=call("CAST", body, text("Nullable(Int64)")), expressions=names)
    folded = call("arrayFold", fold, found, call("CAST", moment, text("Nullable(Int64)")))
    return either(call("ifNull", call("match", says, text(_CHAIN)), number(0)), folded, null())


def _piece(place: int) -> Tree:
    """Return a piece of the step ``s``: sign, number, unit of a shift; unit of a snap, day of the week."""
    return call("arrayElement", column("s"), number(place))


def _unit_of_step() -> Tree:
    word = call("lower", call("concat", _piece(3), _piece(4)))
    words, units = array(map(text, UNIT_OF)), array(map(text, UNIT_OF.values()))
    return call("transform", word, words, units, text(""))


def _after_step(unit: Tree, zone: str) -> Tree:
    """Return the moment ``m`` after the step ``s``."""
    moment, snaps = column("m"), call("notEmpty", _piece(4))
    count = call("toInt64", call("concat", _piece(1), either(call("empty", _piece(2)), text("1"), _piece(2))))
    size = _by_unit(unit, {name: max(length // 1000, 1) for name, length in SIZES.items()})
    back = call("positiveModulo", wall_of(moment, zone), call("greatest", size, number(1)))
    return call(
        "multiIf",
        call("empty", unit), null(),
        call("and", snaps, call("greater", size, number(0))), call("minus", moment, back),
        snaps, moment_at(once(wall_of(moment, zone), lambda wall: _snapped(wall, unit), "x"), zone),
        call("equals", unit, text("nanoseconds")), call("plus", moment, call("intDiv", count, number(1000))),
        call("greater", size, number(0)), call("plus", moment, call("multiply", count, size)),
        moment_at(_shifted(wall_of(moment, zone), unit, count), zone),
    )  # fmt: skip


def _snapped(wall: Tree, unit: Tree) -> Tree:
    weekday = call("toUInt8OrZero", _piece(5))
    cases = [
        tree
        for name in (*DAYS, *MONTHS)
        for tree in (call("equals", unit, text(name)), wall_snapped(wall, name, weekday))
    ]
    return call("multiIf", *cases, null())


def _shifted(wall: Tree, unit: Tree, count: Tree) -> Tree:
    near = call("greatest", call("least", count, number(_FAR)), number(-_FAR))
    days = call("multiply", near, _by_unit(unit, {name: length * DAY for name, length in DAYS.items()}))
    return months_added(call("plus", wall, days), call("multiply", near, _by_unit(unit, MONTHS)))


def _by_unit(unit: Tree, lengths: dict[str, int]) -> Tree:
    """Return the length of a unit, 0 if it is none of these."""
    values = array(map(number, lengths.values()))
    return call("toInt64", call("transform", unit, array(map(text, lengths)), values, number(0)))
