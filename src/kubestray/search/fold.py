"""Folds what is known of a tree before any row is read: fields that do not exist are null everywhere.

A search that repeats a command for each field of a lookup asks for fields that its rows do not have. What
is made of a null is null; a choice by a constant is what it chooses.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from kubestray.search.never_null import COMPARISONS, Names, is_filled
from kubestray.search.values import NO_CONDITION, NULL, NULL_NUMBER
from kubestray.store.trees import Tree, call, either, number, text

_NULL_OF = {
    **dict.fromkeys(("toFloat64", "toFloat64OrNull"), NULL_NUMBER.tree),
    **dict.fromkeys(("plus", "minus", "multiply", "divide", "modulo"), NULL_NUMBER.tree),
    **dict.fromkeys(("abs", "sign", "floor", "ceil", "round", "sqrt", "exp", "log"), NULL_NUMBER.tree),
    **dict.fromkeys(("concat", "toString", "trimBoth", "lower", "upper"), NULL.tree),
    **dict.fromkeys(COMPARISONS, NO_CONDITION),
}
"""What these functions return if one of their arguments is null."""


def folded(tree: Tree, filled: Names = frozenset()) -> Tree:
    """Return a tree with the same value in every row; ``filled`` are columns that are null in none."""
    return _folded(tree.copy(), filled)


def truth(tree: Tree) -> bool | None:
    """Return what a folded condition says of every row; None if it depends on the row."""
    return _truth(tree)


def _folded(tree: Tree, filled: Names) -> Tree:
    if isinstance(tree, exp.Window):
        return tree
    for child in list(tree.iter_expressions()):
        own = _folded(child, filled)
        if own is not child:
            child.replace(own)
    if isinstance(tree, exp.Anonymous):
        if tree.this in ("isNull", "isNotNull") and is_filled(tree.expressions[0], filled):
            return number(int(tree.this == "isNotNull"))
        rule = _RULES.get(str(tree.this))
        found = rule(tree) if rule else None
        if found is not None:
            return found
        if str(tree.this) in _NULL_OF and any(map(is_null, tree.expressions)):
            return _NULL_OF[str(tree.this)].copy()
        return tree
    if isinstance(tree, exp.Paren):
        return tree.this if _truth(tree.this) is not None else tree
    if isinstance(tree, exp.Not):
        return _not_of(tree.this) or tree
    if isinstance(tree, exp.And | exp.Or):
        return _junction(tree)
    return tree


def is_null(tree: Tree) -> bool:
    """Tell whether a tree is null in every row; a typed null is ``CAST(NULL, …)``."""
    if isinstance(tree, exp.Anonymous) and tree.this == "CAST":
        return isinstance(tree.expressions[0], exp.Null)
    return isinstance(tree, exp.Null)


def _truth(tree: Tree) -> bool | None:
    """Return what a constant condition says; None if it is no constant. Null is not true."""
    if isinstance(tree, exp.Boolean):
        return bool(tree.this)
    if isinstance(tree, exp.Literal) and not tree.is_string:
        return float(tree.this) != 0
    return False if is_null(tree) else None


def _if(tree: exp.Anonymous) -> Tree | None:
    condition, then, otherwise = tree.expressions
    truth = _truth(condition)
    if truth is not None:
        chosen: Tree = then if truth else otherwise
        return chosen
    if is_joined(then) and then.expressions[0] == otherwise:
        # A text that is added to where something holds is written once: a chain of these stays small.
        added = then.expressions[1:]
        more = added[0] if len(added) == 1 else call("concat", *added)
        return call("concat", otherwise, either(condition, more, text("")))
    return None


def is_joined(tree: Tree) -> bool:
    """Tell whether a tree joins texts."""
    return isinstance(tree, exp.Anonymous) and tree.this == "concat"


def _is_nothing(tree: exp.Anonymous) -> Tree | None:
    return number(1) if is_null(tree.expressions[0]) else None


def _is_something(tree: exp.Anonymous) -> Tree | None:
    return number(0) if is_null(tree.expressions[0]) else None


def _if_null(tree: exp.Anonymous) -> Tree | None:
    first, second = tree.expressions
    return second if is_null(first) else None


def _itself(tree: exp.Anonymous) -> Tree | None:
    first: Tree = tree.expressions[0]
    return first if is_null(first) else None


_RULES: dict[str, Callable[[exp.Anonymous], Tree | None]] = {
    "if": _if,
    "isNull": _is_nothing,
    "isNotNull": _is_something,
    "ifNull": _if_null,
    **dict.fromkeys(("toNullable", "nullIf", "ifNotFinite"), _itself),
    "not": lambda tree: _not_of(tree.expressions[0]),
}


def _not_of(operand: Tree) -> Tree | None:
    if is_null(operand):
        return NO_CONDITION.copy()
    truth = _truth(operand)
    return None if truth is None else number(int(not truth))


def _junction(tree: exp.And | exp.Or) -> Tree:
    """A side that decides is the whole; one that does not goes, unless it is null: that may be the answer."""
    for side, other in ((tree.left, tree.right), (tree.right, tree.left)):
        truth = _truth(side)
        if truth is None:
            continue
        if truth == isinstance(tree, exp.Or) and not is_null(side):
            return number(int(truth))
        if not is_null(side) and _is_condition(other):
            return other
    return tree


def _is_condition(tree: Tree) -> bool:
    """Tell whether a tree is 1, 0 or null: a number on its own would lose what the operator makes of it."""
    names = ("isNull", "isNotNull", "not", "empty", "notEmpty", "match", "arrayExists", *COMPARISONS)
    if isinstance(tree, exp.Paren):
        return _is_condition(tree.this)
    if isinstance(tree, exp.Literal):
        return not tree.is_string and tree.this in ("0", "1")
    return isinstance(tree, exp.And | exp.Or | exp.Not) or (
        isinstance(tree, exp.Anonymous) and tree.this in names
    )
