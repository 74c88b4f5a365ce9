"""``filldown [FIELD …]`` gives a row without a value the value of the nearest row before that has one.

Wildcards are known. Without a list it fills every field but internal ones like ``_time``.

Example::

    | filldown host namespace
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, Value, choose, present
from kubestray.search.wildcards import chosen_fields
from kubestray.store.trees import aggregate, windowed


@dataclass(frozen=True, slots=True)
class FillDown(Command):
    """The ``filldown`` command."""

    fields: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> FillDown:
    """Read the fields."""
    return FillDown(at, field_list(cursor, "to fill") if cursor.at_field() else ("*",))


def plan(command: FillDown, relation: Relation, context: Context) -> Relation:
    """Carry values down."""
    relation, rank = relation.ranked(context)
    made = []
    for name in chosen_fields(command.fields, relation.fields):
        value = relation.fields[name].value()
        null_too = "OrNull" if value.shape in (Shape.NUMBER, Shape.TEXT) else ""
        newest = aggregate(f"argMax{null_too}If", value.tree, rank.value().tree, present(value))
        before = Value(value.shape, windowed(newest, terms=[o.term() for o in relation.order]))
        filled = choose([(present(value), value)], before)
        made.append((name, context.column(filled.shape), filled.tree))
    return relation.extended(made)
