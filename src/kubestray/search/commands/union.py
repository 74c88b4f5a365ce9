"""``union [ SUBSEARCH ] [ SUBSEARCH ] …`` puts the rows of several subsearches one after the other.

Where there are rows already, they come first. Events of indexes, on which only commands work that take
one after the other, are put together in the order of their time, the newest first. ``inputlookup:NAME``
in place of a subsearch is the rows of a lookup.

Example::

    | union [ mstats avg(a) AS v WHERE index=* ] [ mstats avg(b) AS v WHERE index=* ]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.commands.inputlookup import at_dataset, read_dataset
from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import interleaved, is_streaming, stacked
from kubestray.search.syntax import Command, Pipeline, Place
from kubestray.search.truncation import MOST_OF_SUBSEARCH, cut, first, read_maxout


@dataclass(frozen=True, slots=True)
class Union(Command):
    """The ``union`` command."""

    place: ClassVar = Place.ANYWHERE

    subsearches: tuple[Pipeline, ...]
    most: int


def parse(cursor: Cursor, at: int) -> Union:
    """Read the options and the subsearches."""
    most = read_maxout(cursor)
    found = [read_dataset(cursor, "to start a subsearch of union")]
    while cursor.take(",") or at_dataset(cursor):
        found.append(read_dataset(cursor, "to start a subsearch of union"))
    return Union(at, tuple(found), most)


def plan(command: Union, relation: Relation | None, context: Context) -> Relation:
    """Put the rows one after the other."""
    more = [
        cut(
            first(context.subsearch(subsearch), command.most),
            context,
            MOST_OF_SUBSEARCH,
            "a subsearch of union",
        )
        for subsearch in command.subsearches
    ]
    if relation is None and all(map(is_streaming, command.subsearches)):
        return interleaved(more, context)
    return stacked([*([relation] if relation else []), *more], context)
