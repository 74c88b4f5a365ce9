"""``map search="SEARCH" [maxsearches=N]`` runs a search for each row, and gives all their rows.

The search may stand in brackets too. In it ``$FIELD$`` stands for the row's value of a field, and
``$_serial_id$`` for the number of the run, from 1 on. A value is put in quotes where it is not one word, so
that it cannot change what the search does. It runs for the first N rows (10); the result says so if there are
more. Saved searches are not known here.

Example::

    | stats count BY host | map maxsearches=2 [ makeresults | eval host="$host$", n=$count$ ]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubestray.model.errors import SearchError
from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.options import read_options, whole
from kubestray.search.relation import Context, Relation
from kubestray.search.source import Source
from kubestray.search.stacking import stacked
from kubestray.search.subsearches import quoted
from kubestray.search.syntax import Command
from kubestray.search.templates import closing, placed
from kubestray.search.truncation import first

_USUAL = 10
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TOKEN = re.compile(r"\$([^\s$|\[\]\"']+)\$")
_WORD = re.compile(r"[\w.:/@+*-]+")
_KEYWORDS = ("and", "or", "not", "by", "as", "where")


@dataclass(frozen=True, slots=True)
class Map(Command):
    """The ``map`` command."""

    search: str
    most: int


def parse(cursor: Cursor, at: int) -> Map:
    """Read the search, as a text or in brackets, and the number of runs."""
    options: dict[str, str] = {}
    read_options(cursor, ["search", "maxsearches"], options)
    if cursor.looking_at("["):
        start = cursor.skip()
        end = closing(cursor.source.text, start)
        if end is None:
            raise cursor.error("unclosed bracket", start, "add the closing ]")
        options["search"] = cursor.source.text[start + 1 : end]
        cursor.at = end + 1
        read_options(cursor, ["maxsearches"], options)
    if "search" not in options:
        raise cursor.error("map needs a search", at, 'write map search="…" or map [ … ]')
    return Map(at, options["search"], whole(cursor, options, "maxsearches", _USUAL))


def plan(command: Map, relation: Relation, context: Context) -> Relation:
    """Ask for the rows, and plan the search for each of them."""
    rows = context.discover(first(relation, command.most + 1))
    if len(rows) > command.most:
        context.note(f"map ran for the first {command.most} rows only, as maxsearches says")
    found = [
        _one(_filled(command.search, {**row, "_serial_id": number}, relation), command, context)
        for number, row in enumerate(rows[: command.most], 1)
    ]
    return stacked(found, context) if found else given_relation([], context)


def _one(written: str, command: Map, context: Context) -> Relation:
    assert context.read
    try:
        pipeline = placed(context.read(Source(written, [])), command.at)
    except SearchError as error:
        raise context.error(command.at, f"in the search of map: {error.message}", error.hint) from error
    return context.subsearch(pipeline)


def _filled(search: str, row: Mapping[str, Any], relation: Relation) -> str:
    """Return the search with the values of a row in the places of their names."""

    def inside(found: re.Match[str]) -> str:
        return quoted(_shown(row, found[1]))[1:-1] if _known(found[1]) else found[0]

    def outside(found: re.Match[str]) -> str:
        value = _shown(row, found[1])
        plain = _WORD.fullmatch(value) and value.lower() not in _KEYWORDS
        return (value if plain else quoted(value)) if _known(found[1]) else found[0]

    def _known(name: str) -> bool:
        return name in relation.fields or name in row

    pieces: list[str] = []
    at = 0
    for found in _QUOTED.finditer(search):
        pieces += [_TOKEN.sub(outside, search[at : found.start()]), _TOKEN.sub(inside, found[0])]
        at = found.end()
    return "".join([*pieces, _TOKEN.sub(outside, search[at:])])


def _shown(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, "")
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
