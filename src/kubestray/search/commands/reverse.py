"""``reverse`` turns the order of the rows around.

Example::

    | reverse
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command


@dataclass(frozen=True, slots=True)
class Reverse(Command):
    """The ``reverse`` command."""


def parse(_cursor: Cursor, at: int) -> Reverse:
    """Read nothing: there are no arguments."""
    return Reverse(at)


def plan(_: Reverse, relation: Relation, context: Context) -> Relation:
    """Turn the order around."""
    return reversed_rows(relation, context)


def reversed_rows(relation: Relation, context: Context) -> Relation:
    """Return the rows in the opposite order. Places are numbered first, so that nulls turn around too."""
    ranked, place = relation.ranked(context)
    return dataclasses.replace(ranked, order=(Order(place, descending=True),))
