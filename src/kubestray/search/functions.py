"""The functions of eval expressions, in one table: add a line to `FUNCTIONS` to add one.

Unless its line says otherwise, a function of null is null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.compare import compare, is_member
from kubestray.search.relation import Switches
from kubestray.search.values import (
    NULL,
    Shape,
    Value,
    any_value,
    as_list,
    as_number,
    as_text,
    choose,
    is_literal_null,
    looks_numeric,
    missing,
    present,
)
from kubestray.store.trees import Tree, call, column, either, is_null, lambda_, null, number, text


@dataclass(frozen=True, slots=True)
class Environment:
    """What a function may depend on besides its arguments: now (ns) and the switches."""

    now: int
    switches: Switches


class BadArgument(Exception):
    """An argument that no function can take, by its index."""

    def __init__(self, index: int, message: str) -> None:
        self.index = index
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how many arguments it takes, what it makes of them, and a line for the manual."""

    least: int
    most: int
    build: Callable[[list[Value], Environment], Value]
    manual: str

    def takes(self) -> str:
        """Say how many arguments it takes."""
        if self.least == self.most:
            return f"{self.least} argument{'s' * (self.least != 1)}"
        return (
            f"at least {self.least} arguments"
            if self.most >= MANY
            else f"{self.least} to {self.most} arguments"
        )


MANY = 1000


def _condition(value: Value, index: int) -> Tree:
    if value.shape is not Shape.BOOLEAN:
        raise BadArgument(index, "expected a condition here, such as x > 1")
    return value.tree


def _if(a: list[Value], env: Environment) -> Value:
    return choose([(_condition(a[0], 0), a[1])], a[2])


def _case(a: list[Value], env: Environment) -> Value:
    if len(a) % 2:
        raise BadArgument(len(a) - 1, "conditions and values come in pairs")
    return choose([(_condition(a[i], i), a[i + 1]) for i in range(0, len(a), 2)], NULL)


def _validate(a: list[Value], env: Environment) -> Value:
    if len(a) % 2:
        raise BadArgument(len(a) - 1, "conditions and values come in pairs")
    failed = [(call("not", _condition(a[i], i)), a[i + 1]) for i in range(0, len(a), 2)]
    return choose(failed, NULL)


def _coalesce(a: list[Value], env: Environment) -> Value:
    return choose([(present(value), value) for value in a[:-1]], a[-1])


def _nullif(a: list[Value], env: Environment) -> Value:
    return choose([(compare("==", a[0], a[1], env.switches), NULL)], a[0])


def _tostring(a: list[Value], env: Environment) -> Value:
    shown = as_text(a[0])
    if env.switches.tostring_null == "Null":
        shown = text("Null") if is_literal_null(a[0]) else call("ifNull", shown, text("Null"))
    return Value(Shape.TEXT, call("toNullable", shown))


def _tonumber(a: list[Value], env: Environment) -> Value:
    return Value(Shape.NUMBER, as_number(a[0]))


def _round(a: list[Value], env: Environment) -> Value:
    """Round half up, as ``floor(x + 0.5)`` does."""
    scale = call("exp10", as_number(a[1])) if len(a) > 1 else number(1)
    half_up = call("floor", exp.Add(this=call("multiply", as_number(a[0]), scale), expression=number(0.5)))
    return Value(Shape.NUMBER, call("divide", half_up, scale))


def _numeric(name: str) -> Callable[[list[Value], Environment], Value]:
    """Make a function of numbers from the engine's; a result that is no number is null."""

    def build(a: list[Value], env: Environment) -> Value:
        result = call(name, *(as_number(value) for value in a))
        return Value(Shape.NUMBER, either(call("isFinite", result), result, null()))

    return build


def _log(a: list[Value], env: Environment) -> Value:
    base = as_number(a[1]) if len(a) > 1 else number(10)
    result = call("divide", call("log", as_number(a[0])), call("log", base))
    return Value(Shape.NUMBER, either(call("isFinite", result), result, null()))


def _textual(name: str) -> Callable[[list[Value], Environment], Value]:
    """Make a function from text to text; of a multivalue field it takes each value."""

    def build(a: list[Value], env: Environment) -> Value:
        if a[0].shape is Shape.MULTI:
            return Value(Shape.MULTI, call("arrayMap", lambda_("x", call(name, column("x"))), a[0].tree))
        return Value(Shape.TEXT, call(name, as_text(a[0])))

    return build


def _len(a: list[Value], env: Environment) -> Value:
    return Value(Shape.NUMBER, call("toFloat64", call("lengthUTF8", as_text(a[0]))))


def _substr(a: list[Value], env: Environment) -> Value:
    bounds = [call("toInt64", as_number(value)) for value in a[1:]]
    return Value(Shape.TEXT, call("substringUTF8", as_text(a[0]), *bounds))


