"""``head N`` keeps the first N rows (10 if N is left out).

Example::

    | sort - count | head 20
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import row_count
from kubestray.search.plan import Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command


@dataclass(frozen=True, slots=True)
class Head(Command):
    """The ``head`` command."""

    count: int


def parse(cursor: Cursor, at: int) -> Head:
    """Read the number of rows."""
    cursor.match(r"limit\s*=")
    found = cursor.match(r"\d+")
    return Head(at, row_count(found[0]) if found else 10)


def plan(command: Head, relation: Relation, _: Context) -> Relation:
    """Keep the first rows in the order that they have."""
    return relation.with_node(Limited(relation.node, relation.order, command.count))
