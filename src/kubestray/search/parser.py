"""Reads a whole search: commands between pipes, each by its own module."""

from __future__ import annotations

from kubestray.search import commands
from kubestray.search.cursor import Cursor, nearest
from kubestray.search.source import Source
from kubestray.search.syntax import Command, Pipeline


def parse(source: Source) -> Pipeline:
    """Read a search; one that does not start with a pipe starts with the ``search`` command."""
    cursor = Cursor(source, pipeline)
    if cursor.at_end():
        raise cursor.error("the search is empty", hint="for example: | mstats count(*) where index=* span=1h")
    try:
        found = pipeline(cursor)
    except RecursionError:
        raise cursor.error("the search nests too deeply") from None
    if not cursor.at_end():
        raise cursor.error(f"expected the next command after a pipe, found {cursor.found()}")
    return found


def pipeline(cursor: Cursor) -> Pipeline:
    """Read commands up to the end or a closing bracket."""
    at = cursor.skip()
    read = [_first(cursor)]
    while cursor.take("|"):
        read.append(command(cursor))
    return Pipeline(at, tuple(read))


def command(cursor: Cursor) -> Command:
    """Read one command, its name first."""
    at = cursor.skip()
    name = cursor.peek_word()
    if not name:
        raise cursor.error(f"expected a command, found {cursor.found()}")
    module = commands.find(name)
    if module is None:
        raise cursor.error(_unknown(name), at, nearest(name, commands.MODULES))
    cursor.keyword(name)
    return module.parse(cursor, at)


def _first(cursor: Cursor) -> Command:
    """Read the first command: after a pipe, as in a subsearch by its bare name, or an implied ``search``."""
    if (
        cursor.take("|")
        or commands.find(cursor.peek_word())
        or cursor.peek_word() in commands.KNOWN_ELSEWHERE
    ):
        return command(cursor)
    module = commands.find("search")
    assert module
    return module.parse(cursor, cursor.skip())


def _unknown(name: str) -> str:
    if name in commands.KNOWN_ELSEWHERE:
        return f"the command {name!r} is known in SPL but not supported here"
    return f"unknown command {name!r}"