def pattern(value: Value, index: int) -> Tree:
    """Return a regular expression for the engine: it must be a literal; ``.`` does not match a line's end."""
    if not value.static or value.shape is not Shape.TEXT:
        raise BadArgument(index, "a regular expression must be a quoted text")
    return call("concat", text("(?-s)"), as_text(value))


def _replace(a: list[Value], env: Environment) -> Value:
    regex, replacement = pattern(a[1], 1), call("assumeNotNull", as_text(a[2]))
    if a[0].shape is Shape.MULTI:
        each = lambda_("x", call("replaceRegexpAll", column("x"), call("assumeNotNull", regex), replacement))
        return Value(Shape.MULTI, call("arrayMap", each, a[0].tree))
    return Value(
        Shape.TEXT, call("replaceRegexpAll", as_text(a[0]), call("assumeNotNull", regex), replacement)
    )


def _match(a: list[Value], env: Environment) -> Value:
    return Value(Shape.BOOLEAN, call("match", as_text(a[0]), call("assumeNotNull", pattern(a[1], 1))))


def _like(a: list[Value], env: Environment) -> Value:
    return Value(Shape.BOOLEAN, call("like", as_text(a[0]), call("assumeNotNull", as_text(a[1]))))


def _split(a: list[Value], env: Environment) -> Value:
    """Cut a text at each delimiter; a text without one is one value."""
    shown = as_text(a[0])
    cut = call("splitByString", call("assumeNotNull", as_text(a[1])), call("assumeNotNull", shown))
    return Value(Shape.MULTI, either(is_null(shown), as_list(NULL), cut))


def _mvcount(a: list[Value], env: Environment) -> Value:
    count = call("toFloat64", call("length", as_list(a[0])))
    return Value(Shape.NUMBER, call("nullIf", count, number(0)))


def _mvjoin(a: list[Value], env: Environment) -> Value:
    values = as_list(a[0])
    joined = call("arrayStringConcat", values, call("assumeNotNull", as_text(a[1])))
    return Value(Shape.TEXT, either(call("empty", values), null(), joined))


def _mvappend(a: list[Value], env: Environment) -> Value:
    return Value(Shape.MULTI, call("arrayConcat", *(as_list(value) for value in a)))


def _mvdedup(a: list[Value], env: Environment) -> Value:
    values = as_list(a[0])
    first = call("equals", call("indexOf", values, column("x")), column("i"))
    keep = exp.Lambda(this=first, expressions=[exp.to_identifier("x"), exp.to_identifier("i")])
    return Value(Shape.MULTI, call("arrayFilter", keep, values, call("arrayEnumerate", values)))


def _mvsort(a: list[Value], env: Environment) -> Value:
    return Value(Shape.MULTI, call("arraySort", as_list(a[0])))


def _mvindex(a: list[Value], env: Environment) -> Value:
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


def _extreme(name: str) -> Callable[[list[Value], Environment], Value]:
    """Make ``max``/``min``: numbers only compare as numbers; null arguments are passed over."""

    def build(a: list[Value], env: Environment) -> Value:
        items = call("array", *(as_number(value) for value in a))
        known = call("arrayFilter", lambda_("x", call("isNotNull", column("x"))), items)
        best = call(name, call("arrayMap", lambda_("x", call("assumeNotNull", column("x"))), known))
        return Value(Shape.NUMBER, either(call("empty", known), null(), best))

    return build


def _in(a: list[Value], env: Environment) -> Value:
    return Value(Shape.BOOLEAN, is_member(a[0], a[1:], env.switches))


def _test(check: Callable[[Value], Tree]) -> Callable[[list[Value], Environment], Value]:
    return lambda a, env: Value(Shape.BOOLEAN, check(a[0]))


def _clock(a: list[Value], env: Environment) -> Value:
    return Value(Shape.NUMBER, call("toNullable", call("toFloat64", number(env.now / 1e9))), static=True)


def _constant(tree: Tree) -> Callable[[list[Value], Environment], Value]:
    return lambda a, env: Value(Shape.BOOLEAN, tree)


def _mvfind(a: list[Value], env: Environment) -> Value:
    """Return the index from 0 of the first value that matches a regular expression."""
    matches = call("match", column("x"), call("assumeNotNull", pattern(a[1], 1)))
    values = as_list(a[0])
    place = call("arrayFirstIndex", lambda_("x", matches), values)
    found = any_value(values, matches)
    return Value(Shape.NUMBER, either(found, call("toFloat64", call("minus", place, number(1))), null()))


