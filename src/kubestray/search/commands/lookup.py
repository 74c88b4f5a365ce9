"""``lookup NAME FIELD [AS OURS] … [OUTPUT|OUTPUTNEW FIELD [AS OURS] …]`` adds fields from a lookup.

A row gets the fields of the first row of the lookup that has the same values. Values compare as texts
and with their case. Without OUTPUT all other fields of the lookup are added. ``OUTPUT`` overwrites what
the row has, ``OUTPUTNEW`` does not. A row without a match is unchanged.

Example::

    | lookup k8s_process_resource_baseline key OUTPUT avg_process.threads AS usual
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.joining import join_first
from kubestray.search.lookups import find_lookup, lookup_relation
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
    rows = lookup_relation(find_lookup(command.lookup, command.at, context), context)
    looked_up = {theirs for theirs, _ in command.keys}
    outputs = command.outputs or tuple((name, name) for name in rows.fields if name not in looked_up)
    shown = {ours: rows.fields[theirs] for theirs, ours in outputs if theirs in rows.fields}
    keys = [(ours, rows.value(theirs)) for theirs, ours in command.keys]
    found = dataclasses.replace(rows, fields=shown)
    return join_first(relation, found, keys, context, outer=True, overwrite=command.overwrite)
