"""The text of a search after its macros are expanded, and where each character came from.

A macro is a piece of text that stands in for `` `name` `` or `` `name(arg, …)` ``; what it expands to
may be half a clause or several commands. Expansion keeps a map back to the text each character was
written in, so an error inside a macro is reported there. Three backticks fence a comment.
"""

from __future__ import annotations

import bisect
import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from kubestray.model.errors import Position, SearchError, Where
from kubestray.search.macro_arguments import Argument, UnclosedQuote, by_name, filled, read_arguments
from kubestray.search.nearest import nearest

_MAX_DEPTH = 32
_MAX_LENGTH = 1 << 20
_MAX_USES = 1000

_INTERESTING = re.compile(r'"(?:[^"\\]|\\.)*"|```.*?```|`|\$\$', re.DOTALL)
_CALL = re.compile(r"\s*([^`\s(]+)\s*(?:\((.*)\))?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Macro:
    """A named piece of search text; ``arguments`` are written ``$name$`` in the definition.

    ``where`` tells where each character of the definition stands in its file.
    """

    name: str
    definition: str
    arguments: tuple[str, ...] = ()
    path: str | None = None
    where: Where | None = None


MacroLookup = Callable[[str, int], Macro | None]
"""Finds a macro by name and number of arguments."""


class KnownMacros:
    """A `MacroLookup` that also knows which names there are, for better errors."""

    def __init__(self, macros: Mapping[tuple[str, int], Macro]) -> None:
        self._macros = macros
        self.names = sorted({name for name, _ in macros})

    def __call__(self, name: str, count: int) -> Macro | None:
        """Return the macro of a name and number of arguments, if there is one."""
        return self._macros.get((name, count))


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int  # offset in the text that is made of pieces
    where: Where  # of the text it was written in
    offset: int  # offset in that text


class _Pieces:
    """Tells where the characters of a text that is made of pieces were written."""

    def __init__(self, pieces: list[_Piece]) -> None:
        self._pieces = pieces
        self._starts = [piece.start for piece in pieces]

    def __call__(self, offset: int) -> Position:
        piece = self._pieces[max(0, bisect.bisect_right(self._starts, offset) - 1)]
        return piece.where(piece.offset + offset - piece.start)


class Source:
    """Expanded text, with the position of each character in the text it was written in.

    ``holes`` are the offsets at which a macro could not be expanded, if that was asked for.
    """

    def __init__(self, text: str, pieces: list[_Piece], holes: tuple[int, ...] = ()) -> None:
        self.text, self.holes = text, holes
        self._where: Where = _Pieces(pieces) if pieces else lambda _: Position(1, 1)

    def position(self, offset: int) -> Position:
        """Return the line and column at which the character at ``offset`` was written."""
        return self._where(offset)


def position_in(text: str, offset: int, path: str | None = None) -> Position:
    """Return the 1-based line and column of an offset in a text."""
    offset = min(offset, len(text))
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, path)


def expand(
    text: str,
    macros: MacroLookup,
    *,
    path: str | None = None,
    dollars: bool = False,
    where: Where | None = None,
    problems: list[SearchError] | None = None,
) -> Source:
    """Expand macros and drop comments; with ``dollars``, ``$$`` (as content files write it) is ``$``.

    ``where`` tells where the text's characters stand, if that is not ``path`` alone. With ``problems`` a
    macro that cannot be expanded is noted there and leaves a hole, instead of an exception.
    """
    expander = _Expander(macros, dollars, problems)
    expander.add(text, where or partial(_place, text, path), ())
    return Source("".join(expander.chunks), expander.pieces, tuple(expander.holes))


def _place(text: str, path: str | None, offset: int) -> Position:
    return position_in(text, offset, path)


