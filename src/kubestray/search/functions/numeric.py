"""Functions of numbers."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.functions.base import BadArgument, Build, Environment
from kubestray.search.values import (
    Shape,
    Value,
    as_number,
    as_text,
    choose,
    is_literal_null,
    looks_numeric,
    present,
)
from kubestray.store.trees import Tree, any_of, call, column, either, lambda_, null, number, text


def round_(a: list[Value], env: Environment) -> Value:
    """Round half up, as ``floor(x + 0.5)`` does."""
    scale = call("exp10", as_number(a[1])) if len(a) > 1 else number(1)
    half_up = call("floor", exp.Add(this=call("multiply", as_number(a[0]), scale), expression=number(0.5)))
    return Value(Shape.NUMBER, call("divide", half_up, scale))


def numeric(name: str) -> Build:
    """Make a function of numbers from the engine's; a result that is no number is null."""

    def build(a: list[Value], env: Environment) -> Value:
        result = call(name, *(as_number(value) for value in a))
        return Value(Shape.NUMBER, either(call("isFinite", result), result, null()))

    return build


def log(a: list[Value], env: Environment) -> Value:
    base = as_number(a[1]) if len(a) > 1 else number(10)
    result = call("divide", call("log", as_number(a[0])), call("log", base))
    return Value(Shape.NUMBER, either(call("isFinite", result), result, null()))


def extreme(name: str) -> Build:
    """Make ``max``/``min``; null arguments are passed over. Any text is larger than any number."""

    def best(items: Tree) -> Tree:
        known = call("arrayFilter", lambda_("x", call("isNotNull", column("x"))), items)
        return call(name, call("arrayMap", lambda_("x", call("assumeNotNull", column("x"))), known))

    def build(a: list[Value], env: Environment) -> Value:
        numbers = call("array", *(as_number(value) for value in a))
        some = any_of([call("isNotNull", as_number(value)) for value in a])
        by_number = Value(Shape.NUMBER, either(some, best(numbers), null()))
        words = [value for value in a if value.shape is not Shape.NUMBER and not is_literal_null(value)]
        if not words:
            return by_number
        texts = call("array", *(either(looks_numeric(value), null(), as_text(value)) for value in words))
        worded = any_of([call("and", present(value), call("not", looks_numeric(value))) for value in words])
        by_text = Value(Shape.TEXT, either(worded, best(texts), null()))
        first, second = (by_text, by_number) if name == "arrayMax" else (by_number, by_text)
        return choose([(present(first), first)], second)

    return build


def tonumber(a: list[Value], env: Environment) -> Value:
    """Read a text as a number, in a base if one is given."""
    if len(a) == 1:
        return Value(Shape.NUMBER, as_number(a[0]))
    if not a[1].static or a[1].number is None or not 2 <= a[1].number <= 36:
        raise BadArgument(1, "the base is a number from 2 to 36")
    base = int(a[1].number)
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[:base]
    shown = call("lower", call("trimBoth", as_text(a[0])))
    place = call("minus", call("position", text(digits), column("c")), number(1))
    fold = exp.Lambda(
        this=call("plus", call("multiply", column("sum"), number(float(base))), place),
        expressions=[exp.to_identifier("sum"), exp.to_identifier("c")],
    )
    letters = call("extractAll", call("assumeNotNull", shown), text("."))
    value = call("arrayFold", fold, letters, call("toFloat64", number(0)))
    return Value(Shape.NUMBER, either(call("match", shown, text(f"^[{digits}]+$")), value, null()))


def isint(a: list[Value], env: Environment) -> Value:
    """Tell whether a value is, or reads as, a whole number."""
    value = as_number(a[0])
    return Value(Shape.BOOLEAN, call("ifNull", call("equals", value, call("floor", value)), number(0)))


def pi(a: list[Value], env: Environment) -> Value:
    """Return π."""
    return Value(Shape.NUMBER, call("toNullable", call("pi")))
