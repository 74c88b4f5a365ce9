"""``join [type=inner|left] [max=N] [overwrite=true|false] FIELD … [ SUBSEARCH ]`` joins rows by fields.

Each row gets the fields of the first row of the subsearch that has the same values in the named
fields (of the first N with ``max=N``, of all with ``max=0``). With ``type=left`` rows without a match
stay. Fields of the subsearch overwrite those of the same name unless ``overwrite=false``. Values
compare with their case; rows without a value never match.

Example::

    | join type=left key [ mstats avg(tcp.bytes) AS usual WHERE index=* earliest=-30d BY key ]
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.plan import Column, Filter, Joined, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Pipeline
from kubestray.search.values import NULL, Shape, Value, as_text, choose, present
from kubestray.store.trees import Tree, all_of, call, column


@dataclass(frozen=True, slots=True)
class Join(Command):
    """The ``join`` command."""

    keys: tuple[str, ...]
    outer: bool
    most: int
    overwrite: bool
    subsearch: Pipeline


def parse(cursor: Cursor, at: int) -> Join:
    """Read the options, the fields and the subsearch."""
    options = {"type": "inner", "max": "1", "overwrite": "true"}
    while found := cursor.match(r"(type|max|overwrite)\s*=\s*([\w]+)"):
        options[found[1].lower()] = found[2].lower()
    if options["type"] not in ("inner", "left", "outer"):
        raise cursor.error(f"join type {options['type']!r} is unknown", hint="inner, left or outer")
    if not options["max"].isdigit():
        raise cursor.error("join needs a number after max=")
    keys = field_list(cursor, "to join by") if cursor.at_field() else ()
    if not keys:
        raise cursor.error("join needs the fields to join by", hint="write join FIELD [ … ]")
    inner = cursor.subsearch("to start the subsearch of join")
    overwrite = options["overwrite"] in ("true", "t", "1")
    return Join(at, keys, options["type"] != "inner", int(options["max"]), overwrite, inner)


def plan(command: Join, relation: Relation | None, context: Context) -> Relation:
    """Join the rows."""
    if relation is None:
        raise context.error(command.at, "join has no rows to work on", "start the search with | mstats")
    left, left_keys = _keyed(relation, command.keys, context)
    right, right_keys = _keyed(context.subsearch(command.subsearch), command.keys, context)
    known = all_of([present(key.value()) for key in right_keys])
    right = right.with_node(Filter(right.node, known))
    if command.most:
        right = right.with_node(Limited(right.node, right.order, command.most, tuple(right_keys)))
    matched = context.column(Shape.NUMBER)
    carried = tuple(dict.fromkeys([*right.fields.values(), *(order.column for order in right.order)]))
    node = Joined(
        left.node, right.node, tuple(zip(left_keys, right_keys, strict=True)), command.outer, matched, carried
    )
    joined = dataclasses.replace(relation, node=node, order=(*relation.order, *right.order))
    return _merged(joined, right, command, matched, context)


def _keyed(relation: Relation, names: tuple[str, ...], context: Context) -> tuple[Relation, list[Column]]:
    """Return the rows with the fields to join by as texts: numbers and texts that look alike match."""
    keys = [context.column(Shape.TEXT) for _ in names]
    made = [(key, as_text(relation.value(name) or NULL)) for name, key in zip(names, keys, strict=True)]
    return relation.computed(made), keys


def _merged(joined: Relation, right: Relation, command: Join, matched: Column, context: Context) -> Relation:
    """Return the fields of both sides; a field of the subsearch overwrites where its row has a value."""
    made: list[tuple[str, Column, Tree]] = []
    fields = dict(joined.fields)
    for name, theirs in right.fields.items():
        ours = joined.fields.get(name)
        if ours is None:
            fields[name] = theirs
        elif command.overwrite:
            value = _overwritten(theirs.value(), ours.value(), matched)
            made.append((name, context.column(value.shape), value.tree))
    return dataclasses.replace(joined, fields=fields).extended(made)


def _overwritten(theirs: Value, ours: Value, matched: Column) -> Value:
    has = all_of([call("isNotNull", column(matched.name)), present(theirs)])
    return choose([(has, theirs)], ours)
