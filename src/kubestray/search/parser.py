"""Reads a whole search: commands between pipes, each by its own module."""

from __future__ import annotations

from kubestray.model.errors import SearchError
from kubestray.search import commands
from kubestray.search.advice import INSTEAD, advised
from kubestray.search.cursor import Cursor, nearest
from kubestray.search.named_index import with_index
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
        raise leftover(cursor, "")
    return found


def pipeline(cursor: Cursor) -> Pipeline:
    """Read commands up to the end or a closing bracket."""
    at = cursor.skip()
    read = [first(cursor)]
    while cursor.take("|"):
        read.append(command(cursor))
    return Pipeline(at, with_index(tuple(read)))


def first(cursor: Cursor) -> Command:
    """Read the first command: after a pipe, as in a subsearch by its bare name, or an implied ``search``."""
    name = cursor.peek_word()
    if cursor.take("|") or commands.find(name) or name in commands.KNOWN_ELSEWHERE:
        return command(cursor)
    return _read("search", cursor, cursor.skip())


def command(cursor: Cursor) -> Command:
    """Read one command, its name first."""
    at = cursor.skip()
    name = cursor.peek_word()
    if not name:
        error = cursor.error(f"expected a command, found {cursor.found()}")
        raise advised(error, cursor, "", at)
    if commands.find(name) is None:
        raise _unknown(name, cursor)
    cursor.keyword(name)
    return _read(name, cursor, at)


def leftover(cursor: Cursor, name: str, at: int = 0) -> SearchError:
    """Make the error for what stands where a command (``name``, at ``at``) should have ended."""
    error = cursor.error(f"expected the next command after a pipe, found {cursor.found()}")
    return advised(error, cursor, name, at)


def _read(name: str, cursor: Cursor, at: int) -> Command:
    """Read what follows a command's name; errors get what is known of likely mistakes."""
    module = commands.find(name)
    assert module
    try:
        found = module.parse(cursor, at)
    except SearchError as error:
        raise advised(error, cursor, name, at) from None
    if not cursor.at_end() and not cursor.looking_at("|") and not cursor.looking_at("]"):
        raise leftover(cursor, name, at)
    return found


def _unknown(name: str, cursor: Cursor) -> SearchError:
    if name in commands.KNOWN_ELSEWHERE:
        message = f"the command {name!r} is known in SPL but not supported here"
        return cursor.error(message, hint=INSTEAD.get(name, ""))
    return cursor.error(f"unknown command {name!r}", hint=nearest(name, commands.MODULES))
