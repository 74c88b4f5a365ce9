"""``sort [N] [+|-]FIELD …`` orders the rows and keeps the first N, or all if N is left out.

``-`` is descending. Numbers order by value, texts by their characters; rows without the field come
last.

Example::

    | sort 10 - count, host
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Sort(Command):
    """The ``sort`` command."""

    keys: tuple[Key, ...]
    count: int


def parse(cursor: Cursor, at: int) -> Sort:
    """Read the number of rows and the keys."""
    limit = cursor.match(r"(?:limit\s*=\s*)?(\d+)(?=[\s,+-]|$)")
    keys = [_key(cursor)]
    while cursor.take(",") or cursor.looking_at("-") or cursor.looking_at("+") or cursor.at_field():
        keys.append(_key(cursor))
    return Sort(at, tuple(keys), int(limit[1]) if limit else 0)


def _key(cursor: Cursor) -> Key:
    at = cursor.skip()
    descending = cursor.take("-")
    cursor.take("+")
    found = cursor.match(r"(?:auto|num|str|ip)\s*\(\s*")
    name = cursor.field("to sort by")
    if found:
        cursor.expect(")", "after the field")
    return Key(at, name, descending)


def plan(command: Sort, relation: Relation | None, context: Context) -> Relation:
    """Order the rows; the order they had decides between equals."""
    if relation is None:
        raise context.error(command.at, "sort has no rows to work on", "start the search with | mstats")
    order: list[Order] = []
    for key in command.keys:
        value = relation.value(key.field)
        if value is None:
            continue
        for shape, tree in _ranks(value):
            made = context.column(shape)
            relation = relation.computed([(made, tree)])
            order.append(Order(made, key.descending))
    relation = Relation(relation.node, relation.fields, (*order, *relation.order))
    if not command.count:
        return relation
    return relation.with_node(Limited(relation.node, relation.order, command.count))


def _ranks(value: Value) -> list[tuple[Shape, Tree]]:
    """Return what to order by: the number first, and the text where it is none."""
    if value.shape is Shape.NUMBER:
        return [(Shape.NUMBER, value.tree)]
    return [
        (Shape.NUMBER, as_number(value)),
        (Shape.TEXT, either(looks_numeric(value), null(), as_text(value))),
    ]
