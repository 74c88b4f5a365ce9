"""``delta FIELD [AS NAME] [p=N]`` gives how much a number is above that of the row before.

With ``p=N`` it is the row N rows before. The result is called ``delta(FIELD)`` unless AS names it. Where
one of the two rows has no number there is none.

Example::

    | delta count AS more p=2
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options, whole
from kubestray.search.relation import Context, Relation
from kubestray.search.running import before
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_number
from kubestray.store.trees import call


@dataclass(frozen=True, slots=True)
class Delta(Command):
    """The ``delta`` command."""

    field: str
    name: str
    rows: int


def parse(cursor: Cursor, at: int) -> Delta:
    """Read the field, the name of the difference and how many rows to go back; options in any place."""
    options: dict[str, str] = {}
    read_options(cursor, ["p"], options)
    field = cursor.field("to compare")
    read_options(cursor, ["p"], options)
    name = cursor.field("after AS") if cursor.keyword("as") else f"delta({field})"
    read_options(cursor, ["p"], options)
    rows = whole(cursor, options, "p", 1)
    if not rows:
        raise cursor.error("p is a number of rows from 1 on, found 0")
    return Delta(at, field, name, rows)


def plan(command: Delta, relation: Relation, context: Context) -> Relation:
    """Add the differences."""
    ranked, _ = relation.ranked(context)
    value = ranked.value(command.field) or NULL
    here = Value(Shape.NUMBER, as_number(value))
    difference = call("minus", here.tree, before(ranked, here, command.rows).tree)
    return ranked.extended([(command.name, context.column(Shape.NUMBER), difference)])
