"""``eval FIELD = EXPRESSION, …`` computes fields.

Each assignment sees the fields made by those before it. A field that is assigned null has no value.
A condition cannot be stored: write ``if(condition, 1, 0)``.

Example::

    | eval ratio = sent / received, verdict = if(ratio > 2, "odd", "usual")
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.evaluate import evaluate
from kubestray.search.expressions import expression
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Expression, Node
from kubestray.search.values import Shape

# A target may hold dots and colons without quotes, unlike a field inside an expression.
_TARGET = r"(?:<<\w+>>|[^\s=,|\[\]()\"'<>!`])+"


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """One ``field = expression``."""

    field: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Eval(Command):
    """The ``eval`` command."""

    assignments: tuple[Assignment, ...]


def parse(cursor: Cursor, at: int) -> Eval:
    """Read the assignments."""
    assignments = [_assignment(cursor)]
    while cursor.take(","):
        assignments.append(_assignment(cursor))
    return Eval(at, tuple(assignments))


def _assignment(cursor: Cursor) -> Assignment:
    at = cursor.skip()
    name = cursor.quoted()
    if name is None:
        found = cursor.match(_TARGET)
        if not found:
            raise cursor.error(f"expected a field to assign to, found {cursor.found()}")
        name = found[0]
    cursor.expect("=", f"after the field {name!r}")
    return Assignment(at, name, expression(cursor))


def plan(command: Eval, relation: Relation, context: Context) -> Relation:
    """Add or overwrite the fields, one after the other."""
    for assignment in command.assignments:
        relation, value = evaluate(assignment.expression, relation, context)
        if value.shape is Shape.BOOLEAN:
            raise context.error(
                assignment.expression.at,
                "a condition cannot be stored in a field",
                "write if(condition, 1, 0)",
            )
        relation = relation.extended([(assignment.field, context.column(value.shape), value.tree)])
    return relation
