"""``fillnull [value=TEXT] [FIELD …]`` gives a value (0 unless said) to fields that have none.

Without a list, every field is filled that has a value in at least one row of the result; a field that has
none anywhere stays as it is, and so do internal fields like ``_time``. A listed field is made if it does not
exist; wildcards are known. The empty text is a value, and may be the value to fill with. Where there are
only numbers, or nothing, a value that is a number fills as one.

Example::

    | fillnull value=unknown namespace
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.plan import Column
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, NULL_NUMBER, Shape, Value, choose, constant, missing, present
from kubestray.search.wildcards import chosen_fields
from kubestray.store.trees import Tree, all_of, call, somewhere, text

_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?"


@dataclass(frozen=True, slots=True)
class FillNull(Command):
    """The ``fillnull`` command."""

    value: str
    fields: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> FillNull:
    """Read the value and the fields, in either order."""
    options: dict[str, str] = {}
    fields: list[str] = []
    while read_options(cursor, ["value"], options) or cursor.at_field():
        if cursor.at_field():
            fields.append(cursor.field("to fill"))
        cursor.take(",")
    return FillNull(at, options.get("value", "0"), tuple(fields))


def plan(command: FillNull, relation: Relation, context: Context) -> Relation:
    """Fill the fields, all at once: whether a field is filled can depend on all rows."""
    made: list[tuple[str, Column, Tree]] = []
    for name in _names(command, relation):
        filling = _filling(command.value, relation.value(name))
        value = relation.value(name) or (NULL_NUMBER if filling.shape is Shape.NUMBER else NULL)
        wanted = [missing(value)] if command.fields else [missing(value), somewhere(present(value))]
        filled = choose([(all_of(wanted), filling)], value)
        made.append((name, context.column(filled.shape), filled.tree))
    return relation.extended(made)


def _names(command: FillNull, relation: Relation) -> list[str]:
    """Return the fields to fill; those that are named without a wildcard even if there are none."""
    if not command.fields:
        return chosen_fields(["*"], relation.fields)
    named = [chosen_fields([f], relation.fields) if "*" in f else [f] for f in command.fields]
    return list(dict.fromkeys(name for names in named for name in names))


def _filling(value: str, own: Value | None) -> Value:
    numeric = own is None or own.shape in (Shape.NUMBER, Shape.DYNAMIC)
    if numeric and re.fullmatch(_NUMBER, value):
        return Value(Shape.NUMBER, constant(float(value)))
    return Value(Shape.TEXT, call("toNullable", text(value)))
