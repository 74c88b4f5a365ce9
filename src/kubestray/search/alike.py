"""Writes once what a text says of several fields in the same words.

A search that repeats a command for each of many fields joins a text of parts that differ in the fields and
in their names alone. The engine plans every one of them, and half of what a search over summaries takes is
planning. Written as one function of arrays of these fields it is planned once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import groupby

from sqlglot import exp

from kubestray.search.fold import is_joined
from kubestray.search.never_null import Names, filled_columns, is_filled
from kubestray.search.plan import (
    Accelerated,
    Attribute,
    Column,
    Extend,
    MetricAggregate,
    Node,
    changed,
    nodes,
)
from kubestray.search.values import Shape
from kubestray.store.trees import Tree, array, call, column, lambda_, number

_SEVERAL = 3
"""Parts that are alike from which on they are written once."""

_AT_ONCE = 32
"""Parts that are one function: for each row the engine holds arrays of as many fields."""

_SMALL = 8
"""Nodes of a part up to which it is planned as soon as what stands for it."""

_PLACE = "place"
"""What a function calls the number of its part, from 1."""

_ANY_TEXT = ("concat", "if", "ifNull")
"""Functions that take a text which differs from row to row; others may want to know it beforehand."""

_PLAIN = (exp.Null, exp.Boolean, exp.Paren, exp.Not, exp.And, exp.Or, exp.Neg)

Shapes = Mapping[str, Shape]


def written_once(plan: Node) -> Node:
    """Return a plan with the same rows, in which texts say once what they say of several fields."""
    shapes = {one.name: one.shape for node in nodes(plan) for one in _columns_of(node)}

    def change(node: Node) -> Node:
        if not isinstance(node, Extend):
            return node
        filled = filled_columns(node.source)
        made = tuple((one, _changed(tree, shapes, filled)) for one, tree in node.assignments)
        return dataclasses.replace(node, assignments=made)

    return changed(plan, change)


def _columns_of(node: Node) -> Iterator[Column]:
    if isinstance(node, Accelerated):
        node = node.whole
    for field in dataclasses.fields(node):
        yield from _columns(getattr(node, field.name))


def _columns(value: object) -> Iterator[Column]:
    if isinstance(value, Column):
        yield value
    elif isinstance(value, MetricAggregate | Attribute):
        yield value.column
    elif isinstance(value, tuple):
        for one in value:
            yield from _columns(one)


def _changed(tree: Tree, shapes: Shapes, filled: Names) -> Tree:
    """Return a tree in which texts that are joined of parts that are alike are joined of arrays."""
    if isinstance(tree, exp.Lambda | exp.Window | exp.Column | exp.Literal):
        return tree
    if is_joined(tree):
        return _joined(tree, shapes, filled)
    changes = [(child, _changed(child, shapes, filled)) for child in tree.iter_expressions()]
    if all(own is child for child, own in changes):
        return tree
    made = tree.copy()
    for child, (before, own) in zip(list(made.iter_expressions()), changes, strict=True):
        if own is not before:
            child.replace(own)
    return made


def _joined(tree: Tree, shapes: Shapes, filled: Names) -> Tree:
    pieces: list[Tree] = []
    for _, run in groupby(tree.expressions, lambda piece: _form(piece, shapes, filled)):
        for alike in _in_parts(list(run)):
            at_once = _at_once(alike) if len(alike) >= _SEVERAL else None
            pieces += [at_once] if at_once is not None else alike
    if len(pieces) == len(tree.expressions):
        return tree
    return pieces[0] if len(pieces) == 1 else call("concat", *(piece.copy() for piece in pieces))


def _in_parts(run: list[Tree]) -> list[list[Tree]]:
    return [run[start : start + _AT_ONCE] for start in range(0, len(run), _AT_ONCE)]


def _form(piece: Tree, shapes: Shapes, filled: Names) -> Hashable:
    """Return what parts that are alike have in common; of a part that is to stay as it is, itself.

    Among values of an array a null is left out, where a text that is joined with it would be null.
    """
    is_call = isinstance(piece, exp.Anonymous)
    form = tuple(_told(piece, shapes)) if is_call and is_filled(piece, filled) else ()
    return form if len(form) > _SMALL and None not in form else id(piece)


def _told(tree: Tree, shapes: Shapes) -> Iterator[Hashable]:
    """Yield what each node is but for the fields and texts in it; None where it is anything else."""
    if isinstance(tree, exp.Column):
        # Of other shapes there is no array, or it is not known what they are.
        shape = shapes.get(tree.name)
        yield shape if shape in (Shape.NUMBER, Shape.TEXT) else None
    elif isinstance(tree, exp.Literal):
        yield None if tree.meta.get("moment") else ("text" if tree.is_string else f"number {tree.this}")
    elif isinstance(tree, exp.Anonymous) and tree.this != "rand":
        yield tree.this, len(tree.expressions)
        for one in tree.expressions:
            yield from _told(one, shapes)
    elif isinstance(tree, _PLAIN):
        yield type(tree), tree.args.get("this") if isinstance(tree, exp.Boolean) else None
        for one in tree.iter_expressions():
            yield from _told(one, shapes)
    else:
        yield None


def _at_once(parts: Sequence[Tree]) -> Tree | None:
    """Return the text that parts which are alike make together; None if they differ where they must not."""
    body = parts[0].copy()
    arrays: dict[tuple[Tree, ...], str] = {}
    for slot, *others in zip(_slots(body), *map(_slots, parts), strict=True):
        if all(other == others[0] for other in others):
            continue
        if isinstance(slot, exp.Column):
            name = arrays.setdefault(tuple(others), f"field_{len(arrays)}")
            slot.replace(column(name))
        elif _takes_any_text(slot):
            slot.replace(call("arrayElement", array(one.copy() for one in others), column(_PLACE)))
        else:
            return None
    places = array(number(place) for place in range(1, len(parts) + 1))
    fields = [array(one.copy() for one in of_parts) for of_parts in arrays]
    function = lambda_(" ".join((_PLACE, *arrays.values())), body)
    return call("toNullable", call("arrayStringConcat", call("arrayMap", function, places, *fields)))


def _slots(tree: Tree) -> list[Tree]:
    """Return the fields and texts in a tree, in the order in which they stand."""
    if isinstance(tree, exp.Column) or (isinstance(tree, exp.Literal) and tree.is_string):
        return [tree]
    return [slot for child in tree.iter_expressions() for slot in _slots(child)]


def _takes_any_text(literal: Tree) -> bool:
    above = literal.parent
    return isinstance(above, exp.Anonymous) and above.this in _ANY_TEXT