@dataclass(slots=True)
class _Expander:
    macros: MacroLookup
    dollars: bool
    problems: list[SearchError] | None
    chunks: list[str] = field(default_factory=list)
    pieces: list[_Piece] = field(default_factory=list)
    holes: list[int] = field(default_factory=list)
    length: int = 0
    uses: int = 0

    def add(self, text: str, where: Where, stack: tuple[str, ...]) -> None:
        at = 0
        while found := _INTERESTING.search(text, at):
            self._keep(text, where, at, found.start())
            if found[0] == "`":
                at = self._macro(text, where, found.start(), stack)
            elif found[0].startswith("```"):
                at = found.end()
            else:
                at = self._verbatim(text, where, found.start(), found.end())
        self._keep(text, where, at, len(text))

    def _verbatim(self, text: str, where: Where, start: int, end: int) -> int:
        """Keep a quoted string or ``$$``; in content, each ``$$`` in it becomes ``$``."""
        while self.dollars and (pair := text.find("$$", start, end)) >= 0:
            self._keep(text, where, start, pair + 1)
            start = pair + 2
        self._keep(text, where, start, end)
        return end

    def _keep(self, text: str, where: Where, start: int, end: int) -> None:
        if start < end:
            self.pieces.append(_Piece(self.length, where, start))
            self.chunks.append(text[start:end])
            self.length += end - start

    def _macro(self, text: str, where: Where, start: int, stack: tuple[str, ...]) -> int:
        """Expand the macro that is used at ``start``; return the place after it."""
        end = text.find("`", start + 1)
        here = where(start)
        try:
            if text.startswith("```", start):
                raise SearchError("unclosed comment", here, "add the closing ```")
            if end < 0:
                raise SearchError("unclosed backtick", here, "a macro is written `name` or `name(argument)`")
            called = _CALL.fullmatch(text, start + 1, end)
            if not called:
                raise SearchError("a macro needs a name", here, "write `name` or `name(argument)`")
            within = partial(_shifted, where, max(called.start(2), 0))
            values = _arguments(called[2] or "", within)
            macro = self._find(called[1], len(values), here)
            given = by_name(macro.arguments, values) if macro.arguments else {}
            self._refuse_loops(macro.name, here, stack)
        except SearchError as error:
            if self.problems is None:
                raise
            self.problems.append(error)
            self.holes.append(self.length)
            return len(text) if end < 0 or text.startswith("```", start) else end + 1
        self.add(*_filled(macro, given, within, here), (*stack, macro.name))
        return end + 1

    def _refuse_loops(self, name: str, here: Position, stack: tuple[str, ...]) -> None:
        self.uses += 1
        if name in stack or len(stack) >= _MAX_DEPTH:
            hint = "remove the macro from its own definition"
            raise SearchError(f"macro `{name}` expands to itself", here, hint)
        if self.length > _MAX_LENGTH or self.uses > _MAX_USES:
            raise SearchError(
                f"macro `{name}` makes the search too long", here, "the limits are 1 MiB and 1000 macros"
            )

    def _find(self, name: str, count: int, here: Position) -> Macro:
        macro = self.macros(name, count)
        if macro is not None:
            return macro
        if name.endswith("_filter") and not count:
            # Content tooling makes one such macro a detection, for users to fill; empty, it keeps all rows.
            return Macro(name, "search *")
        if name == "comment":
            return Macro(name, "")
        for other in range(10):
            if known := self.macros(name, other):
                usage = f"{name}({', '.join(known.arguments)})" if known.arguments else name
                message = f"macro `{name}` takes {_counted(other)}, found {count or 'none'}"
                raise SearchError(message, here, f"write `{usage}`")
        takes = f" with {_counted(count)}" if count else ""
        similar = nearest(name, self.macros.names) if isinstance(self.macros, KnownMacros) else ""
        hint = similar or "define it in a content folder's macros/"
        raise SearchError(f"unknown macro `{name}`{takes}", here, hint)


def _counted(count: int) -> str:
    return f"{count or 'no'} argument{'s' * (count != 1)}"


def _filled(macro: Macro, given: dict[str, Argument], use: Where, here: Position) -> tuple[str, Where]:
    """Return a macro's definition with its arguments filled in, and where its characters stand.

    ``use`` tells where the characters of the arguments stand.
    """
    path = macro.path or f"macro {macro.name}"
    own = partial(_inside, macro.where or partial(_place, macro.definition, path), here)
    pieces: list[_Piece] = []
    length = 0
    parts = filled(macro.definition, given)
    for part in parts:
        pieces.append(_Piece(length, use if part.argument else own, part.offset))
        length += len(part.text)
    return "".join(part.text for part in parts), _Pieces(pieces) if pieces else own


def _inside(where: Where, here: Position, offset: int) -> Position:
    return dataclasses.replace(where(offset), used_at=here)


def _shifted(where: Where, start: int, offset: int) -> Position:
    return where(start + offset)


def _arguments(text: str, where: Where) -> list[Argument]:
    try:
        return read_arguments(text)
    except UnclosedQuote as error:
        raise SearchError("unclosed quote", where(error.offset), 'add the closing "') from error
