"""Tells what is null in no row, from a plan alone: so a search that fills nulls in needs not look for any."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from kubestray.search.plan import (
    Accelerated,
    Extend,
    Filter,
    Grouped,
    Joined,
    Limited,
    Measure,
    Node,
    Stacked,
)
from kubestray.store.trees import Tree

Names = frozenset[str]

_OF_ARGUMENTS = (
    *("concat", "toString", "toNullable", "assumeNotNull", "replaceRegexpAll", "splitByString"),
    *("trimBoth", "lower", "upper", "array", "tuple"),
)
"""Functions that are null only where an argument is."""

COMPARISONS = ("equals", "notEquals", "less", "lessOrEquals", "greater", "greaterOrEquals")

_OF_EACH = (*COMPARISONS, "plus", "minus", "multiply", "divide", "abs", "toNullable")
"""Functions that are null wherever an argument is."""


def filled_columns(node: Node) -> Names:
    """Return the names of the columns of a step that are null in no row."""
    match node:
        case Measure():
            keys = [attribute.column for attribute in node.by]  # who lacks one is in no row
            bins = [node.bin] if node.bin and node.bin_ns else []
            return frozenset(one.name for one in (*keys, *bins))
        case Extend():
            before = filled_columns(node.source)
            made = frozenset(one.name for one, tree in node.assignments if is_filled(tree, before))
            kept = before if node.kept is None else before & node.kept
            return (kept - {one.name for one, _ in node.assignments}) | made
        case Filter():
            return filled_columns(node.source) | frozenset(_asked_for(node.condition))
        case Limited():
            return filled_columns(node.source)
        case Grouped():
            before = filled_columns(node.source)
            return frozenset(one.name for one, tree in node.groups if is_filled(tree, before))
        case Accelerated():
            return filled_columns(node.whole)
        case Joined():
            return filled_columns(node.left)
        case Stacked():
            return _of_all_parts(node)
    return frozenset()


def is_filled(tree: Tree, filled: Names) -> bool:
    """Tell whether a tree is null in no row, given columns of which that is known."""
    if isinstance(tree, exp.Column):
        return tree.name in filled
    if isinstance(tree, exp.Literal | exp.Boolean):
        return True
    if isinstance(tree, exp.Paren):
        return is_filled(tree.this, filled)
    if not isinstance(tree, exp.Anonymous):
        return False
    if tree.this in _OF_ARGUMENTS:
        return all(is_filled(argument, filled) for argument in tree.expressions)
    if tree.this == "ifNull":
        return is_filled(tree.expressions[1], filled)
    if tree.this == "if":
        condition, then, otherwise = tree.expressions
        return is_filled(otherwise, filled) and is_filled(then, filled | frozenset(_asked_for(condition)))
    return False


def _asked_for(condition: Tree) -> Iterator[str]:
    """Yield the columns that are not null where a condition holds, as it asks for that."""
    if isinstance(condition, exp.Paren):
        yield from _asked_for(condition.this)
    elif isinstance(condition, exp.And):
        yield from _asked_for(condition.left)
        yield from _asked_for(condition.right)
    elif isinstance(condition, exp.Not):
        yield from _null_tested(condition.this)
    elif isinstance(condition, exp.Anonymous) and condition.this == "and":
        for one in condition.expressions:
            yield from _asked_for(one)
    elif isinstance(condition, exp.Anonymous) and condition.this == "not":
        yield from _null_tested(condition.expressions[0])
    elif isinstance(condition, exp.Anonymous) and condition.this == "isNotNull":
        yield from _column(condition.expressions[0])
    elif isinstance(condition, exp.Anonymous) and condition.this in COMPARISONS:
        yield from _read_by(condition)


def _read_by(tree: Tree) -> Iterator[str]:
    """Yield columns that are not null where a tree is not."""
    if isinstance(tree, exp.Anonymous) and tree.this in _OF_EACH:
        for one in tree.expressions:
            yield from _read_by(one)
    else:
        yield from _column(tree)


def _null_tested(tree: Tree) -> Iterator[str]:
    if isinstance(tree, exp.Paren):
        yield from _null_tested(tree.this)
    elif isinstance(tree, exp.Anonymous) and tree.this == "isNull":
        yield from _column(tree.expressions[0])


def _column(tree: Tree) -> Iterator[str]:
    if isinstance(tree, exp.Column):
        yield tree.name


def _of_all_parts(node: Stacked) -> Names:
    known = [(filled_columns(part), trees) for part, trees in node.parts]
    return frozenset(
        one.name
        for place, one in enumerate(node.columns)
        if all(is_filled(trees[place], filled) for filled, trees in known)
    )
