"""``fillnull [value=TEXT] [FIELD …]`` gives a value (0 unless said) to fields that have none.

Without a list, every field is filled that has a value in at least one row of the result; a field
that has none anywhere stays as it is. A listed field is made if it does not exist.

Example::

    | fillnull value=unknown namespace
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.plan import Column
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, choose, missing, present
from kubestray.store.trees import Tree, all_of, call, number, over, text


@dataclass(frozen=True, slots=True)
class FillNull(Command):
    """The ``fillnull`` command."""

    value: str
    fields: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> FillNull:
    """Read the value and the fields."""
    value = "0"
    if cursor.match(r"value\s*="):
        quoted = cursor.quoted()
        value = quoted if quoted is not None else cursor.field("as the value")
    return FillNull(at, value, field_list(cursor, "to fill") if cursor.at_field() else ())


def plan(command: FillNull, relation: Relation, context: Context) -> Relation:
    """Fill the fields, all at once: whether a field is filled can depend on all rows."""
    made: list[tuple[str, Column, Tree]] = []
    for name in command.fields or tuple(relation.fields):
        value = relation.value(name) or NULL
        wanted = [missing(value)] if command.fields else [missing(value), _somewhere(value)]
        filled = choose([(all_of(wanted), _filling(command.value, value.shape))], value)
        made.append((name, context.column(filled.shape), filled.tree))
    return relation.extended(made)


def _filling(value: str, shape: Shape) -> Value:
    if shape is Shape.NUMBER and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return Value(Shape.NUMBER, call("toNullable", call("toFloat64", number(float(value)))))
    return Value(Shape.TEXT, call("toNullable", text(value)))


def _somewhere(value: Value) -> Tree:
    """Return the condition that some row of the whole result has the field."""
    return over(call("max", present(value)))
