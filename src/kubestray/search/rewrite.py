"""Rewrites a plan before it becomes a statement: nothing is computed in vain, and no step stands alone.

An engine reads a statement step by step, and each step with all its columns; a search that repeats a
command for each field has dozens of both. So columns that nothing reads are dropped where they would
come into being, and what extends rows several times in a row does so in as few steps as depend on each other.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlglot import exp

from kubestray.search.fold import folded, is_joined
from kubestray.search.plan import (
    Assignment,
    Column,
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
from kubestray.search.values import Shape
from kubestray.store.trees import Tree, array, call, column, number, over

Names = frozenset[str]

_SMALL = 4
"""Nodes of a constant up to which it is written again instead of being a column."""

_SEVERAL = 3
"""Questions about all rows from which on they are asked as one: each is a pass over the rows."""

_OWN = 10**9
"""Columns that are made here are numbered from here on, above those of any search."""


def rewritten(node: Node, wanted: Names) -> Node:
    """Return a plan with the same rows that has the wanted columns, and hardly any others."""
    match node:
        case Extend():
            return _extended(node, wanted)
        case Filter():
            return dataclasses.replace(node, source=rewritten(node.source, wanted | _read(node.condition)))
        case Limited():
            used = frozenset(c.name for c in (*(order.column for order in node.order), *node.per))
            return dataclasses.replace(node, source=rewritten(node.source, wanted | used))
        case Grouped():
            made = tuple(one for one in node.aggregates if one[0].name in wanted)
            if not node.groups and not made:
                made = node.aggregates[:1]  # without any it would not be one row
            used = _read(*(tree for _, tree in (*node.groups, *made)))
            return dataclasses.replace(node, source=rewritten(node.source, used), aggregates=made)
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


def _read(*trees: Tree) -> Names:
    """Return the names of the columns that trees read; no parameter of a lambda is called as a column is."""
    read: set[str] = set()
    parameters: set[str] = set()
    for tree in trees:
        for node in tree.walk():
            if isinstance(node, exp.Column):
                read.add(node.name)
            elif isinstance(node, exp.Lambda):
                parameters.update(parameter.name for parameter in node.expressions)
    return frozenset(read - parameters)


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
        parts.append((rewritten(part, _read(*kept)), kept))
    return dataclasses.replace(
        node, parts=tuple(parts), columns=tuple(node.columns[place] for place in places)
    )


def _extended(node: Extend, wanted: Names) -> Node:
    """Return the steps for a chain of extensions, each as early as what it reads allows."""
    base, steps = _chain(node)
    if not steps:  # it makes several rows of one: it stays apart
        kept = wanted - _made(node.assignments)
        used = kept | _read(*(tree for _, tree in node.assignments))
        return dataclasses.replace(node, source=rewritten(node.source, used), kept=kept)
    made = [one for step in _needed(steps, wanted) for one in _asked_at_once(step)]
    levels = _levels(_joined_at_once(list(_simplified(made, wanted)), wanted))
    known = _made(one for level in levels for one in level)
    # What each step hands on: what is wanted at the end, and what later steps read.
    handed = [wanted]
    for level in reversed(levels):
        handed.append((handed[-1] - _made(level)) | _read(*(tree for _, tree in level)))
    result = rewritten(base, handed[-1] - known)
    for level, after in zip(levels, reversed(handed[:-1]), strict=True):
        result = Extend(result, tuple(level), kept=after - _made(level))
    return result


def _made(assignments: Iterable[Assignment]) -> Names:
    return frozenset(one.name for one, _ in assignments)


def _chain(node: Node) -> tuple[Node, list[tuple[Assignment, ...]]]:
    """Return the extensions that follow each other up to this one, in order, and what they extend."""
    chain: list[tuple[Assignment, ...]] = []
    while isinstance(node, Extend) and not any(_multiplies(tree) for _, tree in node.assignments):
        chain.append(node.assignments)
        node = node.source
    return node, chain[::-1]


def _multiplies(tree: Tree) -> bool:
    """Tell whether a tree makes several rows of one."""
    return any(found.this == "arrayJoin" for found in tree.find_all(exp.Anonymous))


def _needed(steps: Sequence[Sequence[Assignment]], wanted: Names) -> list[list[Assignment]]:
    """Return the assignments of each step that something reads."""
    kept: list[list[Assignment]] = []
    needed = set(wanted)
    for step in reversed(steps):
        kept.append([one for one in step if one[0].name in needed])
        needed |= _read(*(tree for _, tree in kept[-1]))
    return kept[::-1]


def _asked_at_once(step: list[Assignment]) -> list[Assignment]:
    """Ask once what holds in some row of the whole result, where a step asks for each of its columns."""
    asked: list[Tree] = []
    for _, tree in step:
        asked += [window.this.expressions[0] for window in tree.find_all(exp.Window) if _is_of_all(window)]
    if len(asked) < _SEVERAL:
        return step
    answers = Column(_OWN + step[0][0].number, Shape.MULTI)
    places = itertools.count(1)

    def change(node: Tree) -> Tree:
        if not isinstance(node, exp.Window) or not _is_of_all(node):
            return node
        return call("arrayElement", column(answers.name), number(next(places)))

    whole = over(call("maxForEach", array(tree.copy() for tree in asked)))
    return [(answers, whole), *((made, tree.transform(change)) for made, tree in step)]


def _is_of_all(window: exp.Window) -> bool:
    """Tell whether a window asks whether something holds in some row."""
    own = {name for name, value in window.args.items() if value}
    return window.this.this == "max" and own <= {"this", "over"}


def _simplified(made: list[Assignment], wanted: Names) -> Iterator[Assignment]:
    """Yield assignments that read the origin of what is only a copy, and small constants as such."""
    known: dict[str, Tree] = {}
    for one, tree in made:
        own = folded(_replaced(tree, known))
        if isinstance(own, exp.Column) or _is_small(own):
            known[one.name] = own
            if one.name not in wanted:
                continue
        yield one, own


def _joined_at_once(made: list[Assignment], wanted: Names) -> list[Assignment]:
    """Put texts that are only joined to others into these: a text that grows step by step is one step."""
    uses = Counter(found.name for _, tree in made for found in tree.find_all(exp.Column))
    kept: dict[str, Assignment] = {}
    for one, tree in made:
        pieces: list[Tree] = []
        for piece in tree.expressions if is_joined(tree) else ():
            before = kept.get(_name(piece))
            if before and is_joined(before[1]) and uses[before[0].name] == 1 and before[0].name not in wanted:
                pieces += kept.pop(before[0].name)[1].expressions
            else:
                pieces.append(piece)
        kept[one.name] = (one, call("concat", *pieces) if pieces else tree)
    return list(kept.values())


def _name(tree: Tree) -> str:
    return tree.name if isinstance(tree, exp.Column) else ""


def _is_small(tree: Tree) -> bool:
    nodes = list(tree.walk())
    return len(nodes) <= _SMALL and not any(isinstance(node, exp.Column | exp.Window) for node in nodes)


def _replaced(tree: Tree, known: Mapping[str, Tree]) -> Tree:
    if not known or known.keys().isdisjoint(_read(tree)):
        return tree

    def change(node: Tree) -> Tree:
        return known[node.name].copy() if isinstance(node, exp.Column) and node.name in known else node

    return tree.transform(change)


def _levels(made: Iterable[Assignment]) -> list[list[Assignment]]:
    """Return assignments in steps: none reads what is made in the same one."""
    levels: list[list[Assignment]] = []
    level_of: dict[str, int] = {}
    for one, tree in made:
        level = max((level_of[name] + 1 for name in _read(tree) if name in level_of), default=0)
        level_of[one.name] = level
        if level == len(levels):
            levels.append([])
        levels[level].append((one, tree))
    return levels
