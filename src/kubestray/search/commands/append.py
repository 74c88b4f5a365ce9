"""``append [ SUBSEARCH ]`` puts the rows of a subsearch after the rows there are.

A field that one side lacks is null in its rows. The subsearch has its own times; all of its rows are
taken, however many there are, unless ``maxout=N`` says how many, or the switch
``subsearch_limits=on`` asks for Splunk's 50,000.

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
from kubestray.search.truncation import MOST_OF_SUBSEARCH, cut, first, read_maxout


@dataclass(frozen=True, slots=True)
class Append(Command):
    """The ``append`` command."""

    place: ClassVar = Place.ANYWHERE

    subsearch: Pipeline
    most: int


def parse(cursor: Cursor, at: int) -> Append:
    """Read the options and the subsearch."""
    most = read_maxout(cursor)
    return Append(at, cursor.subsearch("to start the subsearch of append"), most)


def plan(command: Append, relation: Relation | None, context: Context) -> Relation:
    """Put the rows one after the other."""
    found = first(context.subsearch(command.subsearch), command.most)
    more = cut(found, context, MOST_OF_SUBSEARCH, "the subsearch of append")
    return more if relation is None else stacked([relation, more], context)
