"""Functions of texts, regular expressions included."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from kubestray.search.functions.base import BadArgument, Build, Environment, literal_text
from kubestray.search.regex import BadRegex, engine_regex
from kubestray.search.values import (
    Shape,
    Value,
    as_number,
    as_text,
    is_literal_null,
    looks_numeric,
    missing,
    present,
)
from kubestray.store.trees import Tree, call, column, either, lambda_, number, text


def tostring(a: list[Value], env: Environment) -> Value:
    """Write a value as text, a number in a format if one is named."""
    shown = as_text(a[0]) if len(a) == 1 else _formatted(a[0], literal_text(a[1], 1, "the format"))
    if env.switches.tostring_null == "Null":
        shown = text("Null") if is_literal_null(a[0]) else call("ifNull", shown, text("Null"))
    return Value(Shape.TEXT, call("toNullable", shown))


def _formatted(value: Value, layout: str) -> Tree:
    given = as_number(value)
    whole = call("toInt64", call("trunc", given))
    if layout == "hex":
        return call("concat", text("0x"), _hex(whole))
    if layout == "commas":
        return _commas(given)
    if layout == "duration":
        return _duration(whole)
    raise BadArgument(1, f"the format {layout!r} is unknown; hex, commas and duration are known")


def _hex(whole: Tree) -> Tree:
    """Return the digits without leading zeros, of which the engine writes a multiple of two."""
    return call("trim", call("replaceRegexpOne", call("hex", whole), text("^0+(.)"), text("\\1")))


def _commas(given: Tree) -> Tree:
    """Return the number with a comma between thousands, and two decimals if it has any."""
    rounded = call(
        "divide",
        call("floor", call("plus", call("multiply", call("abs", given), number(100)), number(0.5))),
        number(100),
    )
    whole = call("toString", call("toUInt64", call("trunc", rounded)))
    grouped = call(
        "reverse", call("replaceRegexpAll", call("reverse", whole), text("(\\d{3})"), text("\\1,"))
    )
    grouped = call("trimLeft", call("replaceRegexpOne", grouped, text("^,"), text("")))
    cents = call(
        "toUInt64",
        call("round", call("multiply", call("minus", rounded, call("trunc", rounded)), number(100))),
    )
    decimals = call("concat", text("."), call("leftPad", call("toString", cents), number(2), text("0")))
    fraction = call("notEquals", given, call("trunc", given))
    sign = either(call("less", given, number(0)), text("-"), text(""))
    return call("concat", sign, grouped, either(fraction, decimals, text("")))


def _duration(whole: Tree) -> Tree:
    """Return ``[DAYS+]HH:MM:SS``."""

    def part(size: int, of: int) -> Tree:
        amount = call("intDiv", call("modulo", whole, number(of)), number(size))
        return call("leftPad", call("toString", amount), number(2), text("0"))

    days = call("intDiv", whole, number(86400))
    before = either(
        call("greater", days, number(0)), call("concat", call("toString", days), text("+")), text("")
    )
    return call("concat", before, part(3600, 86400), text(":"), part(60, 3600), text(":"), part(1, 60))


def textual(name: str) -> Build:
    """Make a function from text to text; of a multivalue field it takes each value."""
    return _each(lambda shown, _: call(name, shown))


def trimmed(sides: str) -> Build:
    """Make ``trim``/``ltrim``/``rtrim``: of spaces and tabs, or of the characters given."""

    def trim(shown: Tree, a: list[Value]) -> Tree:
        characters = literal_text(a[1], 1, "the characters") if len(a) > 1 else " \t"
        some = "[" + "".join(f"\\x{{{ord(c):X}}}" for c in characters) + "]+"
        if not characters:
            return shown
        if "L" in sides:
            shown = call("replaceRegexpOne", shown, text(f"^{some}"), text(""))
        return call("replaceRegexpOne", shown, text(f"{some}$"), text("")) if "R" in sides else shown

    return _each(trim)


def _each(change: Callable[[Tree, list[Value]], Tree]) -> Build:
    def build(a: list[Value], _: Environment) -> Value:
        if a[0].shape is Shape.MULTI:
            return Value(Shape.MULTI, call("arrayMap", lambda_("x", change(column("x"), a)), a[0].tree))
        return Value(Shape.TEXT, change(as_text(a[0]), a))

    return build


def isstr(a: list[Value], _: Environment) -> Value:
    """Tell whether a value is there and does not read as a number."""
    return Value(Shape.BOOLEAN, call("and", present(a[0]), call("not", looks_numeric(a[0]))))


def typeof(a: list[Value], _: Environment) -> Value:
    """Name the type of a value; a text literal is a String whatever it looks like."""
    if a[0].shape is Shape.BOOLEAN:
        return Value(Shape.TEXT, call("toNullable", text("Boolean")))
    number_like = looks_numeric(a[0]) if a[0].literal is None else exp.false()
    named = either(number_like, text("Number"), text("String"))
    return Value(Shape.TEXT, call("toNullable", either(missing(a[0]), text("Invalid"), named)))


def length(a: list[Value], env: Environment) -> Value:
    return Value(Shape.NUMBER, call("toFloat64", call("lengthUTF8", as_text(a[0]))))


def substr(a: list[Value], env: Environment) -> Value:
    bounds = [call("toInt64", as_number(value)) for value in a[1:]]
    return Value(Shape.TEXT, call("substringUTF8", as_text(a[0]), *bounds))


def pattern(value: Value, index: int) -> Tree:
    """Return a regular expression for the engine; it must be a literal that RE2 can run."""
    try:
        return text(engine_regex(literal_text(value, index, "a regular expression")))
    except BadRegex as error:
        raise BadArgument(index, str(error)) from error


def replace(a: list[Value], env: Environment) -> Value:
    regex, replacement = pattern(a[1], 1), call("assumeNotNull", as_text(a[2]))
    if a[0].shape is Shape.MULTI:
        each = lambda_("x", call("replaceRegexpAll", column("x"), regex, replacement))
        return Value(Shape.MULTI, call("arrayMap", each, a[0].tree))
    return Value(Shape.TEXT, call("replaceRegexpAll", as_text(a[0]), regex, replacement))


def match_(a: list[Value], env: Environment) -> Value:
    return Value(Shape.BOOLEAN, call("match", as_text(a[0]), pattern(a[1], 1)))


def like(a: list[Value], env: Environment) -> Value:
    return Value(Shape.BOOLEAN, call("like", as_text(a[0]), call("assumeNotNull", as_text(a[1]))))
