"""``multisearch [ SUBSEARCH ] [ SUBSEARCH ] …`` puts the rows of searches together.

At least two. Rows that have a time are put in its order, the newest first. Splunk runs the searches at the
same time and takes only commands that work on one row after the other; here any search will do.

Example::

    | multisearch [ search index=risk risk_score>50 ] [ search index=risk risk_score<10 ]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import interleaved
from kubestray.search.syntax import Command, Pipeline, Place


@dataclass(frozen=True, slots=True)
class MultiSearch(Command):
    """The ``multisearch`` command."""

    place: ClassVar = Place.FIRST

    subsearches: tuple[Pipeline, ...]


def parse(cursor: Cursor, at: int) -> MultiSearch:
    """Read the subsearches."""
    found: list[Pipeline] = []
    while not found or cursor.looking_at("["):
        found.append(cursor.subsearch("to start a subsearch of multisearch"))
        cursor.take(",")
    if len(found) < 2:
        raise cursor.error("multisearch needs at least two subsearches", at)
    return MultiSearch(at, tuple(found))


def plan(command: MultiSearch, _: None, context: Context) -> Relation:
    """Put the rows together."""
    return interleaved([context.subsearch(subsearch) for subsearch in command.subsearches], context)
