"""``nomv FIELD`` joins the values of a multivalue field to one text, a line each.

After ``mvcombine`` its delimiter stands between them.

Example::

    | nomv anomalies
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, as_list
from kubestray.store.trees import call, either, null, text


@dataclass(frozen=True, slots=True)
class NoMv(Command):
    """The ``nomv`` command."""

    field: str


def parse(cursor: Cursor, at: int) -> NoMv:
    """Read the field."""
    return NoMv(at, cursor.field("to join"))


def plan(command: NoMv, relation: Relation, context: Context) -> Relation:
    """Join the values."""
    value = relation.value(command.field)
    if value is None or value.shape in (Shape.NUMBER, Shape.TEXT):
        return relation
    values, delimiter = as_list(value), text(relation.fields[command.field].delimiter)
    joined = either(call("empty", values), null(), call("arrayStringConcat", values, delimiter))
    return relation.extended([(command.field, context.column(Shape.TEXT), joined)])