FUNCTIONS: dict[str, Function] = {
    "abs": Function(1, 1, _numeric("abs"), "abs(x): the value without its sign"),
    "case": Function(2, MANY, _case, "case(c1, x1, …): the value after the first true condition, else null"),
    "ceil": Function(1, 1, _numeric("ceil"), "ceil(x): the next whole number up"),
    "ceiling": Function(1, 1, _numeric("ceil"), "ceiling(x): the next whole number up"),
    "coalesce": Function(1, MANY, _coalesce, "coalesce(x, …): the first that is not null"),
    "exp": Function(1, 1, _numeric("exp"), "exp(x): e to the power x"),
    "false": Function(0, 0, _constant(exp.false()), "false(): the condition that never holds"),
    "floor": Function(1, 1, _numeric("floor"), "floor(x): the next whole number down"),
    "if": Function(3, 3, _if, "if(c, x, y): x where the condition is true, else y (also where it is null)"),
    "in": Function(2, MANY, _in, "in(x, a, b, …): whether x equals one of the others"),
    "isnotnull": Function(1, 1, _test(present), "isnotnull(x): whether x has a value"),
    "isnull": Function(1, 1, _test(missing), "isnull(x): whether x has no value"),
    "isnum": Function(1, 1, _test(looks_numeric), "isnum(x): whether x is or reads as a number"),
    "len": Function(1, 1, _len, "len(x): how many characters"),
    "like": Function(
        2, 2, _like, "like(x, p): whether x matches p, in which % is any text and _ any character"
    ),
    "ln": Function(1, 1, _numeric("log"), "ln(x): natural logarithm; null unless x > 0"),
    "log": Function(1, 2, _log, "log(x, base): logarithm, base 10 unless given"),
    "lower": Function(1, 1, _textual("lowerUTF8"), "lower(x): in lower case"),
    "ltrim": Function(1, 1, _textual("trimLeft"), "ltrim(x): without leading spaces"),
    "match": Function(2, 2, _match, "match(x, regex): whether the regular expression matches anywhere in x"),
    "max": Function(1, MANY, _extreme("arrayMax"), "max(x, …): the largest number"),
    "min": Function(1, MANY, _extreme("arrayMin"), "min(x, …): the smallest number"),
    "mvappend": Function(1, MANY, _mvappend, "mvappend(x, …): all values one after the other"),
    "mvcount": Function(1, 1, _mvcount, "mvcount(x): how many values; null if none"),
    "mvdedup": Function(1, 1, _mvdedup, "mvdedup(x): without repeated values, first places kept"),
    "mvfind": Function(2, 2, _mvfind, "mvfind(x, regex): the index from 0 of the first value that matches"),
    "mvindex": Function(
        2, 3, _mvindex, "mvindex(x, i, j): the values from i to j, counted from 0 or, below, from the end"
    ),
    "mvjoin": Function(2, 2, _mvjoin, "mvjoin(x, d): all values as one text, d between them"),
    "mvsort": Function(1, 1, _mvsort, "mvsort(x): values in lexicographic order"),
    "now": Function(0, 0, _clock, "now(): the time of the search, in seconds"),
    "null": Function(0, 0, lambda a, env: NULL, "null(): no value"),
    "nullif": Function(2, 2, _nullif, "nullif(x, y): null where the two are equal, else x"),
    "pow": Function(2, 2, _numeric("pow"), "pow(x, y): x to the power y"),
    "replace": Function(
        3, 3, _replace, r"replace(x, regex, y): every match replaced; \1 in y is the first group"
    ),
    "round": Function(1, 2, _round, "round(x, n): to n decimals (0 unless given), halves up"),
    "rtrim": Function(1, 1, _textual("trimRight"), "rtrim(x): without trailing spaces"),
    "split": Function(2, 2, _split, "split(x, d): the parts between the delimiters, as a multivalue field"),
    "sqrt": Function(1, 1, _numeric("sqrt"), "sqrt(x): square root; null below 0"),
    "substr": Function(
        2, 3, _substr, "substr(x, from, length): from a place counted from 1, or from the end if negative"
    ),
    "time": Function(0, 0, _clock, "time(): the time of the search, in seconds"),
    "tonumber": Function(1, 1, _tonumber, "tonumber(x): the number that a text reads as, else null"),
    "tostring": Function(1, 1, _tostring, 'tostring(x): as text; null is "Null" (switch tostring_null)'),
    "trim": Function(1, 1, _textual("trimBoth"), "trim(x): without spaces around"),
    "true": Function(0, 0, _constant(exp.true()), "true(): the condition that always holds"),
    "upper": Function(1, 1, _textual("upperUTF8"), "upper(x): in upper case"),
    "validate": Function(
        2, MANY, _validate, "validate(c1, x1, …): the value after the first condition that is not true"
    ),
}
