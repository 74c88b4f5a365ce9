"""Functions of numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sqlglot import exp

from kubestray.search.functions.base import BadArgument, Build, Environment
from kubestray.search.values import (
    Shape,
    Value,
    as_list,
    as_number,
    as_text,
    bound,
    choose,
    finite,
    is_literal_null,
    parse_number,
    present,
)
from kubestray.store.trees import Tree, call, column, either, lambda_, null, number, text


def half_up(value: Tree, decimals: int) -> Tree:
    """Round to decimals (of tens, if negative); halves go away from zero."""
    scale = number(10.0 ** abs(decimals))
    there, back = ("multiply", "divide") if decimals >= 0 else ("divide", "multiply")
    size = call("abs", value) if decimals == 0 else call(there, call("abs", value), scale)
    whole = call("multiply", call("sign", value), call("floor", call("plus", size, number(0.5))))
    return whole if decimals == 0 else call(back, whole, scale)


def round_(a: list[Value], env: Environment) -> Value:
    """Round to decimals; halves go away from zero."""
    given = as_number(a[0])
    places = a[1].number if len(a) > 1 else 0.0
    if places is not None and abs(places) < 300:
        return Value(Shape.NUMBER, finite(half_up(given, int(places))))
    scale = call("exp10", call("trunc", as_number(a[1])))
    size = call("floor", call("plus", call("multiply", call("abs", given), scale), number(0.5)))
    return Value(Shape.NUMBER, finite(call("divide", call("multiply", call("sign", given), size), scale)))


def numeric(name: str) -> Build:
    """Make a function of numbers from the engine's; a result that is no number is null."""

    def build(a: list[Value], env: Environment) -> Value:
        return Value(Shape.NUMBER, finite(call(name, *(as_number(value) for value in a))))

    return build


def log(a: list[Value], env: Environment) -> Value:
    """Return a logarithm; null unless the number and the base are positive."""
    if len(a) == 1:
        return numeric("log10")(a, env)
    base = as_number(a[1])
    positive = either(call("greater", base, number(0)), base, null())
    return Value(Shape.NUMBER, finite(call("divide", call("log", as_number(a[0])), call("log", positive))))


def extreme(name: str) -> Build:
    """Make ``max``/``min`` of all values; null is passed over. Any text is larger than any number."""

    def build(a: list[Value], env: Environment) -> Value:
        by_number = Value(Shape.NUMBER, _best(name, _numbers(a)))
        words = [value for value in a if value.shape is not Shape.NUMBER and not is_literal_null(value)]
        if not words:
            return by_number
        lists = call("arrayConcat", *(as_list(value) for value in words))
        unread = call("arrayFilter", lambda_("x", call("isNull", parse_number(column("x")))), lists)
        by_text = env.hold(Value(Shape.TEXT, _best(name, unread)))
        by_number = env.hold(by_number)
        first, second = (by_text, by_number) if name == "arrayMax" else (by_number, by_text)
        return choose([(present(first), first)], second)

    return build


def _best(name: str, items: Tree) -> Tree:
    best = call("toNullable", call(name, column("every")))
    return bound("every", items, either(call("notEmpty", column("every")), best, null()))


def _numbers(values: Iterable[Value]) -> Tree:
    """Return all values that are numbers, those of multivalue fields too, as ``Array(Float64)``."""
    plain = [value.tree for value in values if value.shape is Shape.NUMBER]
    others = [value for value in values if value.shape is not Shape.NUMBER]
    lists = [call("array", *plain)] if plain else []
    lists += [call("arrayMap", lambda_("x", parse_number(column("x"))), as_list(v)) for v in others]
    every = call("arrayConcat", *lists) if len(lists) > 1 else lists[0]
    known = call("arrayFilter", lambda_("x", call("isNotNull", column("x"))), every)
    return call("arrayMap", lambda_("x", call("assumeNotNull", column("x"))), known)


def aggregated(name: str) -> Build:
    """Make ``sum``/``avg`` of all values that are numbers; null if none is."""

    def build(a: list[Value], env: Environment) -> Value:
        for index, value in enumerate(a):
            if value.literal is not None:
                raise BadArgument(index, "expected a number here, found a text; tonumber() makes it one")
        return Value(Shape.NUMBER, finite(_best(name, _numbers(a))))

    return build


def tonumber(a: list[Value], env: Environment) -> Value:
    """Read a text as a number, in a base if one is given; a text with spaces around it is none."""
    if len(a) > 1:
        return in_base(a, env)
    return read_as_number(a[0])


def read_as_number(value: Value) -> Value:
    """Return a number as it is, and what a text reads as; it is surely a number, whatever the field holds."""
    if value.shape is Shape.NUMBER:
        return dataclasses.replace(value, field=False)
    if value.shape is Shape.BOOLEAN:
        return Value(Shape.NUMBER, as_number(value))
    return Value(Shape.NUMBER, finite(call("toFloat64OrNull", as_text(value))))


_SIGN = ("^-", "^-?(?:0x)?")
"""What stands before the digits; those of base 16 may be marked as such."""


def in_base(a: list[Value], env: Environment) -> Value:
    """Read a text as a whole number in a base."""
    given = a[1].number
    if given is not None and not (2 <= given <= 36 and given.is_integer()):
        raise BadArgument(1, "the base is a whole number from 2 to 36")
    if given == 10:
        return tonumber(a[:1], env)
    base = number(given) if given is not None else as_number(a[1])
    shown = call("lower", as_text(a[0]))
    digits = call("replaceRegexpOne", call("assumeNotNull", shown), text(_SIGN[given == 16]), text(""))
    place = call(
        "minus", call("position", text("0123456789abcdefghijklmnopqrstuvwxyz"), column("c")), number(1)
    )
    fold = exp.Lambda(
        this=call("plus", call("multiply", column("sum"), call("assumeNotNull", base)), place),
        expressions=[exp.to_identifier("sum"), exp.to_identifier("c")],
    )
    letters = call("extractAll", digits, text("."))
    value = call("arrayFold", fold, letters, call("toFloat64", number(0)))
    known = call("arrayAll", lambda_("c", call("less", place.copy(), base)), letters)
    valid = exp.and_(call("match", digits, text("^[0-9a-z]+$")), known)
    sign = either(call("startsWith", shown, text("-")), number(-1), number(1))
    result = either(call("isNull", shown), null(), call("multiply", value, sign))
    return Value(Shape.NUMBER, either(valid, result, null()))


def isint(a: list[Value], env: Environment) -> Value:
    """Tell whether a value is, or reads as, a whole number."""
    value = as_number(a[0])
    return Value(Shape.BOOLEAN, call("ifNull", call("equals", value, call("floor", value)), number(0)))


def isdouble(a: list[Value], env: Environment) -> Value:
    """Tell whether a value is, or reads as, a number with a fraction."""
    value = as_number(a[0])
    return Value(Shape.BOOLEAN, call("ifNull", call("notEquals", value, call("floor", value)), number(0)))


def pi(a: list[Value], env: Environment) -> Value:
    """Return π."""
    return Value(Shape.NUMBER, call("toNullable", call("pi")))


def random(a: list[Value], env: Environment) -> Value:
    """Return a number from 0 to 2³¹-1, another one in every row and for every call."""
    dice = call("intDiv", call("rand", number(env.tag())), number(2))
    return Value(Shape.NUMBER, call("toNullable", call("toFloat64", dice)))
