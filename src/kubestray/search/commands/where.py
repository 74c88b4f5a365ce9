"""``where CONDITION`` keeps the rows for which an eval condition is true.

A condition that is null drops the row. Texts compare with their case; fields with dots in their
names stand in single quotes.

Example::

    | where count > 5 AND 'source.workload.name' != "backup"
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.evaluate import condition
from kubestray.search.expressions import expression
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Expression


@dataclass(frozen=True, slots=True)
class Where(Command):
    """The ``where`` command."""

    condition: Expression


def parse(cursor: Cursor, at: int) -> Where:
    """Read the condition."""
    return Where(at, expression(cursor))


def plan(command: Where, relation: Relation, context: Context) -> Relation:
    """Filter the rows."""
    relation, holds = condition(command.condition, relation, context)
    return relation.with_node(Filter(relation.node, holds))
