"""``sort [N] [+|-]FIELD …`` orders the rows and keeps the first N, or all if N is left out.

``-`` is descending, and so is the word ``desc`` at the end for all fields. Numbers order by value, texts by
their characters (``str(FIELD)`` and ``num(FIELD)`` choose); rows without the field come last.

Example::

    | sort 10 - count, host
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Limited, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Node
from kubestray.search.values import Shape, Value, as_number, as_text, looks_numeric
from kubestray.store.trees import Tree, either, null


@dataclass(frozen=True, slots=True)
class Key(Node):
    """One field to order by."""

    field: str
    descending: bool
    by: str = "auto"


@dataclass(frozen=True, slots=True)
class Sort(Command):
    """The ``sort`` command."""

    keys: tuple[Key, ...]
    count: int


def parse(cursor: Cursor, at: int) -> Sort:
    """Read the number of rows and the keys."""
    limit = cursor.match(r"(?:limit\s*=\s*)?(\d+)(?=[\s,+-]|$)")
    keys = [_key(cursor)]
    while cursor.take(",") or cursor.looking_at("-") or cursor.looking_at("+") or _at_key(cursor):
        keys.append(_key(cursor))
    if (word := cursor.keyword("d", "desc", "a", "asc")) and word.startswith("d"):
        keys = [dataclasses.replace(key, descending=not key.descending) for key in keys]
    return Sort(at, tuple(keys), int(limit[1]) if limit else 0)


def _at_key(cursor: Cursor) -> bool:
    return cursor.at_field() and cursor.peek_word() not in ("d", "desc", "a", "asc")


def _key(cursor: Cursor) -> Key:
    at = cursor.skip()
    descending = cursor.take("-")
    cursor.take("+")
    found = cursor.match(r"(auto|num|str|ip)\s*\(\s*")
    name = cursor.field("to sort by")
    if found:
        cursor.expect(")", "after the field")
    if found and found[1].lower() == "ip":
        raise cursor.error("sorting by ip() is known in SPL but not supported here", at)
    return Key(at, name, descending, found[1].lower() if found else "auto")


def plan(command: Sort, relation: Relation, context: Context) -> Relation:
    """Order the rows; the order they had decides between equals."""
    order: list[Order] = []
    for key in command.keys:
        value = relation.value(key.field)
        if value is None:
            continue
        for shape, tree in _ranks(value, key.by):
            made = context.column(shape)
            relation = relation.computed([(made, tree)])
            order.append(Order(made, key.descending))
    relation = Relation(relation.node, relation.fields, (*order, *relation.order))
    if not command.count:
        return relation
    return relation.with_node(Limited(relation.node, relation.order, command.count))


def _ranks(value: Value, by: str) -> list[tuple[Shape, Tree]]:
    """Return what to order by: the number first, and the text where it is none."""
    if by == "str":
        return [(Shape.TEXT, as_text(value))]
    if value.shape is Shape.NUMBER or by == "num":
        return [(Shape.NUMBER, as_number(value))]
    return [
        (Shape.NUMBER, as_number(value)),
        (Shape.TEXT, either(looks_numeric(value), null(), as_text(value))),
    ]
