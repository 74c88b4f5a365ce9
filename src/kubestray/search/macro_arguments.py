r"""The arguments of a macro's use, and their places in its definition.

``\`name(first, "second, with a comma")\```: arguments stand between commas, in quotes where they have commas
of their own, and ``name=value`` says which one is meant. A quote within an argument is written ``\"``; the
macro gets a quote where it stands outside of quotes itself, and ``\"`` within them, as that is how a text
is written there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ARGUMENT = re.compile(r'((?:"(?:[^"\\]|\\.)*"|\\.|[^,"\\])*)(,|$)', re.DOTALL)
_NAMED = re.compile(r"(\w+)\s*=\s*(?!=)")
_TOKEN = re.compile(r"\$(\w+)\$")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED_QUOTE = re.compile(r'\\(?=")')
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[^"\\]', re.DOTALL)


class UnclosedQuote(ValueError):
    """An argument with a quote that is never closed, at an offset."""

    def __init__(self, offset: int) -> None:
        super().__init__("unclosed quote")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument as written, without the quotes around it; ``start`` is its offset."""

    text: str
    start: int
    quoted: bool = False


def read_arguments(text: str) -> list[Argument]:
    """Read what stands between the parentheses of a macro's use."""
    if not text.strip():
        return []
    found: list[Argument] = []
    at, more = 0, True
    while more:
        part = _ARGUMENT.match(text, at)
        if part is None:
            raise UnclosedQuote(_unclosed(text, at))
        found.append(_argument(part[1], at))
        at, more = part.end(), part[2] == ","
    return found


def _unclosed(text: str, at: int) -> int:
    while found := _PIECE.match(text, at):
        at = found.end()
    return at


def _argument(written: str, start: int) -> Argument:
    value = written.strip()
    start += len(written) - len(written.lstrip())
    if _TEXT.fullmatch(value):
        return Argument(value[1:-1], start + 1, quoted=True)
    return Argument(value, start)


def by_name(names: tuple[str, ...], values: list[Argument]) -> dict[str, Argument]:
    """Tell which argument each value is: the one that it names, else the next one of those left."""
    named = {index: found for index, value in enumerate(values) if (found := _name_of(value, names))}
    given: dict[str, Argument] = {}
    for index, (name, length) in named.items():
        if name in given:
            return dict(zip(names, values, strict=True))
        rest = values[index]
        given[name] = _argument(rest.text[length:], rest.start + length)
    left = [name for name in names if name not in given]
    plain = [value for index, value in enumerate(values) if index not in named]
    return given | dict(zip(left, plain, strict=True))


def _name_of(value: Argument, names: tuple[str, ...]) -> tuple[str, int] | None:
    found = None if value.quoted else _NAMED.match(value.text)
    return (found[1], found.end()) if found and found[1] in names else None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a filled definition: text, its offset, and the argument it is from (None: the definition)."""

    text: str
    offset: int
    argument: Argument | None = None


def filled(definition: str, given: dict[str, Argument]) -> list[Part]:
    """Return the parts that a definition is made of once its arguments are filled in."""
    texts = [found.span() for found in _TEXT.finditer(definition)]
    parts: list[Part] = []
    at = 0
    for token in _TOKEN.finditer(definition):
        if token[1] not in given:
            continue
        parts.append(Part(definition[at : token.start()], at))
        within = any(start < token.start() < end for start, end in texts)
        parts.extend(_value(given[token[1]], as_written=within))
        at = token.end()
    parts.append(Part(definition[at:], at))
    return [part for part in parts if part.text]


def _value(argument: Argument, *, as_written: bool) -> list[Part]:
    if as_written:
        return [Part(argument.text, argument.start, argument)]
    parts, at = [], 0
    for escape in _ESCAPED_QUOTE.finditer(argument.text):
        parts.append(Part(argument.text[at : escape.start()], argument.start + at, argument))
        at = escape.end()
    return [*parts, Part(argument.text[at:], argument.start + at, argument)]
