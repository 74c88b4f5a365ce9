"""Functions of multivalue fields."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.functions.base import BadArgument, Environment
from kubestray.search.functions.text import delimiter, pattern
from kubestray.search.times import BadTime, steps
from kubestray.search.values import NULL, Shape, Value, any_value, as_list, as_number, as_text, as_whole
from kubestray.store.trees import Tree, all_of, call, column, either, is_null, lambda_, null, number, text

# Stands for a delimiter that differs by row, where the engine takes constants only.
_MARK = "\x1f\x00\x1e"


def split(a: list[Value], env: Environment) -> Value:
    """Cut a text at each delimiter; a text without one is one value. An empty delimiter cuts everywhere."""
    shown = as_text(a[0])
    literal = delimiter(a[1], 1)
    known = call("assumeNotNull", shown)
    if literal is None:
        cut = _split_by_value(known, as_text(a[1]))
        return Value(Shape.MULTI, either(is_null(shown), as_list(NULL), cut))
    cut = call("splitByString", text(literal), known) if literal else _characters(known)
    return Value(Shape.MULTI, either(is_null(shown), as_list(NULL), cut))


def _split_by_value(known: Tree, between: Tree) -> Tree:
    marked = call("replaceAll", known, call("ifNull", between, text("")), text(_MARK))
    cut = call("splitByString", text(_MARK), marked)
    by_character = either(call("equals", between, text("")), _characters(known), cut)
    return either(is_null(between), as_list(NULL), by_character)


def _characters(known: Tree) -> Tree:
    return call("extractAll", known, text("(?s)."))


def mvcount(a: list[Value], env: Environment) -> Value:
    count = call("toFloat64", call("length", as_list(a[0])))
    return Value(Shape.NUMBER, call("nullIf", count, number(0)))


def mvjoin(a: list[Value], env: Environment) -> Value:
    values, literal = as_list(a[0]), delimiter(a[1], 1)
    if literal is not None:
        joined = call("arrayStringConcat", values, text(literal))
    else:
        marked = call("arrayStringConcat", values, text(_MARK))
        joined = call("replaceAll", marked, text(_MARK), as_text(a[1]))
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


def mvreverse(a: list[Value], env: Environment) -> Value:
    return Value(Shape.MULTI, call("arrayReverse", as_list(a[0])))


def mvindex(a: list[Value], env: Environment) -> Value:
    """Pick values by index from 0; a negative index counts from the end; outside is null."""
    values = as_list(a[0])
    size = call("toInt64", call("length", values))

    def place(value: Value) -> Tree:
        if value.number is not None:
            index = number(int(value.number))
            return index if value.number >= 0 else call("plus", index, size)
        index = as_whole(value)
        return either(call("less", index, number(0)), call("plus", index, size), index)

    start = place(a[1])
    stop = place(a[2]) if len(a) > 2 else start
    inside = [call("greaterOrEquals", start, number(0)), call("less", stop, size)]
    inside += [call("lessOrEquals", start, stop)] if len(a) > 2 else []
    length = call("plus", call("minus", stop, start), number(1)) if len(a) > 2 else number(1)
    picked = call("arraySlice", values, call("plus", start, number(1)), length)
    return Value(Shape.MULTI, either(all_of(inside), picked, as_list(NULL)))


def mvfind(a: list[Value], env: Environment) -> Value:
    """Return the index from 0 of the first value that matches a regular expression."""
    matches = call("match", column("x"), pattern(a[1], 1))
    values = as_list(a[0])
    place = call("arrayFirstIndex", lambda_("x", matches), values)
    found = any_value(values, matches)
    if not a[1].static:
        found = call("and", call("isNotNull", as_text(a[1])), found)
    return Value(Shape.NUMBER, either(found, call("toFloat64", call("minus", place, number(1))), null()))


def mvzip(a: list[Value], _: Environment) -> Value:
    """Join the first value to the first, the second to the second, as far as both go."""
    between = as_text(a[2]) if len(a) > 2 else text(",")
    x, y = as_list(a[0]), as_list(a[1])
    size = call("least", call("length", x), call("length", y))
    pairs = call("arrayZip", call("arraySlice", x, number(1), size), call("arraySlice", y, number(1), size))
    first, second = (call("tupleElement", column("p"), number(i)) for i in (1, 2))
    joined = call("concat", first, call("ifNull", between, text("")), second)
    return Value(Shape.MULTI, call("arrayMap", lambda_("p", joined), pairs))


_MOST = 1e6
_MONTHS = {"months": 1, "quarters": 3, "years": 12}
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}


def mvrange(a: list[Value], env: Environment) -> Value:
    """Return numbers from the first up to, not including, the second; a step can be a span of time."""
    start, end = as_number(a[0]), as_number(a[1])
    step, months = _step(a[2]) if len(a) > 2 else (number(1.0), 0)
    if months:
        return _months(start, end, months)
    count = call("ceil", call("divide", call("minus", end, start), call("nullIf", step, number(0))))
    known = call("ifNull", count, number(0))
    bounded = call("toUInt32", call("greatest", call("least", known, number(_MOST)), number(0)))
    grown = call("multiply", column("i"), call("assumeNotNull", step))
    shown = call("toString", call("toFloat64", call("plus", call("assumeNotNull", start), grown)))
    return Value(Shape.MULTI, call("arrayMap", lambda_("i", shown), call("range", bounded)))


def _step(value: Value) -> tuple[Tree, int]:
    """Return a step as a number, and in months where it is a span of these."""
    if value.literal is None:
        return as_number(value), 0
    try:
        return number(float(value.literal)), 0
    except ValueError:
        pass
    try:
        (span,) = steps(value.literal if value.literal[:1] in "+-" else f"+{value.literal}")
    except (BadTime, ValueError) as error:
        raise BadArgument(2, f"{value.literal!r} is no step; write 2 or 7d") from error
    if span.snap or span.count <= 0:
        raise BadArgument(2, f"{value.literal!r} is no step; write 2 or 7d")
    if span.unit in _SECONDS:
        return number(float(span.count * _SECONDS[span.unit])), 0
    return number(0), span.count * _MONTHS[span.unit]


def _months(start: Tree, end: Tree, months: int) -> Value:
    begin = call("fromUnixTimestamp64Second", call("toInt64", call("ifNull", start, number(0))), text("UTC"))
    moved = call(
        "toUnixTimestamp64Second", call("addMonths", begin, call("multiply", column("i"), number(months)))
    )
    every = call("arrayMap", lambda_("i", call("toFloat64", moved)), call("range", number(1200)))
    before = call(
        "arrayFilter", lambda_("t", call("ifNull", call("less", column("t"), end), number(0))), every
    )
    shown = call("arrayMap", lambda_("t", call("toString", column("t"))), before)
    return Value(Shape.MULTI, either(is_null(start), as_list(NULL), shown))
