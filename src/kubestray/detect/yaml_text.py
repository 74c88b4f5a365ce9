"""Where each character of a YAML text stands in its file.

The YAML reader tells where a scalar begins, and gives its text after quotes, escapes, indentation and
folding are gone. Here the scalar's source is read once more, in its style, and each character of the
text keeps the offset in the file that it came from. A reading that does not give the very text of the
YAML reader is not trusted: then every character stands at the scalar's start.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

import yaml

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_LINE_END = re.compile("\r\n|[\r\n]")
_BREAKS = "(?:\r\n|[\r\n\x85\u2028\u2029])"
# An anchor and a tag may stand before the scalar: &name !!str
_PROPERTIES = re.compile(rf"(?:[&!]\S*(?:[ \t]|{_BREAKS}|#[^\r\n]*)+)*")
_HEADER = re.compile(r"[|>]([+\-0-9]*)[^\r\n\x85\u2028\u2029]*")
_TOKENS = {
    None: re.compile(rf"(?P<fold> *{_BREAKS}(?: |{_BREAKS})*)|.", re.DOTALL),
    "'": re.compile(rf"(?P<fold>[ \t]*{_BREAKS}(?:[ \t]|{_BREAKS})*)|(?P<escape>'')|.", re.DOTALL),
    '"': re.compile(
        rf"(?P<fold>[ \t]*{_BREAKS}(?:[ \t]|{_BREAKS})*)"
        rf"|\\(?P<joined>{_BREAKS}(?:[ \t]|{_BREAKS})*)"
        r"|(?P<escape>\\(?:x..|u....|U........|.))|.",
        re.DOTALL,
    ),
}
_ESCAPES = dict(zip('0abt\tnvfre "\\/N_LP', '\0\a\b\t\t\n\v\f\r\x1b "\\/\x85\xa0\u2028\u2029', strict=True))


class Lines:
    """The lines of a file: offsets to 1-based lines and columns."""

    def __init__(self, source: str) -> None:
        self._starts = [0, *(found.end() for found in _LINE_END.finditer(source))]

    def place(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


@dataclass(slots=True)
class _Read:
    """What has been read of a scalar: its characters, and the offset in the file of each."""

    characters: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    end: int = 0
    """The offset after the last character that is no white space."""

    def keep(self, character: str, offset: int, width: int = 1) -> None:
        self.characters.append(character)
        self.offsets.append(offset)
        if not character.isspace():
            self.end = offset + width

    def keep_break(self, found: re.Match[str]) -> None:
        self.keep(_line_break(found), found.start())


def text_offsets(source: str, node: yaml.ScalarNode, parent: int = 0) -> list[int]:
    """Return the offset in ``source`` of each character of a scalar's text, and of the text's end.

    ``parent`` is the column (from 0) of the key or dash that the scalar belongs to: the indentation that
    a block scalar asks for with a digit counts from there.
    """
    found = _PROPERTIES.match(source, node.start_mark.index)
    assert found
    start, read = found.end(), _Read(end=found.end())
    if node.style in ("|", ">"):
        _block(source, start, parent, read)
    else:
        quoted = int(bool(node.style))  # plain is None, or nothing: the readers differ
        _flow(source, start + quoted, node.end_mark.index - quoted, node.style, read)
    if "".join(read.characters) != node.value:
        return [start] * (len(node.value) + 1)
    return [*read.offsets, read.end]


def _line_break(found: re.Match[str]) -> str:
    return found[0] if found[0] in "\u2028\u2029" else "\n"


def _flow(source: str, start: int, end: int, style: str | None, read: _Read) -> None:
    """Read a plain or quoted scalar between its quotes."""
    for token in _TOKENS[style or None].finditer(source, start, end):
        kind = token.lastgroup
        if kind == "fold":
            _fold(list(_BREAK.finditer(source, token.start(), token.end())), read)
        elif kind == "joined":  # an escaped line end: nothing is left of it but the empty lines after it
            for found in list(_BREAK.finditer(source, token.start(), token.end()))[1:]:
                read.keep_break(found)
        elif kind == "escape":
            read.keep(_unescaped(token[0]), token.start(), len(token[0]))
        else:
            read.keep(token[0], token.start())


def _fold(breaks: list[re.Match[str]], read: _Read) -> None:
    """Read line ends in a flow scalar: a single one is a space, of several the first is nothing."""
    first, *more = breaks
    if _line_break(first) != "\n":
        read.keep_break(first)
    elif not more:
        read.keep(" ", first.start())
    for found in more:
        read.keep_break(found)


def _unescaped(written: str) -> str:
    if written == "''":
        return "'"
    if written[1] in "xuU":
        return chr(int(written[2:], 16))
    return _ESCAPES.get(written[1], written)


def _block(source: str, start: int, parent: int, read: _Read) -> None:
    """Read a literal or folded scalar: its header, then its lines."""
    header = _HEADER.match(source, start)
    first = _BREAK.match(source, header.end()) if header else None
    if header is None or first is None:
        return
    digits = re.sub(r"\D", "", header[1])
    if digits:
        indent = parent + int(digits)
        blank, line, at = _blank_lines(source, first.end(), indent)
    else:
        blank, line, at = _blank_lines(source, first.end(), len(source))
        edges = [first.end(), *(found.end() for found in blank), at]
        widest = max(_indentation(source, edge, after) for edge, after in pairwise(edges))
        indent = max(parent + 1, widest)
    ended: re.Match[str] | None = None
    while at - line == indent and at < len(source):
        for found in blank:
            read.keep_break(found)
        folds = source[start] == ">" and source[at] not in " \t"
        stop = _BREAK.search(source, at)
        for offset in range(at, stop.start() if stop else len(source)):
            read.keep(source[offset], offset)
        ended = stop
        blank, line, at = _blank_lines(source, stop.end() if stop else len(source), indent)
        if ended is None or at - line != indent or at >= len(source):
            break
        if not (folds and _line_break(ended) == "\n" and source[at] not in " \t"):
            read.keep_break(ended)
        elif not blank:
            read.keep(" ", ended.start())
    if "-" not in header[1] and ended:
        read.keep_break(ended)
    if "+" in header[1]:
        for found in blank:
            read.keep_break(found)


def _blank_lines(source: str, line: int, indent: int) -> tuple[list[re.Match[str]], int, int]:
    """Pass empty lines; return their ends, and the next line's start and the place up to ``indent`` in it."""
    passed: list[re.Match[str]] = []
    while True:
        at = line + _indentation(source, line, line + indent)
        found = _BREAK.match(source, at)
        if found is None:
            return passed, line, at
        passed.append(found)
        line = found.end()


def _indentation(source: str, start: int, end: int) -> int:
    """Return how many spaces stand at ``start``, looking no further than ``end``."""
    at = start
    while at < min(end, len(source)) and source[at] == " ":
        at += 1
    return at - start
