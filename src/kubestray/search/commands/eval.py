"""``eval FIELD = EXPRESSION, …`` computes fields.

Each assignment sees the fields made by those before it. A field that is assigned null has no value.
A condition cannot be stored: write ``if(condition, 1, 0)``.

Beside a number a field is read as a number, beside a text as a text unless it holds a number; two fields add
and compare as numbers where both read so. What is surely a text neither adds to nor compares with what is
surely a number (``"5" + 1``, ``tostring(x) > 9``): that is null. A name with ``{other}`` in it is made of the
value of that field, row by row: ``{kind}_size = size`` makes ``disk_size`` where ``kind`` is ``disk``.

Example::

    | eval ratio = sent / received, verdict = if(ratio > 2, "odd", "usual")
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.evaluate import evaluate
from kubestray.search.expressions import expression
from kubestray.search.plan import Grouped, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Expression, Node
from kubestray.search.values import NULL, Shape, Value, as_text, choose
from kubestray.store.trees import Tree, call, text

# A target may hold dots and colons without quotes, unlike a field inside an expression.
_TARGET = r"(?:<<\w+>>|[^\s=,|\[\]()\"'<>!`])+"
_OTHER = re.compile(r"\{([^{}]+)\}")
_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """One ``field = expression``; ``bare`` is set for a name without quotes."""

    field: str
    expression: Expression
    bare: bool


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
    quoted = cursor.quoted()
    found = cursor.match(_TARGET) if quoted is None else None
    if quoted is None and not found:
        raise cursor.error(f"expected a field to assign to, found {cursor.found()}")
    name = found[0] if found else quoted or ""
    cursor.expect("=", f"after the field {name!r}")
    return Assignment(at, name, expression(cursor), quoted is None)


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
        if _is_made_of_values(assignment, relation):
            relation = _named_by_values(assignment, value, relation, context)
        else:
            relation = relation.extended([(assignment.field, context.column(value.shape), value.tree)])
    return relation


def _is_made_of_values(assignment: Assignment, relation: Relation) -> bool:
    """Tell whether a name has fields in braces; in quotes, what is no field is just braces."""
    named = _OTHER.findall(assignment.field)
    return bool(named) and (assignment.bare or all(name in relation.fields for name in named))


def _named_by_values(assignment: Assignment, value: Value, relation: Relation, context: Context) -> Relation:
    """Assign to the field that the values of other fields name; which there are is asked for first."""
    named, made = context.column(Shape.TEXT), context.column(value.shape)
    relation = relation.computed([(named, _name(assignment.field, relation)), (made, value.tree)])
    added = []
    for name in _names(named.value(), assignment, relation, context):
        chosen = call("equals", named.value().tree, text(name))
        result = choose([(chosen, made.value())], relation.value(name) or NULL)
        added.append((name, context.column(result.shape), result.tree))
    return relation.extended(added)


def _name(written: str, relation: Relation) -> Tree:
    """Return a name with the values of fields in it; null where one has none."""
    parts: list[Tree] = [text("")]
    at = 0
    for found in _OTHER.finditer(written):
        parts += [text(written[at : found.start()]), as_text(relation.value(found[1]) or NULL)]
        at = found.end()
    return call("toNullable", call("concat", *parts, text(written[at:])))


def _names(named: Value, assignment: Assignment, relation: Relation, context: Context) -> list[str]:
    key = context.column(Shape.TEXT)
    grouped = Grouped(relation.present_only(named).node, ((key, named.tree),), ())
    names = [row["name"] for row in context.discover(Relation(grouped, {"name": key}, (Order(key),)))]
    if len(names) > _MOST_NAMES:
        message = f"{assignment.field} makes {len(names)} fields, more than {_MOST_NAMES}"
        raise context.error(assignment.at, message, "name fields by what has few values")
    if recursive := next((name for name in names if _OTHER.search(name)), None):
        raise context.error(assignment.at, f"{assignment.field} makes a name with braces: {recursive!r}")
    return [name for name in names if name]
