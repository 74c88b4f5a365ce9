"""Joining rows to the first matching rows of another relation: ``join`` and ``lookup``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from kubestray.search.plan import Column, Filter, Joined, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.values import NULL, Shape, Value, as_text, choose, present
from kubestray.store.trees import Tree, all_of, call, column

Key = tuple[str, Value | None]
"""A field of ours, and the value on the other side that it must equal."""


def join_first(
    ours: Relation,
    theirs: Relation,
    keys: Sequence[Key],
    context: Context,
    *,
    outer: bool,
    overwrite: bool,
    most: int = 1,
    clear: bool = False,
) -> Relation:
    """Return our rows with the fields of their first ``most`` matching rows (all with 0).

    Keys compare as texts, so that numbers and texts that look alike match; a null key matches nothing.
    With ``overwrite`` a field of theirs replaces ours where it has a value, else it fills in only nulls.
    With ``clear`` too, a row without a match loses the fields that a match would have overwritten.
    """
    left, left_keys = _with_keys(ours, [ours.value(name) for name, _ in keys], context)
    right, right_keys = _with_keys(theirs, [value for _, value in keys], context)
    right = right.with_node(Filter(right.node, all_of([present(key.value()) for key in right_keys])))
    if most:
        right = right.with_node(Limited(right.node, right.order, most, tuple(right_keys)))
    matched = context.column(Shape.NUMBER)
    carried = tuple(dict.fromkeys([*right.fields.values(), *(order.column for order in right.order)]))
    pairs = tuple(zip(left_keys, right_keys, strict=True))
    node = Joined(left.node, right.node, pairs, outer, matched, carried)
    joined = dataclasses.replace(ours, node=node, order=(*ours.order, *right.order))
    return _merged(joined, right, matched, context, overwrite=overwrite, clear=clear)


def _with_keys(
    relation: Relation, values: Sequence[Value | None], context: Context
) -> tuple[Relation, list[Column]]:
    keys = [context.column(Shape.TEXT) for _ in values]
    made = [(key, as_text(value or NULL)) for value, key in zip(values, keys, strict=True)]
    return relation.computed(made), keys


def _merged(
    joined: Relation, right: Relation, matched: Column, context: Context, *, overwrite: bool, clear: bool
) -> Relation:
    made: list[tuple[str, Column, Tree]] = []
    fields = dict(joined.fields)
    is_matched = call("isNotNull", column(matched.name))
    for name, column_ in right.fields.items():
        theirs, ours = column_.value(), joined.value(name)
        if ours is None:
            fields[name] = column_
            continue
        if overwrite and clear:
            value = choose([(all_of([is_matched, present(theirs)]), theirs), (is_matched, ours)], NULL)
        elif overwrite:
            value = choose([(all_of([is_matched, present(theirs)]), theirs)], ours)
        else:
            value = choose([(present(ours), ours)], theirs)
        made.append((name, context.column(value.shape), value.tree))
    return dataclasses.replace(joined, fields=fields).extended(made)
