"""``strcat [allrequired=true] FIELD|"TEXT" … NAME`` joins fields and quoted texts to one text.

The last one names the result. A field without a value adds nothing; with ``allrequired=true`` there is no
result then, and the field NAME stays as it was.

Example::

    | strcat allrequired=true k8s.namespace.name "/" k8s.pod.name pod
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import flag, read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Field, String
from kubestray.search.values import NULL, Shape, Value, as_text, choose, present
from kubestray.store.trees import Tree, all_of, array, call, text


@dataclass(frozen=True, slots=True)
class StrCat(Command):
    """The ``strcat`` command."""

    parts: tuple[Field | String, ...]
    name: str
    all_required: bool


def parse(cursor: Cursor, at: int) -> StrCat:
    """Read the option, what is joined, and the name of the result."""
    options: dict[str, str] = {}
    read_options(cursor, [], options, ["allrequired"])
    parts: list[Field | String] = []
    while cursor.at_field():
        start = cursor.skip()
        quoted = cursor.quoted('"')
        parts.append(Field(start, cursor.field("to join")) if quoted is None else String(start, quoted))
        cursor.take(",")
    if len(parts) < 2:
        raise cursor.error("strcat needs what to join, and a name for the result", at)
    last = parts.pop()
    name = last.name if isinstance(last, Field) else last.value
    return StrCat(at, tuple(parts), name, flag(options, "allrequired", False))


def plan(command: StrCat, relation: Relation, context: Context) -> Relation:
    """Join the texts."""
    values = [relation.value(p.name) or NULL for p in command.parts if isinstance(p, Field)]
    pieces = [_piece(part, relation) for part in command.parts]
    joined = Value(Shape.TEXT, call("toNullable", call("arrayStringConcat", array(pieces), text(""))))
    if command.all_required:
        everything = all_of([present(value) for value in values])
        joined = choose([(everything, joined)], relation.value(command.name) or NULL)
    return relation.extended([(command.name, context.column(joined.shape), joined.tree)])


def _piece(part: Field | String, relation: Relation) -> Tree:
    if isinstance(part, String):
        return text(part.value)
    return call("ifNull", as_text(relation.value(part.name) or NULL), text(""))
