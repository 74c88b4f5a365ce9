"""Functions that write values as text: ``tostring`` and ``printf``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kubestray.search.functions.base import BadArgument, Environment, literal_text
from kubestray.search.values import (
    Shape,
    Value,
    as_number,
    as_text,
    as_whole,
    is_literal_null,
    looks_numeric,
    missing,
)
from kubestray.store.trees import Tree, all_of, call, either, null, number, text


def tostring(a: list[Value], env: Environment) -> Value:
    """Write a value as text, a number in a format if one is named."""
    shown = as_text(a[0])
    if len(a) > 1:
        formatted = _formatted(a[0], literal_text(a[1], 1, "the format"))
        # A text that is no number has no format.
        plain = a[0].shape in (Shape.NUMBER, Shape.BOOLEAN)
        shown = formatted if plain else either(looks_numeric(a[0]), formatted, shown)
    if env.switches.tostring_null == "Null" and len(a) == 1 and a[0].shape is not Shape.BOOLEAN:
        shown = text("Null") if is_literal_null(a[0]) else call("ifNull", shown, text("Null"))
    elif env.switches.tostring_null == "Null":
        shown = text("Null") if is_literal_null(a[0]) else either(missing(a[0]), text("Null"), shown)
    return Value(Shape.TEXT, call("toNullable", shown))


def _formatted(value: Value, layout: str) -> Tree:
    if value.shape is Shape.BOOLEAN:
        return as_text(value)
    given = as_number(value)
    match layout:
        case "hex":
            return either(_is_whole(given), call("concat", text("0x"), _digits("hex", given)), null())
        case "binary":
            countable = all_of([_is_whole(given), call("greaterOrEquals", given, number(0))])
            return either(countable, _digits("bin", given), null())
        case "commas":
            return _commas(given)
        case "duration":
            return _duration(given)
    known = "hex, binary, commas and duration are known"
    raise BadArgument(1, f"the format {layout!r} is unknown; {known}")


def _is_whole(given: Tree) -> Tree:
    return call("equals", given, call("trunc", given))


def _digits(name: str, given: Tree) -> Tree:
    """Return the digits without leading zeros, of which the engine writes whole bytes."""
    written = call(name, call("toInt64", given))
    return call("replaceRegexpOne", written, text("^0+(.)"), text("\\1"))


def _grouped(digits: Tree) -> Tree:
    """Put a comma between thousands."""
    turned = call("replaceRegexpAll", call("reverse", digits), text("(\\d{3})"), text("\\1,"))
    return call("replaceRegexpOne", call("reverse", turned), text("^(\\D*),"), text("\\1"))


def _commas(given: Tree) -> Tree:
    """Return the number with a comma between thousands, and two decimals if it has any."""
    cents = call("floor", call("plus", call("multiply", call("abs", given), number(100)), number(0.5)))
    whole = call("toString", call("toUInt64", call("trunc", call("divide", cents, number(100)))))
    rest = call("toUInt64", call("modulo", cents, number(100)))
    decimals = call("concat", text("."), call("leftPad", call("toString", rest), number(2), text("0")))
    sign = either(call("less", given, number(0)), text("-"), text(""))
    return call("concat", sign, _grouped(whole), either(_is_whole(given), text(""), decimals))


def _duration(given: Tree) -> Tree:
    """Return ``[DAYS+]HH:MM:SS`` of the whole seconds."""
    whole = call("toInt64", call("trunc", call("abs", given)))

    def part(size: int, of: int) -> Tree:
        amount = call("intDiv", call("modulo", whole, number(of)), number(size))
        return call("leftPad", call("toString", amount), number(2), text("0"))

    days = call("intDiv", whole, number(86400))
    before = either(
        call("greater", days, number(0)), call("concat", call("toString", days), text("+")), text("")
    )
    sign = either(call("lessOrEquals", given, number(-1)), text("-"), text(""))
    return call("concat", sign, before, part(3600, 86400), text(":"), part(60, 3600), text(":"), part(1, 60))


_CONVERSION = re.compile(r"%(?:(%)|(['\-0+ #]*)(\*|\d+)?(?:\.(\*|\d*))?([a-zA-Z]))")
_ALIAS = {"i": "d", "z": "s", "p": "X"}


@dataclass(frozen=True, slots=True)
class _Conversion:
    """One ``%…`` of a format; ``precision`` is None if none is given."""

    flags: str
    width: int
    precision: int | None
    kind: str

    def layout(self, kind: str, flags: str = "", *, width: bool = True) -> Tree:
        """Return the conversion as the engine's ``printf`` takes it."""
        size = str(self.width) if width and self.width else ""
        precision = f".{self.precision}" if self.precision is not None else ""
        return text(f"%{flags}{size}{precision if kind != 's' or self.kind == 's' else ''}{kind}")


