"""``accum FIELD [AS NAME]`` adds up a field's numbers from row to row.

The sum so far stands in the field itself or in the one that AS names. A row without a number stays as it
is.

Example::

    | accum count AS total
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.running import so_far
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_number, choose, looks_numeric


@dataclass(frozen=True, slots=True)
class Accum(Command):
    """The ``accum`` command."""

    field: str
    name: str


def parse(cursor: Cursor, at: int) -> Accum:
    """Read the field and the name of the sum."""
    field = cursor.field("to add up")
    return Accum(at, field, cursor.field("after AS") if cursor.keyword("as") else field)


def plan(command: Accum, relation: Relation, context: Context) -> Relation:
    """Add the sums."""
    if command.field not in relation.fields:
        return relation
    ranked, _ = relation.ranked(context)
    value = ranked.value(command.field) or NULL
    total = Value(Shape.NUMBER, so_far(ranked, "sumKahan", as_number(value)))
    made = choose([(looks_numeric(value), total)], ranked.value(command.name) or NULL)
    return ranked.extended([(command.name, context.column(made.shape), made.tree)])
