r"""Expressions of sed, as ``rex mode=sed`` has them: ``s/REGEX/TEXT/FLAGS`` and ``y/abc/xyz/``.

The flag ``g`` replaces every match, a number N the Nth alone, both together the Nth and all after it. In TEXT
``\1`` is the first group, ``\n`` and ``\t`` are a new line and a tab. ``y`` puts the characters of the second
list in the places of those of the first. Several expressions stand one after the other, with a space or a
semicolon between them. Any character may stand in place of the slash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.regex import engine_regex, group_count
from kubestray.search.values import bound
from kubestray.store.trees import Tree, call, column, either, is_null, null, number, text

_PIECE = r"((?:\\.|(?!\1).)*)\1"
_REPLACE = re.compile(rf"s([^\w\s\\]){_PIECE}{_PIECE}([gi\d]*)", re.DOTALL)
_TRANSLATE = re.compile(rf"y([^\w\s\\]){_PIECE}{_PIECE}", re.DOTALL)
_BETWEEN = re.compile(r"[\s;]*")
_ESCAPE = re.compile(r"\\(.)|\\$", re.DOTALL)
_CHARACTERS = {"n": "\n", "t": "\t", "r": "\r"}
_GROUP = re.compile(r"(?<!\\)(?:\\\\)*\\(\d)")
MARK = "\ue000\ue001\ue000"
"""What stands around matches while they are counted: characters that no alphabet has."""


class BadSed(ValueError):
    """An expression that is none of sed, or that asks for more than is known."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """``s/regex/text/``: the match number ``first``, and all after it with ``all``."""

    regex: str
    text: str
    first: int
    every: bool

    def of(self, value: Tree) -> Tree:
        """Return a text with the matches replaced."""
        regex = engine_regex(self.regex)
        most = max((int(found[1]) for found in _GROUP.finditer(self.text)), default=0)
        if most > group_count(regex):
            raise BadSed(f"\\{most} in the new text is a group that the expression does not have")
        pattern = text(regex)
        if self.first == 1:
            function = "replaceRegexpAll" if self.every else "replaceRegexpOne"
            return call(function, value, pattern, text(self.text))
        return _counted(value, pattern, self)


@dataclass(frozen=True, slots=True)
class Translation:
    """``y/from/to/``: characters for characters."""

    old: str
    new: str

    def of(self, value: Tree) -> Tree:
        """Return a text with the characters in the places of others."""
        return call("translateUTF8", value, text(self.old), text(self.new))


def read_sed(written: str) -> list[Replacement | Translation]:
    """Read expressions of sed, at least one; raise `BadSed` if they are none."""
    found: list[Replacement | Translation] = []
    at = _after(written, 0)
    while at < len(written) or not found:
        if matched := _REPLACE.match(written, at):
            found.append(_replacement(*matched.groups()))
        elif matched := _TRANSLATE.match(written, at):
            found.append(_translation(*matched.groups()))
        else:
            raise BadSed("expected a sed expression")
        at = _after(written, matched.end())
    return found


def _after(written: str, at: int) -> int:
    found = _BETWEEN.match(written, at)
    assert found
    return found.end()


def _replacement(mark: str, regex: str, new: str, flags: str) -> Replacement:
    digits = "".join(re.findall(r"\d", flags))
    if digits and not int(digits):
        raise BadSed("matches are counted from 1, found 0")
    # The mark that ends a part is escaped within it, and is a plain character there.
    regex = regex.replace(f"\\{mark}", f"\\{mark}" if mark in ".*+?()[]{}^$|/" else mark)
    if "i" in flags:
        regex = f"(?i){regex}"
    return Replacement(regex, _engine_text(new), int(digits or 1), "g" in flags)


def _engine_text(new: str) -> str:
    """Return the new text for the engine, where a backslash stands before a group's number alone."""

    def escape(found: re.Match[str]) -> str:
        letter = found[1] or "\\"
        if letter.isdigit():
            return f"\\{letter}"
        return "\\\\" if letter == "\\" else _CHARACTERS.get(letter, letter)

    return _ESCAPE.sub(escape, new)


def _translation(_mark: str, old: str, new: str) -> Translation:
    old, new = (_ESCAPE.sub(lambda found: _plain(found[1] or "\\"), part) for part in (old, new))
    if len(old) != len(new):
        raise BadSed(f"y needs as many new characters as old ones, found {len(new)} for {len(old)}")
    return Translation(old, new)


def _plain(letter: str) -> str:
    return _CHARACTERS.get(letter, letter)


def _counted(value: Tree, pattern: Tree, command: Replacement) -> Tree:
    r"""Return a text with the matches from a number on replaced.

    Marks are put around the matches and their replacements, and the text is cut there: what is between
    matches has the places 1, 4, 7 …, the match itself the next one, what would replace it the one after.
    """
    marked = call("replaceRegexpAll", value, pattern, text(f"{MARK}\\0{MARK}{command.text}{MARK}"))
    pieces = call("splitByString", text(MARK), call("assumeNotNull", marked))
    which = call("intDiv", call("plus", column("i"), number(1)), number(3))
    wanted = call("greaterOrEquals" if command.every else "equals", which, number(command.first))
    kind = call("modulo", column("i"), number(3))
    kept = either(
        call("equals", kind, number(1)),
        number(1),
        either(call("equals", kind.copy(), number(0)), wanted, call("not", wanted.copy())),
    )
    each = exp.Lambda(this=kept, expressions=[exp.to_identifier("p"), exp.to_identifier("i")])
    chosen = bound(
        "pieces",
        pieces,
        call("arrayFilter", each, column("pieces"), call("arrayEnumerate", column("pieces"))),
    )
    return either(is_null(value.copy()), null(), call("arrayStringConcat", chosen, text("")))
