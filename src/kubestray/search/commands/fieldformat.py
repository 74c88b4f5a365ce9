"""``fieldformat FIELD = EXPRESSION`` says how a field is to be shown; its values stay as they are.

Splunk shows the expression's value on its pages, and the field's own where results go on to another
program: later commands, exports, lookups. All results of a search go to another program here, so the
values stay. Write ``eval`` where the text is wanted. The expression is checked all the same.

Example::

    | fieldformat _time = strftime(_time, "%H:%M")
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.evaluate import evaluate
from kubestray.search.expressions import expression
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Expression
from kubestray.search.values import Shape


@dataclass(frozen=True, slots=True)
class FieldFormat(Command):
    """The ``fieldformat`` command."""

    field: str
    expression: Expression


def parse(cursor: Cursor, at: int) -> FieldFormat:
    """Read the field and the expression."""
    field = cursor.field("to show")
    cursor.expect("=", "after the field")
    return FieldFormat(at, field, expression(cursor))


def plan(command: FieldFormat, relation: Relation, context: Context) -> Relation:
    """Check the expression; the rows stay."""
    _, value = evaluate(command.expression, relation, context)
    if value.shape is Shape.BOOLEAN:
        hint = "write if(condition, 1, 0)"
        raise context.error(command.expression.at, "a condition cannot be shown in a field", hint)
    return relation
