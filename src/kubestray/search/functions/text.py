"""Functions of texts, regular expressions included."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from kubestray.search.functions.base import BadArgument, Build, Environment, literal_text
from kubestray.search.regex import BadRegex, engine_regex, group_count
from kubestray.search.values import Shape, Value, any_value, as_list, as_text, as_whole, missing
from kubestray.store.trees import Tree, call, column, either, lambda_, null, number, text

_SEVERAL = (Shape.MULTI, Shape.DYNAMIC)


def textual(name: str) -> Build:
    """Make a function from text to text; of a multivalue field it takes each value."""
    return _each(lambda shown, _: call(name, shown))


def trimmed(sides: str) -> Build:
    """Make ``trim``/``ltrim``/``rtrim``: of spaces and tabs, or of the characters given."""

    def trim(shown: Tree, a: list[Value]) -> Tree:
        some = _some_of(a[1] if len(a) > 1 else None)
        if some is None:
            return shown
        if "L" in sides:
            shown = call("replaceRegexpOne", shown, _concat(text("^"), some), text(""))
        return call("replaceRegexpOne", shown, _concat(some, text("$")), text("")) if "R" in sides else shown

    def known(shown: Tree, a: list[Value]) -> Tree:
        return _known(a[1], trim(shown, a)) if len(a) > 1 else trim(shown, a)

    return _each(known)


def _some_of(characters: Value | None) -> Tree | None:
    """Return the regular expression of one or more of these characters; None if there are none."""
    literal = " \t" if characters is None else characters.literal
    if literal is not None:
        return text("[" + "".join(f"\\x{{{ord(c):X}}}" for c in literal) + "]+") if literal else None
    assert characters is not None
    given = call("ifNull", as_text(characters), text(""))
    quoted = call("replaceRegexpAll", given, text(r"([^\pL\pN])"), text(r"\\\1"))
    return either(call("empty", given), text(r"[^\s\S]"), call("concat", text("["), quoted, text("]+")))


def _concat(a: Tree, b: Tree) -> Tree:
    if isinstance(a, exp.Literal) and isinstance(b, exp.Literal):
        return text(a.this + b.this)
    return call("concat", a, b)


def _each(change: Callable[[Tree, list[Value]], Tree]) -> Build:
    def build(a: list[Value], _: Environment) -> Value:
        if a[0].shape in _SEVERAL:
            mapped = call("arrayMap", lambda_("x", change(column("x"), a)), as_list(a[0]))
            return Value(Shape.MULTI, mapped)
        return Value(Shape.TEXT, change(as_text(a[0]), a))

    return build


def length(a: list[Value], env: Environment) -> Value:
    return Value(Shape.NUMBER, call("toFloat64", call("lengthUTF8", as_text(a[0]))))


def substr(a: list[Value], env: Environment) -> Value:
    """Take characters from a place on; a place before the first one, counted from the end, is null."""
    shown = as_text(a[0])
    size = [_not_below_zero(a[2])] if len(a) > 2 else []
    if a[1].number is not None and a[1].number >= 0:
        return Value(Shape.TEXT, call("substringUTF8", shown, number(int(a[1].number) or 1), *size))
    place = as_whole(a[1])
    before = call("less", call("plus", call("lengthUTF8", shown), place), number(0))
    from_1 = call("plus", place, call("equals", place, number(0)))
    return Value(Shape.TEXT, either(before, null(), call("substringUTF8", shown, from_1, *size)))


def _not_below_zero(value: Value) -> Tree:
    if value.number is not None:
        return number(max(int(value.number), 0))
    size = as_whole(value)
    return either(call("less", size, number(0)), number(0), size)


def pattern(value: Value, index: int) -> Tree:
    """Return a regular expression for the engine; of a literal it is made sure that RE2 can run it."""
    if value.literal is None:
        return call("concat", text("(?-s)"), call("ifNull", as_text(value), text("")))
    try:
        return text(engine_regex(value.literal))
    except BadRegex as error:
        raise BadArgument(index, str(error)) from error


def _known(value: Value, result: Tree) -> Tree:
    """Return a result, or null where an argument that is not a literal is null."""
    return result if value.static else either(call("isNull", as_text(value)), null(), result)


def replace(a: list[Value], env: Environment) -> Value:
    """Replace every match; ``\\1`` is what the first group matched, nothing if there is no such group."""
    regex, replacement = pattern(a[1], 1), _replacement(a[1], a[2])

    def change(shown: Tree) -> Tree:
        return call("replaceRegexpAll", shown, regex, replacement)

    if a[0].shape in _SEVERAL:
        each = lambda_("x", change(column("x")))
        return Value(Shape.MULTI, call("arrayMap", each, as_list(a[0])))
    return Value(Shape.TEXT, _known(a[2], _known(a[1], change(as_text(a[0])))))


def _replacement(regex: Value, value: Value) -> Tree:
    """Return the replacement; the engine refuses to refer to a group that there is not."""
    if value.literal is None or regex.literal is None:
        return call("ifNull", as_text(value), text(""))
    groups = group_count(engine_regex(regex.literal))
    found = re.sub(
        r"\\(\\|\d)",
        lambda m: m[0] if m[1] == "\\" or int(m[1]) <= groups else "",
        value.literal,
    )
    return text(found)


def match_(a: list[Value], env: Environment) -> Value:
    """Tell whether a regular expression matches anywhere, in any of several values."""
    regex = pattern(a[1], 1)
    return Value(Shape.BOOLEAN, _known(a[1], holds_for_any(a[0], lambda shown: call("match", shown, regex))))


def like(a: list[Value], env: Environment) -> Value:
    """Tell whether a text, or any of several values, has the form of a pattern with ``%`` and ``_``."""
    form = call("assumeNotNull", as_text(a[1]) if a[1].static else call("ifNull", as_text(a[1]), text("")))
    return Value(Shape.BOOLEAN, _known(a[1], holds_for_any(a[0], lambda shown: call("like", shown, form))))


def holds_for_any(value: Value, holds: Callable[[Tree], Tree]) -> Tree:
    """Return a condition on a text, of several values whether it holds for any of them; null of null."""
    if value.shape not in _SEVERAL:
        return holds(as_text(value))
    return either(missing(value), null(), any_value(as_list(value), holds(column("x"))))


def commands(a: list[Value], env: Environment) -> Value:
    """List the commands of the text of a search, also those of subsearches."""
    search = call(
        "replaceRegexpAll", call("ifNull", as_text(a[0]), text("")), text(r'"(?:[^"\\]|\\.)*"'), text("")
    )
    piped = call("replaceRegexpOne", search, text(r"^\s*([^|\s])"), text(r"|\1"))
    return Value(Shape.MULTI, call("extractAll", piped, text(r"[|\[]\s*([A-Za-z_]\w*)(?:[^\w=]|$)")))


def delimiter(value: Value, index: int) -> str | None:
    """Return a literal delimiter, or None for one that differs by row."""
    return literal_text(value, index, "the delimiter") if value.static else None
