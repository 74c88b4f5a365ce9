"""``append [ SUBSEARCH ]`` puts the rows of a subsearch after the rows there are.

A field that one side lacks is null in its rows. The subsearch has its own times; all of its rows are
taken, however many there are.

Example::

    | append [ mstats count(tcp.packets) AS seen WHERE index=* earliest=-30d latest=-1h BY host ]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Command, Pipeline, Place

_OPTION = r"(extendtimerange|maxtime|maxout|timeout)\s*=\s*\w+"


@dataclass(frozen=True, slots=True)
class Append(Command):
    """The ``append`` command."""

    place: ClassVar = Place.ANYWHERE

    subsearch: Pipeline


def parse(cursor: Cursor, at: int) -> Append:
    """Read the subsearch; options that cut it off are passed over, as nothing is cut off here."""
    while cursor.match(_OPTION):
        pass
    return Append(at, cursor.subsearch("to start the subsearch of append"))


def plan(command: Append, relation: Relation | None, context: Context) -> Relation:
    """Put the rows one after the other."""
    more = context.subsearch(command.subsearch)
    return more if relation is None else stacked([relation, more], context)