_WIDEST = 1000


def printf(a: list[Value], env: Environment) -> Value:
    """Write values in a format like that of the C function."""
    layout = literal_text(a[0], 0, "the format")
    arguments = iter(list(enumerate(a))[1:])
    parts: list[Tree] = []
    at = 0
    for found in _CONVERSION.finditer(layout):
        parts.append(text(_plain(layout[at : found.start()])))
        at = found.end()
        parts.append(text("%") if found[1] else _written(_conversion(found, arguments), arguments))
    parts += [text(_plain(layout[at:])), text("")]
    return Value(Shape.TEXT, call("toNullable", call("concat", *parts)))


def _plain(piece: str) -> str:
    if "%" in piece:
        raise BadArgument(0, f"the format has a % that is no conversion: {piece!r}")
    return piece


def _conversion(found: re.Match[str], arguments: Iterator[tuple[int, Value]]) -> _Conversion:
    flags, kind = found[2] or "", _ALIAS.get(found[5], found[5])
    if kind not in "aAcdeEfFgGosuxX":
        raise BadArgument(0, f"the conversion %{found[5]} is not supported")
    width = _size(found[3], arguments) if found[3] else 0
    precision = _size(found[4], arguments) if found[4] is not None else None
    if max(abs(width), precision or 0) > _WIDEST:
        raise BadArgument(0, f"a width or precision is at most {_WIDEST}")
    if width < 0:
        flags, width = flags + "-", -width
    return _Conversion(flags, width, precision, kind)


def _size(written: str, arguments: Iterator[tuple[int, Value]]) -> int:
    """Return a width or precision: digits, or ``*`` for the next argument."""
    if written != "*":
        return int(written or 0)
    index, value = _next(arguments)
    if value.number is None:
        raise BadArgument(index, "a width or precision must be a number literal")
    return int(value.number)


def _next(arguments: Iterator[tuple[int, Value]]) -> tuple[int, Value]:
    for argument in arguments:
        return argument
    raise BadArgument(0, "the format has more conversions than there are values")


def _written(conversion: _Conversion, arguments: Iterator[tuple[int, Value]]) -> Tree:
    _, value = _next(arguments)
    kind, left = conversion.kind, "-" if "-" in conversion.flags else ""
    flags = "".join(dict.fromkeys(conversion.flags.replace("'", "")))
    if kind == "s":
        return call("printf", conversion.layout("s", left), as_text(value))
    if kind == "c":
        return call("printf", conversion.layout("s", left), _character(value))
    given = as_number(value)
    if kind in "dou" or kind in "xX":
        # As in C, zeros do not fill up to the width where the number of digits is given.
        flags = flags if conversion.precision is None else flags.replace("0", "")
        given = as_whole(value) if kind == "d" else call("toUInt64", as_whole(value))
    if "'" not in conversion.flags:
        return call("printf", conversion.layout(kind, flags), given)
    grouped = _separated(call("printf", conversion.layout(kind, flags.replace("0", ""), width=False), given))
    return call("printf", conversion.layout("s", left), grouped)


def _separated(written: Tree) -> Tree:
    """Put commas between the thousands of a number that may have decimals."""
    whole = call("extract", written, text(r"^[^.]*"))
    rest = call("extract", written, text(r"\..*$"))
    return call("concat", _grouped(whole), rest)


def _character(value: Value) -> Tree:
    """Return the first character of a text, or the character that has a number."""
    if value.number is not None:
        return text(chr(int(value.number)) if 0 < value.number < 0x110000 else "")
    first = call("substringUTF8", as_text(value), number(1), number(1))
    if value.shape is Shape.TEXT and not value.field:
        return first
    return either(looks_numeric(value), _encoded(call("toUInt32", as_number(value))), first)


def _encoded(code: Tree) -> Tree:
    """Write a code point in UTF-8."""

    def tail(shift: int) -> Tree:
        low = call("modulo", call("intDiv", code, number(64**shift)), number(64))
        return call("plus", number(128), low)

    def head(mark: int, shift: int) -> Tree:
        return call("plus", number(mark), call("intDiv", code, number(64**shift)))

    four = call("char", head(240, 3), tail(2), tail(1), tail(0))
    three = either(call("less", code, number(0x10000)), call("char", head(224, 2), tail(1), tail(0)), four)
    two = either(call("less", code, number(0x800)), call("char", head(192, 1), tail(0)), three)
    return either(call("less", code, number(0x80)), call("char", code), two)
