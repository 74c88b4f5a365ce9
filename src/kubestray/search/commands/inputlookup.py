"""``inputlookup NAME`` gives the rows of a lookup. ``append=true`` puts them after the rows there are.

Example::

    | inputlookup k8s_process_resource_baseline | where count < 100
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.evaluate import condition
from kubestray.search.expressions import expression
from kubestray.search.lookups import find_lookup, lookup_relation
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Command, Expression, Place


@dataclass(frozen=True, slots=True)
class InputLookup(Command):
    """The ``inputlookup`` command."""

    place: ClassVar = Place.ANYWHERE

    lookup: str
    append: bool
    condition: Expression | None


def parse(cursor: Cursor, at: int) -> InputLookup:
    """Read the option, the name and the condition."""
    append = cursor.match(r"append\s*=\s*(true|t|1)\b") is not None
    cursor.match(r"append\s*=\s*\w+")
    name = cursor.field("of a lookup")
    wanted = expression(cursor) if cursor.keyword("where") else None
    return InputLookup(at, name, append, wanted)


def plan(command: InputLookup, relation: Relation | None, context: Context) -> Relation:
    """Give the rows."""
    if relation is not None and not command.append:
        raise context.error(
            command.at, "inputlookup must be the first command of a search", "or say append=true"
        )
    rows = lookup_relation(find_lookup(command.lookup, command.at, context), context)
    if command.condition is not None:
        rows, holds = condition(command.condition, rows, context)
        rows = rows.with_node(Filter(rows.node, holds))
    return rows if relation is None else stacked([relation, rows], context)
