"""``sort [N] [+|-]FIELD …`` orders the rows and keeps the first N, or all if N is left out or 0.

Splunk keeps 10,000 rows if N is left out, as here with the switch ``subsearch_limits=on``.

``-`` is descending; the word ``desc`` at the end turns the order of all fields around. Numbers order by
value, and so do texts that start with a number and go on with letters (``10 MB``); addresses order as
addresses, other texts by their characters and after all these. ``num(FIELD)``, ``str(FIELD)`` and
``ip(FIELD)`` choose one of them. Rows without the field come last in either direction. Equal rows keep the
order they had.

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
from kubestray.search.truncation import MOST_SORTED, cut
from kubestray.search.values import Shape, Value, as_number, as_text
from kubestray.store.trees import Tree, call, either, is_null, null, number, text


@dataclass(frozen=True, slots=True)
class Key(Node):
    """One field to order by."""

    field: str
    descending: bool
    by: str = "auto"


@dataclass(frozen=True, slots=True)
class Sort(Command):
    """The ``sort`` command; a count of 0 keeps all rows, of None as many as Splunk would if asked to."""

    keys: tuple[Key, ...]
    count: int | None


def parse(cursor: Cursor, at: int) -> Sort:
    """Read the number of rows and the keys."""
    limit = cursor.match(r"(?:limit\s*=\s*)?(\d+)(?=[\s,+-]|$)")
    if limit:
        cursor.take(",")
    keys = [_key(cursor)]
    while cursor.take(",") or cursor.looking_at("-") or cursor.looking_at("+") or _at_key(cursor):
        keys.append(_key(cursor))
    if (word := cursor.keyword("d", "desc", "a", "asc")) and word.startswith("d"):
        keys = [dataclasses.replace(key, descending=not key.descending) for key in keys]
    return Sort(at, tuple(keys), int(limit[1]) if limit else None)


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
    if command.count is None:
        return cut(relation, context, MOST_SORTED, "a sort that names no number of rows")
    if not command.count:
        return relation
    return relation.with_node(Limited(relation.node, relation.order, command.count))


def _ranks(value: Value, by: str) -> list[tuple[Shape, Tree]]:
    """Return what to order by, the first to differ decides; descending turns each of them around.

    Whatever way round, a missing value has to come last, and null does so in each rank. Texts come after
    numbers when ascending and before them when descending: so of a text the first rank is 1.
    """
    shown = as_text(value)
    if by == "str":
        return [(Shape.TEXT, shown)]
    if by == "num" or value.shape is Shape.NUMBER:
        return [(Shape.NUMBER, as_number(value))]
    if by == "ip":
        return [(Shape.TEXT, _address(shown)), (Shape.TEXT, shown.copy())]
    own = call("coalesce", as_number(value), _leading(shown))
    kind = either(
        is_null(shown.copy()),
        null(),
        either(is_null(own), either(is_null(_address(shown.copy())), number(2.0), number(1.0)), number(0.0)),
    )
    return [
        (Shape.NUMBER, kind),
        (Shape.NUMBER, own.copy()),
        (Shape.TEXT, _address(shown.copy())),
        (Shape.TEXT, shown.copy()),
    ]


def _leading(shown: Tree) -> Tree:
    """Return the number of a text such as ``10 MB``: one that letters follow, unlike that of ``10.1.a``."""
    found = call("extract", shown, text(r"^\s*([+-]?\d+(?:\.\d+)?)\s*[^\d\s.:]"))
    return call("toFloat64OrNull", found)


def _address(shown: Tree) -> Tree:
    """Return an IP address as a text that orders like it; null of anything else."""
    return call("toString", call("hex", call("toIPv6OrNull", shown)))
