"""``tail N`` keeps the last N rows (10 if N is left out), the last one first.

Example::

    | tail 5
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.reverse import reversed_rows
from kubestray.search.cursor import Cursor
from kubestray.search.options import row_count
from kubestray.search.plan import Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command


@dataclass(frozen=True, slots=True)
class Tail(Command):
    """The ``tail`` command."""

    count: int


def parse(cursor: Cursor, at: int) -> Tail:
    """Read the number of rows."""
    found = cursor.match(r"\d+")
    return Tail(at, row_count(found[0]) if found else 10)


def plan(command: Tail, relation: Relation, context: Context) -> Relation:
    """Keep the first rows of the reversed order."""
    backwards = reversed_rows(relation, context)
    return backwards.with_node(Limited(backwards.node, backwards.order, command.count))
