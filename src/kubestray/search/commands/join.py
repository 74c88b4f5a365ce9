"""``join [type=inner|left] [max=N] [overwrite=true|false] FIELD … [ SUBSEARCH ]`` joins rows by fields.

Each row gets the fields of the first row of the subsearch that has the same values in the named
fields (of the first N with ``max=N``, of all with ``max=0``). With ``type=left`` rows without a match
stay. Fields of the subsearch overwrite those of the same name unless ``overwrite=false``. Values
compare with their case; rows without a value never match.

Example::

    | join type=left key [ mstats avg(tcp.bytes) AS usual WHERE index=* earliest=-30d BY key ]
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.joining import join_first
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Pipeline
from kubestray.search.truncation import MOST_OF_SUBSEARCH, cut


@dataclass(frozen=True, slots=True)
class Join(Command):
    """The ``join`` command."""

    keys: tuple[str, ...]
    outer: bool
    most: int
    overwrite: bool
    subsearch: Pipeline


def parse(cursor: Cursor, at: int) -> Join:
    """Read the options, the fields and the subsearch."""
    options = {"type": "inner", "max": "1", "overwrite": "true"}
    while found := cursor.match(r"(type|max|overwrite)\s*=\s*([\w]+)"):
        options[found[1].lower()] = found[2].lower()
        if options["type"] not in ("inner", "left", "outer"):
            raise cursor.error(f"join type {found[2]!r} is unknown", found.start(2), "inner, left or outer")
    if not options["max"].isdigit():
        raise cursor.error("join needs a number after max=")
    keys = field_list(cursor, "to join by") if cursor.at_field() else ()
    if not keys:
        raise cursor.error("join needs the fields to join by", hint="write join FIELD [ … ]")
    inner = cursor.subsearch("to start the subsearch of join")
    overwrite = options["overwrite"] in ("true", "t", "1")
    return Join(at, keys, options["type"] != "inner", int(options["max"]), overwrite, inner)


def plan(command: Join, relation: Relation, context: Context) -> Relation:
    """Join the rows."""
    found = cut(context.subsearch(command.subsearch), context, MOST_OF_SUBSEARCH, "the subsearch of join")
    keys = [(name, found.value(name)) for name in command.keys]
    fields = {
        name: column
        for name, column in found.fields.items()
        if command.overwrite or name not in relation.fields
    }
    return join_first(
        relation,
        found.with_fields(fields),
        keys,
        context,
        outer=command.outer,
        overwrite=command.overwrite,
        most=command.most,
    )
