"""A reading position in a source: what every command's parser is written with."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from kubestray.model.errors import SearchError
from kubestray.search.nearest import nearest as nearest
from kubestray.search.source import Source
from kubestray.search.syntax import Pipeline

PipelineReader = Callable[["Cursor"], Pipeline]
"""Reads commands up to the end or a closing bracket: how a command reads a subsearch."""

_SPACE = re.compile(r"[\s\ufeff]*")  # a text from a file may begin with a byte order mark
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A field name where names stand in lists: anything up to a separator; wildcards included. Aggregates call
# their results sum(bytes), so parentheses that follow at once belong to the name.
_BARE_FIELD = re.compile(r"(?:<<\w+>>|[^\s,|\[\]()=\"'<>!`])+(?:\((?:[^()|\[\]\"']|\([^()|\[\]\"']*\))*\))?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = "\"'\\"
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL),
}


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


class Cursor:
    """Reads a source from left to right; all errors carry the place where they were met."""

    def __init__(self, source: Source, nested: PipelineReader) -> None:
        self.source, self.at, self._nested = source, 0, nested
        self.failed = 0
        """Where the last error was met."""

    def skip(self) -> int:
        """Pass white space; return the place reached."""
        found = _SPACE.match(self.source.text, self.at)
        assert found
        self.at = found.end()
        return self.at

    def at_end(self) -> bool:
        """Whether nothing but white space is left."""
        return self.skip() >= len(self.source.text)

    def looking_at(self, literal: str) -> bool:
        """Whether this text comes next."""
        return self.source.text.startswith(literal, self.skip())

    def take(self, literal: str) -> bool:
        """Pass this text if it comes next."""
        if not self.looking_at(literal):
            return False
        self.at += len(literal)
        return True

    def expect(self, literal: str, purpose: str) -> None:
        """Pass this text, or say what it was wanted for."""
        if not self.take(literal):
            raise self.error(f"expected {literal!r} {purpose}, found {self.found()}")

    def match(self, pattern: str) -> re.Match[str] | None:
        """Pass what matches here (case does not matter), if anything does."""
        found = _pattern(pattern).match(self.source.text, self.skip())
        if found:
            self.at = found.end()
        return found

    def keyword(self, *words: str) -> str | None:
        """Pass one of these words if it comes next as a whole word; return it in lower case."""
        found = _WORD.match(self.source.text, self.skip())
        if found and found[0].lower() in words:
            self.at = found.end()
            return found[0].lower()
        return None

    def peek_word(self) -> str:
        """Return the word that comes next in lower case, or nothing."""
        found = _WORD.match(self.source.text, self.skip())
        return found[0].lower() if found else ""

    def field(self, purpose: str) -> str:
        """Read a field name or pattern, bare or quoted."""
        if (quoted := self.quoted()) is not None:
            return quoted
        found = _BARE_FIELD.match(self.source.text, self.skip())
        if not found:
            raise self.error(f"expected a field name {purpose}, found {self.found()}")
        self.at = found.end()
        return found[0]

    def at_field(self) -> bool:
        """Whether a field name, not a keyword of lists, comes next."""
        return bool(_BARE_FIELD.match(self.source.text, self.skip())) or self.source.text[
            self.at : self.at + 1
        ] in ('"', "'")

    def quoted(self, quotes: str = "\"'", escaped: str = _ESCAPED) -> str | None:
        """Read a quoted text if one comes next, a backslash before an ``escaped`` character taken away."""
        start = self.skip()
        mark = self.source.text[start : start + 1]
        if not mark or mark not in quotes:
            return None
        found = _QUOTED[mark].match(self.source.text, start)
        if not found:
            raise self.error("unclosed quote", start, f"add the closing {mark}")
        self.at = found.end()
        return unescape(found[1], escaped)

    def found(self) -> str:
        """Describe what comes next, for messages."""
        if self.at_end():
            return "the end of the search"
        found = _pattern(r"\w[\w.:-]*|.").match(self.source.text, self.at)
        return repr(found[0]) if found else "the end of the search"

    def subsearch(self, purpose: str) -> Pipeline:
        """Read ``[ commands ]``."""
        opening = self.skip()
        self.expect("[", purpose)
        inner = self._nested(self)
        if not self.take("]"):
            if self.at_end():
                raise self.error("unclosed bracket", opening, "add the closing ]")
            raise self.error(f"expected ']' or a pipe, found {self.found()}")
        return inner

    def error(self, message: str, at: int | None = None, hint: str = "") -> SearchError:
        """Make the error for this place (or for ``at``)."""
        self.failed = self.at if at is None else at
        return SearchError(message, self.source.position(self.failed), hint)


def unescape(text: str, escaped: str = _ESCAPED) -> str:
    r"""Resolve ``\"``, ``\'`` and ``\\``; any other escape (``\s``, ``\w``) is kept as it is."""
    return _ESCAPE.sub(lambda found: found[1] if found[1] in escaped else found[0], text)
