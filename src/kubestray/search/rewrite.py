"""Rewrites a plan before it becomes a statement: nothing is computed in vain, and no step stands alone.

Columns that nothing reads are dropped where they would come into being, down to the metrics that are
aggregated, what extends rows several times in a row does so in few steps (`search.chain`), and rows that a
filter will drop are left out early (`search.sooner`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sqlglot import exp

from kubestray.search.chain import multiplies, read, replaced, shortened
from kubestray.search.fold import folded, truth
from kubestray.search.never_null import Names, filled_columns
from kubestray.search.plan import (
    Assignment,
    Events,
    Extend,
    Filter,
    Grouped,
    Joined,
    Limited,
    LookupRows,
    Measure,
    Node,
    Stacked,
)
from kubestray.search.sooner import narrowed
from kubestray.store.trees import all_of


def rewritten(node: Node, wanted: Names) -> Node:
    """Return a plan with the same rows that has the wanted columns, and hardly any others."""
    match node:
        case Extend():
            return _extended(node, wanted)
        case Filter():
            return _filtered(node, wanted)
        case Limited():
            used = frozenset(c.name for c in (*(order.column for order in node.order), *node.per))
            return dataclasses.replace(node, source=rewritten(node.source, wanted | used))
        case Grouped():
            made = tuple(one for one in node.aggregates if one[0].name in wanted)
            if not node.groups and not made:
                made = node.aggregates[:1]  # without any it would not be one row
            used = read(*(tree for _, tree in (*node.groups, *made)))
            source = rewritten(node.source, used)
            return _of_origins(dataclasses.replace(node, source=source, aggregates=made))
        case Joined():
            return _joined(node, wanted)
        case Stacked():
            return _stacked(node, wanted)
        case Measure():
            kept = tuple(one for one in node.aggregates if one.column.name in wanted)
            return dataclasses.replace(node, aggregates=kept or node.aggregates[:1])
        case LookupRows() | Events():
            return dataclasses.replace(
                node, columns=tuple(one for one in node.columns if one[0].name in wanted)
            )
        case _:
            return node


def _filtered(node: Filter, wanted: Names) -> Node:
    """Filter once by all conditions that follow each other."""
    conditions = [node.condition]
    source = node.source
    while isinstance(source, Filter):
        conditions.append(source.condition)
        source = source.source
    filled = filled_columns(source)
    asked = [own for one in conditions[::-1] if truth(own := folded(one, filled)) is not True]
    source = rewritten(source, wanted | read(*asked))
    condition = all_of(asked)
    return Filter(narrowed(source, condition), condition) if asked else source


def _of_origins(node: Grouped) -> Grouped:
    """Group by the origins of columns that are only copies."""
    source = node.source
    if not isinstance(source, Extend):
        return node
    copies = {made.name: tree for made, tree in source.assignments if isinstance(tree, exp.Column)}
    others = tuple(one for one in source.assignments if one[0].name not in copies)
    kept = (source.kept or frozenset()) | read(*copies.values())
    below = Extend(source.source, others, kept) if others else source.source
    groups, aggregates = (
        tuple((made, replaced(tree, copies)) for made, tree in part)
        for part in (node.groups, node.aggregates)
    )
    return Grouped(below, groups, aggregates)


def _joined(node: Joined, wanted: Names) -> Joined:
    carried = tuple(one for one in node.carried if one.name in wanted)
    theirs = {one.name for one in (*node.carried, node.matched)}
    left = (wanted - theirs) | {key.name for key, _ in node.keys}
    right = frozenset(one.name for one in (*carried, *(key for _, key in node.keys)))
    return dataclasses.replace(
        node, left=rewritten(node.left, left), right=rewritten(node.right, right), carried=carried
    )


def _stacked(node: Stacked, wanted: Names) -> Stacked:
    places = [place for place, one in enumerate(node.columns) if one.name in wanted]
    parts = []
    for part, trees in node.parts:
        kept = tuple(trees[place] for place in places)
        parts.append((rewritten(part, read(*kept)), kept))
    return dataclasses.replace(
        node, parts=tuple(parts), columns=tuple(node.columns[place] for place in places)
    )


def _extended(node: Extend, wanted: Names) -> Node:
    """Return the steps for a chain of extensions, each as early as what it reads allows."""
    base, steps = _chain(node)
    if not steps:  # it makes several rows of one: it stays apart
        kept = wanted - _made(node.assignments)
        used = kept | read(*(tree for _, tree in node.assignments))
        return dataclasses.replace(node, source=rewritten(node.source, used), kept=kept)
    levels = shortened(steps, wanted, filled_columns(base))
    known = _made(one for level in levels for one in level)
    # What each step hands on: what is wanted at the end, and what later steps read.
    handed = [wanted]
    for level in reversed(levels):
        handed.append((handed[-1] - _made(level)) | read(*(tree for _, tree in level)))
    result = rewritten(base, handed[-1] - known)
    for level, after in zip(levels, reversed(handed[:-1]), strict=True):
        result = Extend(result, tuple(level), kept=after - _made(level))
    return result


def _made(assignments: Iterable[Assignment]) -> Names:
    return frozenset(one.name for one, _ in assignments)


def _chain(node: Node) -> tuple[Node, list[tuple[Assignment, ...]]]:
    """Return the extensions that follow each other up to this one, in order, and what they extend."""
    chain: list[tuple[Assignment, ...]] = []
    while isinstance(node, Extend) and not any(multiplies(tree) for _, tree in node.assignments):
        chain.append(node.assignments)
        node = node.source
    return node, chain[::-1]
