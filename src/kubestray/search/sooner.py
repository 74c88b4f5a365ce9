"""Leaves out rows that a later filter will drop, before what the filter reads is made of them.

The published searches say of each row what stands out in it, a text in which every part is a choice,
and keep the rows whose text is not empty: a few in a thousand. If none of the conditions of these choices
holds, the text is the same in every row, and so is what the filter says of it.
"""

from __future__ import annotations

import dataclasses

from sqlglot import exp

from kubestray.search.chain import is_of_row_alone, read, replaced
from kubestray.search.plan import Extend, Filter, Node
from kubestray.store.trees import Tree, any_of

_MOST_NODES = 3000
"""Size of a condition, written in what it is made of, beyond which nothing is tried."""

_MOST_CHOICES = 32


def narrowed(source: Node, condition: Tree) -> Node:
    """Return a source without rows that the condition drops, where that can be told early; else the source.

    ``condition`` reads columns of ``source``. A row is left out only if the condition does not hold for it.
    """
    if not isinstance(source, Extend):
        return source
    if not all(map(is_of_row_alone, [condition, *(tree for _, tree in source.assignments)])):
        return source
    own = replaced(condition, {made.name: tree for made, tree in source.assignments})
    if sum(1 for _ in own.walk()) > _MOST_NODES:
        return source
    if early := _early(own):
        return dataclasses.replace(source, source=Filter(source.source, early))
    return dataclasses.replace(source, source=narrowed(source.source, own))


def _early(condition: Tree) -> Tree | None:
    """Return what holds wherever the condition does, if choices alone decide it; None if they do not.

    Where every choice falls to what is otherwise, the condition is the same for all rows. The engine finds
    out what that is while it reads the statement.
    """
    choices: list[Tree] = []
    rest = _fallen(condition.copy(), choices)
    decided = 0 < len(choices) <= _MOST_CHOICES and not read(rest)
    return any_of([*dict.fromkeys(choices), rest]) if decided else None


def _fallen(tree: Tree, choices: list[Tree]) -> Tree:
    """Return a tree in which choices are what is otherwise, and add their conditions to ``choices``.

    A condition that is itself made of choices alone is decided by these. What is said of each value of an
    array stays as it is: outside of it there is no such value.
    """
    if isinstance(tree, exp.Lambda):
        return tree
    if isinstance(tree, exp.Anonymous) and tree.this == "if":
        inner: list[Tree] = []
        decided = not read(_fallen(tree.expressions[0].copy(), inner))
        if not decided:
            choices.append(tree.expressions[0].copy())
            return _fallen(tree.expressions[2], choices)
    for child in list(tree.iter_expressions()):
        if (own := _fallen(child, choices)) is not child:
            child.replace(own.copy())
    return tree
