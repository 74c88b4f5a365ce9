"""``highlight TEXT …``, ``iconify FIELD …`` and ``localop`` change no row.

They tell Splunk how to show events, and where to run what follows; here a result is rows alone.

Example::

    | highlight login
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command


@dataclass(frozen=True, slots=True)
class Passing(Command):
    """A command that lets all rows pass."""


def parse(cursor: Cursor, at: int) -> Passing:
    """Read the words, which are for pages alone."""
    if cursor.at_field():
        field_list(cursor, "or text")
    return Passing(at)


def plan(_: Passing, relation: Relation, _context: Context) -> Relation:
    """Change nothing."""
    return relation
