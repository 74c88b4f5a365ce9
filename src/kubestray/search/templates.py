"""The commands in the brackets of ``foreach``: the words in them that are filled in, and others for these.

The commands are read once, with ``<<FIELD>>`` and its kin in them, and filled in as syntax. Where a search
says that another word stands for one of these, the text in the brackets is written anew before it is read.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TypeVar

from kubestray.model.errors import SearchError
from kubestray.search.cursor import Cursor
from kubestray.search.source import Source
from kubestray.search.syntax import Binary, Expression, Field, Number, Pipeline, String, rewrite_nodes

ITEM, ITERATION = "<<ITEM>>", "<<ITER>>"
WORDS = {
    "fieldstr": "<<FIELD>>",
    "matchstr": "<<MATCHSTR>>",
    "matchseg1": "<<MATCHSEG1>>",
    "matchseg2": "<<MATCHSEG2>>",
    "matchseg3": "<<MATCHSEG3>>",
    "itemstr": ITEM,
    "iterstr": ITERATION,
}
"""The options of ``foreach`` that name other words, and the usual words."""

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\'|\n]*\'|[\[\]]', re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ITEM = re.compile(f"({ITEM}|{ITERATION})")

N = TypeVar("N")


def read_template(cursor: Cursor, options: Mapping[str, str]) -> Pipeline:
    """Read the commands in brackets, in which other words may stand for the usual ones."""
    others = {word: WORDS[name] for name, word in options.items() if name in WORDS and word}
    if not others:
        return cursor.subsearch("to start the commands of foreach")
    start = cursor.skip()
    if not cursor.looking_at("["):
        raise cursor.error(f"expected '[' to start the commands of foreach, found {cursor.found()}")
    end = closing(cursor.source.text, start)
    if end is None:
        raise cursor.error("unclosed bracket", start, "add the closing ]")
    longest_first = sorted(others, key=len, reverse=True)
    anew = re.compile("|".join(map(re.escape, longest_first)))
    text = anew.sub(lambda found: others[found[0]], cursor.source.text[start : end + 1])
    outer = cursor.source
    cursor.source, cursor.at = Source(text, []), 0
    try:
        read = cursor.subsearch("to start the commands of foreach")
    except SearchError as error:
        failed = error
    else:
        cursor.source, cursor.at = outer, end + 1
        return placed(read, start)
    cursor.source, cursor.at = outer, start
    raise cursor.error(f"in the commands of foreach: {failed.message}", start, failed.hint)


def closing(text: str, start: int) -> int | None:
    """Return where the bracket closes that opens at ``start``."""
    depth = 0
    for found in _PART.finditer(text, start):
        depth += {"[": 1, "]": -1}.get(found[0], 0)
        if not depth:
            return found.start()
    return None


def placed(node: N, at: int) -> N:
    """Return syntax as if all of it were written at one place: what was written anew has no places."""
    return rewrite_nodes(node, lambda inner: dataclasses.replace(inner, at=at))


def with_numbers(node: N) -> N:
    """Return syntax in which a word that was filled in without quotes is a number, if it looks like one."""
    return rewrite_nodes(node, lambda inner: _as_number(inner) if isinstance(inner, Field) else inner)


def _as_number(written: Field) -> Expression:
    if written.bare and _NUMBER.fullmatch(written.name):
        return Number(written.at, float(written.name), written.name)
    return written


def with_items(node: N) -> N:
    """Return syntax in which the words for the item stand for fields of these names, in texts as well."""
    return rewrite_nodes(node, lambda inner: _pieced(inner) if isinstance(inner, String) else inner)


def _pieced(written: String) -> Expression:
    """Return a text with the words for the item in it as what joins its pieces."""
    pieces: list[Expression] = [
        Field(written.at, piece) if piece in (ITEM, ITERATION) else String(written.at, piece)
        for piece in _ITEM.split(written.value)
        if piece
    ]
    joined = pieces[0] if pieces else written
    for piece in pieces[1:]:
        joined = Binary(written.at, ".", joined, piece)
    return joined
