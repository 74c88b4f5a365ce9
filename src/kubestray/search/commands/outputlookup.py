"""``outputlookup [append=true] [key_field=FIELD] [max=N] NAME``
writes the rows to a lookup, in place of what it holds.

All fields are kept, and the rows go on to the next command. A baseline ends with this command; a
detection reads what it wrote with ``lookup``.

With ``append=true`` the rows come after those that the lookup has. With ``key_field`` they do so too,
unless ``append=false``, and a row takes the place of the one that has the same value in that field; with
``allow_updates=false`` only rows with other values are added. ``max`` writes no more than N rows.
``override_if_empty=false`` leaves the lookup as it is if there are no rows. ``create_empty``,
``createinapp``, ``create_context`` and ``output_format`` are about files and change nothing.

Example::

    | stats avg(io) AS avg_io stdev(io) AS stdev_io BY key | outputlookup io_baseline
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.lookups import Writing, writing
from kubestray.search.options import flag, read_options, whole
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.truncation import first

_OPTIONS = ("key_field", "max", "create_context", "output_format")
_FLAGS = ("append", "create_empty", "override_if_empty", "createinapp", "allow_updates")


@dataclass(frozen=True, slots=True)
class OutputLookup(Command):
    """The ``outputlookup`` command; at most ``most`` rows are written, all with 0."""

    lookup: str
    writing: Writing
    most: int


def parse(cursor: Cursor, at: int) -> OutputLookup:
    """Read the options and the name."""
    options: dict[str, str] = {}
    read_options(cursor, _OPTIONS, options, _FLAGS)
    name = cursor.field("of a lookup")
    read_options(cursor, _OPTIONS, options, _FLAGS)
    key = options.get("key_field")
    how = Writing(
        append=flag(options, "append", key is not None),
        key=key,
        update=flag(options, "allow_updates", True),
        even_nothing=flag(options, "override_if_empty", True),
    )
    return OutputLookup(at, name, how, whole(cursor, options, "max", 0))


def plan(command: OutputLookup, relation: Relation, context: Context) -> Relation:
    """Note that the rows are to be written; they are when the search has run."""
    written = first(relation, command.most)
    context.outputs.append(writing(command.lookup, written, context, command.writing, command.at))
    return relation
