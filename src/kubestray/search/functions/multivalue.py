"""Functions of multivalue fields."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.functions.base import Environment, literal_text
from kubestray.search.functions.text import pattern
from kubestray.search.values import NULL, Shape, Value, any_value, as_list, as_number, as_text
from kubestray.store.trees import Tree, call, column, either, is_null, lambda_, null, number, text


def split(a: list[Value], env: Environment) -> Value:
    """Cut a text at each delimiter; a text without one is one value."""
    shown = as_text(a[0])
    cut = call("splitByString", text(literal_text(a[1], 1, "the delimiter")), call("assumeNotNull", shown))
    return Value(Shape.MULTI, either(is_null(shown), as_list(NULL), cut))


def mvcount(a: list[Value], env: Environment) -> Value:
    count = call("toFloat64", call("length", as_list(a[0])))
    return Value(Shape.NUMBER, call("nullIf", count, number(0)))


def mvjoin(a: list[Value], env: Environment) -> Value:
    values = as_list(a[0])
    joined = call("arrayStringConcat", values, text(literal_text(a[1], 1, "the delimiter")))
    return Value(Shape.TEXT, either(call("empty", values), null(), joined))


def mvappend(a: list[Value], env: Environment) -> Value:
    return Value(Shape.MULTI, call("arrayConcat", *(as_list(value) for value in a)))


def mvdedup(a: list[Value], env: Environment) -> Value:
    values = as_list(a[0])
    first = call("equals", call("indexOf", values, column("x")), column("i"))
    keep = exp.Lambda(this=first, expressions=[exp.to_identifier("x"), exp.to_identifier("i")])
    return Value(Shape.MULTI, call("arrayFilter", keep, values, call("arrayEnumerate", values)))


def mvsort(a: list[Value], env: Environment) -> Value:
    return Value(Shape.MULTI, call("arraySort", as_list(a[0])))


def mvindex(a: list[Value], env: Environment) -> Value:
    """Pick values by index from 0; a negative index counts from the end; outside is null."""
    values = as_list(a[0])
    size = call("toInt64", call("length", values))

    def place(value: Value) -> Tree:
        index = call("toInt64", as_number(value))
        return either(call("less", index, number(0)), call("plus", index, size), index)

    start = place(a[1])
    stop = place(a[2]) if len(a) > 2 else start
    inside = exp.and_(
        call("greaterOrEquals", start, number(0)),
        call("less", start, size),
        call("lessOrEquals", start, stop),
    )
    length = call("plus", call("minus", stop, start), number(1))
    picked = call("arraySlice", values, call("plus", start, number(1)), length)
    return Value(Shape.MULTI, either(inside, picked, as_list(NULL)))


def mvfind(a: list[Value], env: Environment) -> Value:
    """Return the index from 0 of the first value that matches a regular expression."""
    matches = call("match", column("x"), pattern(a[1], 1))
    values = as_list(a[0])
    place = call("arrayFirstIndex", lambda_("x", matches), values)
    found = any_value(values, matches)
    return Value(Shape.NUMBER, either(found, call("toFloat64", call("minus", place, number(1))), null()))


def mvzip(a: list[Value], _: Environment) -> Value:
    """Join the first value to the first, the second to the second, as far as both go."""
    delimiter = as_text(a[2]) if len(a) > 2 else text(",")
    x, y = as_list(a[0]), as_list(a[1])
    size = call("least", call("length", x), call("length", y))
    pairs = call("arrayZip", call("arraySlice", x, number(1), size), call("arraySlice", y, number(1), size))
    first, second = (call("tupleElement", column("p"), number(i)) for i in (1, 2))
    joined = call("concat", first, call("assumeNotNull", delimiter), second)
    return Value(Shape.MULTI, call("arrayMap", lambda_("p", joined), pairs))


def mvrange(a: list[Value], _: Environment) -> Value:
    """Return numbers from the first up to, not including, the second."""
    start, end = as_number(a[0]), as_number(a[1])
    step = as_number(a[2]) if len(a) > 2 else number(1.0)
    count = call("ceil", call("divide", call("minus", end, start), call("nullIf", step, number(0))))
    bounded = call(
        "toUInt32", call("greatest", call("least", call("ifNull", count, number(0)), number(1e6)), number(0))
    )
    value = call(
        "plus", call("assumeNotNull", start), call("multiply", column("i"), call("assumeNotNull", step))
    )
    shown = call("toString", call("toFloat64", value))
    return Value(Shape.MULTI, call("arrayMap", lambda_("i", shown), call("range", bounded)))
