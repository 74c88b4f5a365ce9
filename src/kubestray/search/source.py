"""The text of a search after its macros are expanded, and where each character came from.

A macro is a piece of text that stands in for `` `name` `` or `` `name(arg, …)` ``; what it expands to
may be half a clause or several commands. Expansion keeps a map back to the text each character was
written in, so an error inside a macro is reported there. Three backticks fence a comment.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable
from dataclasses import dataclass

from kubestray.model.errors import Position, SearchError

_MAX_DEPTH = 32
_MAX_LENGTH = 1 << 20

_INTERESTING = re.compile(r'"(?:[^"\\]|\\.)*"|```.*?```|`|\$\$', re.DOTALL)
_TOKEN = re.compile(r"\$(\w+)\$")
_CALL = re.compile(r"\s*([^`\s(]+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_ARGUMENT = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"|[^,"])*)\s*(?:,|$)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Macro:
    """A named piece of search text; ``arguments`` are written ``$name$`` in the definition."""

    name: str
    definition: str
    arguments: tuple[str, ...] = ()
    path: str | None = None


MacroLookup = Callable[[str, int], Macro | None]
"""Finds a macro by name and number of arguments."""


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int  # offset in the expanded text
    origin: str  # the text it was written in
    path: str | None
    offset: int  # offset in that text


class Source:
    """Expanded text, with the position of each character in the text it was written in."""

    def __init__(self, text: str, pieces: list[_Piece]) -> None:
        self.text, self._pieces = text, pieces
        self._starts = [piece.start for piece in pieces]

    def position(self, offset: int) -> Position:
        """Return the line and column at which the character at ``offset`` was written."""
        if not self._pieces:
            return Position(1, 1)
        piece = self._pieces[max(0, bisect.bisect_right(self._starts, offset) - 1)]
        return position_in(piece.origin, piece.offset + offset - piece.start, piece.path)


def position_in(text: str, offset: int, path: str | None = None) -> Position:
    """Return the 1-based line and column of an offset in a text."""
    offset = min(offset, len(text))
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, path)


def expand(text: str, macros: MacroLookup, *, path: str | None = None, dollars: bool = False) -> Source:
    """Expand macros and drop comments; with ``dollars``, ``$$`` (as content files write it) is ``$``."""
    expander = _Expander(macros, dollars)
    expander.add(text, path, ())
    return Source("".join(expander.chunks), expander.pieces)


class _Expander:
    def __init__(self, macros: MacroLookup, dollars: bool) -> None:
        self.macros, self.dollars = macros, dollars
        self.chunks: list[str] = []
        self.pieces: list[_Piece] = []
        self.length = 0

    def add(self, text: str, path: str | None, stack: tuple[str, ...]) -> None:
        at = 0
        while found := _INTERESTING.search(text, at):
            self._keep(text, path, at, found.start())
            if found[0] == "`":
                at = self._macro(text, path, found.start(), stack)
            elif found[0].startswith("```"):
                at = found.end()
            else:
                at = self._verbatim(text, path, found.start(), found.end())
        self._keep(text, path, at, len(text))

    def _verbatim(self, text: str, path: str | None, start: int, end: int) -> int:
        """Keep a quoted string or ``$$``; in content, each ``$$`` in it becomes ``$``."""
        while self.dollars and (pair := text.find("$$", start, end)) >= 0:
            self._keep(text, path, start, pair + 1)
            start = pair + 2
        self._keep(text, path, start, end)
        return end

    def _keep(self, text: str, path: str | None, start: int, end: int) -> None:
        if start < end:
            self.pieces.append(_Piece(self.length, text, path, start))
            self.chunks.append(text[start:end])
            self.length += end - start

    def _macro(self, text: str, path: str | None, start: int, stack: tuple[str, ...]) -> int:
        end = text.find("`", start + 1)
        here = position_in(text, start, path)
        if end < 0:
            raise SearchError("unclosed backtick", here, "a macro is written `name` or `name(argument)`")
        called = _CALL.fullmatch(text, start + 1, end)
        if not called:
            raise SearchError("a macro needs a name", here, "write `name` or `name(argument)`")
        name, values = called[1], _arguments(called[2])
        macro = self._find(name, len(values), here)
        if macro.name in stack or len(stack) >= _MAX_DEPTH:
            raise SearchError(
                f"macro `{name}` expands to itself", here, "remove the macro from its own definition"
            )
        if self.length > _MAX_LENGTH:
            raise SearchError(f"macro `{name}` makes the search too long", here, "the limit is 1 MiB of text")
        given = dict(zip(macro.arguments, values, strict=True))
        definition = _TOKEN.sub(lambda token: given.get(token[1], token[0]), macro.definition)
        self.add(definition, macro.path or f"macro {name}", (*stack, macro.name))
        return end + 1

    def _find(self, name: str, count: int, here: Position) -> Macro:
        macro = self.macros(name, count)
        if macro is not None:
            return macro
        if name.endswith("_filter") and not count:
            # Content tooling makes one such macro a detection, for users to fill; empty, it keeps all rows.
            return Macro(name, "search *")
        takes = f" with {count} argument{'s' * (count != 1)}" if count else ""
        raise SearchError(f"unknown macro `{name}`{takes}", here, "define it in a content folder's macros/")


def _arguments(text: str | None) -> list[str]:
    if text is None or not text.strip():
        return []
    values: list[str] = []
    at = 0
    while at <= len(text):
        found = _ARGUMENT.match(text, at)
        if found is None:
            break
        values.append(found[1].strip())
        if found.end() == len(text) and not text[: found.end()].endswith(","):
            break
        at = found.end()
    return [value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value for value in values]
