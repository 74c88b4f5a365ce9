"""Shortens a chain of computed columns: those that nothing reads go, and the others need few steps.

An engine takes a statement step by step, and each step with all its columns; a search that repeats a command
for each field has dozens of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from kubestray.search.fold import folded, is_joined, is_null
from kubestray.search.never_null import Names, is_filled
from kubestray.search.plan import Assignment, Column
from kubestray.search.values import Shape
from kubestray.store.trees import Tree, array, call, column, is_somewhere, number, over, walked

Chain = list[Assignment]
"""Columns in the order in which they are computed; each may read those before it."""

_SMALL = 4
"""Nodes of a constant up to which it is written again instead of being a column."""

_SEVERAL = 3
"""Questions about all rows from which on they are asked as one: each is a pass over the rows."""

_DEEP = 24
"""How deep a tree may be that is written within another one."""

_OWN = 10**9
"""Columns that are made here are numbered from here on, above those of any search."""


def shortened(
    steps: Sequence[Sequence[Assignment]], wanted: Names, filled: Names = frozenset()
) -> list[Chain]:
    """Return steps that make the wanted columns; no column reads one that is made in the same step.

    ``filled`` are columns of the rows before that are null in none of them.
    """
    made = [one for step in _needed(steps, wanted) for one in _asked_at_once(step)]
    made = _folded(made, wanted, filled)
    for rule in _RULES:
        made = rule(made, wanted)
    return _levels(_read_in_place(_folded(made, wanted, filled), wanted))


def read(*trees: Tree) -> Names:
    """Return the names of the columns that trees read; no parameter of a lambda is called as a column is."""
    names: set[str] = set()
    parameters: set[str] = set()
    for node in walked(*trees):
        if isinstance(node, exp.Column):
            names.add(node.name)
        elif isinstance(node, exp.Lambda):
            parameters.update(parameter.name for parameter in node.expressions)
    return frozenset(names - parameters)


def _needed(steps: Sequence[Sequence[Assignment]], wanted: Names) -> list[Chain]:
    """Return the assignments of each step that something reads."""
    kept: list[Chain] = []
    needed = set(wanted)
    for step in reversed(steps):
        kept.append([one for one in step if one[0].name in needed])
        needed |= read(*(tree for _, tree in kept[-1]))
    return kept[::-1]


def _read_later(made: Chain, wanted: Names) -> Chain:
    """Return the columns that one of the later ones reads, or that are wanted."""
    return [one for step in _needed([[one] for one in made], wanted) for one in step]


def _asked_at_once(step: Chain) -> Chain:
    """Ask once what holds in some row of the whole result, where a step asks for each of its columns."""
    if not step:
        return step
    if not any(map(is_somewhere, walked(*(tree for _, tree in step)))):
        return step
    asked: list[Tree] = []
    answers = Column(_OWN + step[0][0].number, Shape.MULTI)

    def change(node: Tree) -> Tree:
        if not is_somewhere(node):
            return node
        asked.append(node.this.expressions[0])
        return call("arrayElement", column(answers.name), number(len(asked)))

    changed = [(made, tree.transform(change)) for made, tree in step]
    if len(asked) < _SEVERAL:
        return step
    return [(answers, over(call("maxForEach", array(tree.copy() for tree in asked)))), *changed]


def _folded(made: Chain, wanted: Names, filled: Names) -> Chain:
    """Fold what is constant; read the origin of what is only a copy, and small constants as such."""
    known: dict[str, Tree] = {}
    kept: Chain = []
    for one, tree in made:
        own = folded(replaced(tree, known), filled)
        filled = filled | {one.name} if is_filled(own, filled) else filled - {one.name}
        if isinstance(own, exp.Column) or _is_small(own):
            known[one.name] = own
        kept.append((one, own))
    return _read_later(kept, wanted)


def _guarded_once(made: Chain, wanted: Names) -> Chain:
    """Put a part that is computed only where a condition holds into a text that needs it only there."""
    uses = _uses(made)
    guarded: dict[str, tuple[Tree, Tree]] = {}
    kept: Chain = []
    for one, tree in made:
        own = tree
        if _is_choice(tree):
            condition, then, otherwise = tree.expressions
            if is_joined(then):
                pieces = [
                    guarded[_name(piece)][1] if guarded.get(_name(piece), ("",))[0] == condition else piece
                    for piece in then.expressions
                ]
                own = call("if", condition, _joined(pieces), otherwise)
            if is_null(otherwise) and uses[one.name] == 1 and one.name not in wanted:
                guarded[one.name] = (condition, own.expressions[1])
        kept.append((one, tree if own is tree else folded(own)))
    return _read_later(kept, wanted)


def _is_choice(tree: Tree) -> bool:
    return _is_call(tree, "if")


def _joined(pieces: Iterable[Tree]) -> Tree:
    flat = [part for piece in pieces for part in (piece.expressions if is_joined(piece) else [piece])]
    return call("concat", *flat)


def _uses(made: Chain) -> Counter[str]:
    nodes = walked(*(tree for _, tree in made))
    return Counter(found.name for found in nodes if isinstance(found, exp.Column))


def _joined_at_once(made: Chain, wanted: Names) -> Chain:
    """Put texts that are only joined to others into these: a text that grows step by step is one step."""
    uses = _uses(made)
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


def _named_once(made: Chain, wanted: Names) -> Chain:
    """Compute what is wanted under another name alone under that name."""
    uses = _uses(made)
    kept: dict[str, Assignment] = {}
    for one, tree in made:
        origin = _name(tree)
        own = tree
        if origin in kept and uses[origin] == 1 and origin not in wanted:
            own = kept.pop(origin)[1]
        kept[one.name] = (one, own)
    return list(kept.values())


def _read_in_place(made: Chain, wanted: Names) -> Chain:
    """Write what a single other column reads, in one place, there: it needs no step of its own."""
    uses = _uses(made)
    kept: dict[str, Assignment] = {}
    for one, tree in made:
        theirs = {
            found.name: kept[found.name][1]
            for found in walked(tree)
            if isinstance(found, exp.Column)
            and found.name in kept
            and uses[found.name] == 1
            and found.name not in wanted
            and not found.find_ancestor(exp.Lambda, exp.Window)
            and is_of_row_alone(kept[found.name][1])
            and _depth(kept[found.name][1]) <= _DEEP
        }
        for name in theirs:
            del kept[name]
        kept[one.name] = (one, replaced(tree, theirs))
    return list(kept.values())


def is_of_row_alone(tree: Tree) -> bool:
    """Tell whether a tree says the same of a row, once, whatever other rows there are, and however often."""
    return not any(
        isinstance(node, exp.Window) or _is_call(node, "rand") or _is_call(node, "arrayJoin")
        for node in walked(tree)
    )


def _is_call(node: Tree, function: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.this == function


def _depth(tree: Tree) -> int:
    return 1 + max((_depth(child) for child in tree.iter_expressions()), default=0)


def _name(tree: Tree) -> str:
    return tree.name if isinstance(tree, exp.Column) else ""


def _is_small(tree: Tree) -> bool:
    nodes = walked(tree)
    return len(nodes) <= _SMALL and not any(isinstance(node, exp.Column | exp.Window) for node in nodes)


def replaced(tree: Tree, known: Mapping[str, Tree]) -> Tree:
    """Return a tree that reads what is known of columns instead of them."""
    if not known or known.keys().isdisjoint(read(tree)):
        return tree

    def change(node: Tree) -> Tree:
        return known[node.name].copy() if isinstance(node, exp.Column) and node.name in known else node

    return tree.transform(change)


def multiplies(tree: Tree) -> bool:
    """Tell whether a tree makes several rows of one."""
    return any(_is_call(node, "arrayJoin") for node in walked(tree))


def _levels(made: Iterable[Assignment]) -> list[Chain]:
    """Return assignments in steps: none reads what is made in the same one."""
    levels: list[Chain] = []
    level_of: dict[str, int] = {}
    for one, tree in made:
        level = max((level_of[name] + 1 for name in read(tree) if name in level_of), default=0)
        level_of[one.name] = level
        if level == len(levels):
            levels.append([])
        levels[level].append((one, tree))
    return levels


_RULES = (_guarded_once, _joined_at_once, _named_once)
"""What is done to a chain, in this order; each rule leaves the values of the wanted columns as they are."""
