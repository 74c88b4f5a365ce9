"""Joining rows to the first matching rows of another relation: ``join`` and ``lookup``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from kubestray.search.plan import Column, Filter, Joined, Limited, Node
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.values import NULL, Shape, Value, as_number, as_text, choose, present
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


_PLACE = "place\x00"  # no field of a search is called so


def timed_matches(
    ours: Relation,
    theirs: Relation,
    keys: Sequence[Key],
    time: Value | None,
    context: Context,
    *,
    outer: bool,
    overwrite: bool,
    most: int,
    earlier: bool,
) -> Relation:
    """Return what `join_first` does, where only rows match that are no later (or no earlier) than ours.

    ``time`` is that of the other side. The pairs of matching rows are found first, and joined to ours after.
    """
    own_time = ours.value("_time") or NULL
    ours, place = ours.ranked(context)
    names = [name for name, _ in keys]
    bare = ours.with_fields({name: made for name, made in ours.fields.items() if name in names})
    moment, their_moment = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    bare = bare.computed([(moment, as_number(own_time))])
    theirs = theirs.computed([(their_moment, as_number(time or NULL))])
    marked = {f">{name}": made for name, made in theirs.fields.items()}
    other = theirs.with_fields({**marked, _PLACE: their_moment})
    pairs = join_first(bare, other, keys, context, outer=False, overwrite=True, most=0)
    before = call("lessOrEquals" if earlier else "greaterOrEquals", _second(their_moment), _second(moment))
    node: Node = Filter(pairs.node, before)
    if most:
        node = Limited(node, pairs.order, most, (place,))
    fields = {name: pairs.fields[f">{name}"] for name in theirs.fields}
    matches = stacked([Relation(node, {**fields, _PLACE: place}, pairs.order)], context)
    shown = matches.with_fields({name: made for name, made in matches.fields.items() if name != _PLACE})
    joined = join_first(
        ours.with_fields({**ours.fields, _PLACE: place}),
        shown,
        [(_PLACE, matches.value(_PLACE))],
        context,
        outer=outer,
        overwrite=overwrite,
        most=0,
    )
    return joined.with_fields({name: made for name, made in joined.fields.items() if name != _PLACE})


def _second(moment: Column) -> Tree:
    return call("floor", column(moment.name))


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
