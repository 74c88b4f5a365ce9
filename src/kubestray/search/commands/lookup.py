"""``lookup NAME FIELD [AS OURS] … [OUTPUT|OUTPUTNEW FIELD [AS OURS] …]`` adds fields from a lookup.

A row gets the fields of the rows of the lookup that have the same values: a field has several values
where several rows match (the first 1,000 of them). Values compare as texts and with their case. Without
OUTPUT all other fields of the lookup are added. ``OUTPUT`` overwrites what the row has, ``OUTPUTNEW`` does
not. A row without a match is unchanged; with the switch ``lookup_no_match=clear`` it loses the fields that
OUTPUT names.

A lookup of a content folder that names a file (``filename: owners.csv``, or ``lookup_type: csv`` and a
file of the same name as its own) has the rows of that file, which lies beside it: CSV in UTF-8, with the
fields in its first line, each value a text, and as it is when the search runs. If a search writes the
lookup, that stands until the file is changed. To leave out what such a file lists by wildcards or networks,
use it as a search:
``| search NOT [| inputlookup owners | fields ip]``.

Example::

    | lookup k8s_process_resource_baseline key OUTPUT avg_process.threads AS usual
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.joining import join_first
from kubestray.search.lookups import all_matches, find_lookup, lookup_relation
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command

_OPTION = r"(local|update|event_time_field)\s*=\s*\w+"


@dataclass(frozen=True, slots=True)
class Lookup(Command):
    """The ``lookup`` command; pairs are (the lookup's field, ours)."""

    lookup: str
    keys: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]
    overwrite: bool


def parse(cursor: Cursor, at: int) -> Lookup:
    """Read the name and the pairs."""
    while cursor.match(_OPTION):
        pass
    name = cursor.field("of a lookup")
    keys = _pairs(cursor)
    if not keys:
        raise cursor.error("lookup needs a field to look up by")
    word = cursor.keyword("output", "outputnew")
    return Lookup(at, name, keys, _pairs(cursor) if word else (), word != "outputnew")


def _pairs(cursor: Cursor) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    while cursor.at_field() and cursor.peek_word() not in ("output", "outputnew"):
        theirs = cursor.field("of the lookup")
        pairs.append((theirs, cursor.field("after AS") if cursor.keyword("as") else theirs))
        cursor.take(",")
    return tuple(pairs)


def plan(command: Lookup, relation: Relation, context: Context) -> Relation:
    """Join the rows to the lookup's."""
    table = find_lookup(command.lookup, command.at, context)
    rows = lookup_relation(table, context)
    looked_up = {theirs for theirs, _ in command.keys}
    outputs = command.outputs or tuple((name, name) for name in rows.fields if name not in looked_up)
    shown = {ours: rows.fields[theirs] for theirs, ours in outputs if theirs in rows.fields}
    found, values = all_matches(rows, [theirs for theirs, _ in command.keys], shown, context)
    keys = [(ours, value) for (_, ours), value in zip(command.keys, values, strict=True)]
    clear = context.switches.lookup_no_match == "clear"
    return join_first(relation, found, keys, context, outer=True, overwrite=command.overwrite, clear=clear)
