"""``outputlookup [append=true] NAME`` writes the rows to a lookup, in place of what it holds.

All fields are kept, and the rows go on to the next command. A baseline ends with this command; a
detection reads what it wrote with ``lookup``.

Example::

    | stats avg(io) AS avg_io stdev(io) AS stdev_io BY key | outputlookup io_baseline
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.lookups import writing
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command

_OPTION = r"(append|create_empty|override_if_empty|max|key_field|createinapp|output_format)\s*=\s*([\w.]+)"


@dataclass(frozen=True, slots=True)
class OutputLookup(Command):
    """The ``outputlookup`` command."""

    lookup: str
    append: bool


def parse(cursor: Cursor, at: int) -> OutputLookup:
    """Read the options and the name."""
    append = False
    while found := cursor.match(_OPTION):
        if found[1].lower() == "append":
            append = found[2].lower() in ("true", "t", "1")
        elif found[1].lower() in ("max", "key_field"):
            raise cursor.error(f"outputlookup option {found[1]!r} is known in SPL but not supported here")
    return OutputLookup(at, cursor.field("of a lookup"), append)


def plan(command: OutputLookup, relation: Relation, context: Context) -> Relation:
    """Note that the rows are to be written; they are when the search has run."""
    context.outputs.append(writing(command.lookup, relation, context, append=command.append))
    return relation
