"""A plan over the catalog in the place of points: which series there are, through the same commands.

Each `Measure` becomes `Catalogued`, which has the attributes and when they were seen. Columns that only
points have (measured values, ``_time``) are not known, nor what is computed from them. A plan that chooses
rows by such a column, or that keeps some rows of all, cannot say what was there before: it is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlglot import exp

from kubestray.model.errors import SearchError
from kubestray.search.plan import (
    Assignment,
    Catalogued,
    Column,
    Extend,
    Filter,
    Grouped,
    Joined,
    Limited,
    Measure,
    Node,
    Stacked,
    nodes,
)
from kubestray.search.relation import Context, Relation
from kubestray.search.values import Shape
from kubestray.store.trees import Tree, all_of, call, column

_HINT = "put it after this command"


@dataclass(slots=True)
class Sighting:
    """The column with the time at which a row of the catalog was first seen, in seconds.

    Series that were last seen before ``since`` (ns) are as good as none.
    """

    first: Column
    since: int
    unknown: dict[str, str] = field(default_factory=dict)
    """What is not known: the names of columns, and what they are, for people."""

    def read(self, trees: Iterable[Tree]) -> str | None:
        """Return what of the unknown some trees read, for people."""
        for tree in trees:
            for one in tree.find_all(exp.Column):
                if one.name in self.unknown:
                    return self.unknown[one.name]
        return None


def over_catalog(
    relation: Relation, names: Iterable[str], since: int, context: Context
) -> tuple[Relation, Sighting]:
    """Return the rows that a relation would have of all that the catalog knows, without the values.

    ``names`` are the fields that must be known; series last seen before ``since`` (ns) are left out. Raise
    `SearchError` where the catalog cannot tell.
    """
    seen = Sighting(context.column(Shape.NUMBER), since)
    if not any(isinstance(node, Measure) for node in nodes(relation.node)):
        raise SearchError("these rows do not come from metrics", hint="start the search with | mstats … BY …")
    node = _turned(relation.node, seen)
    for name in names:
        made = relation.fields.get(name)
        if made is not None and made.name in seen.unknown:
            message = f"{name} is made from {seen.unknown[made.name]}, which the catalog does not know"
            raise SearchError(message, hint="name attributes, or what is computed from attributes alone")
    return relation.with_node(node), seen


def _turned(node: Node, seen: Sighting) -> Node:
    match node:
        case Measure():
            return _catalogued(node, seen)
        case Extend():
            source = _turned(node.source, seen)
            if any(tree.find(exp.Window) for _, tree in node.assignments):
                _spoil(node.assignments, seen, "what is computed over all rows")
            for made, tree in node.assignments:
                if (what := seen.read([tree])) is not None:
                    seen.unknown[made.name] = what
            return dataclasses.replace(node, source=source)
        case Filter():
            source = _turned(node.source, seen)
            condition = _timeless(node.condition, seen)
            _refuse(seen.read([condition]), "a condition before it")
            return Filter(source, condition)
        case Grouped():
            return _grouped(node, seen)
        case Joined():
            return _joined(node, seen)
        case Stacked():
            return _stacked(node, seen)
        case Limited():
            raise SearchError("some of all rows are chosen before it (head, dedup, sort)", hint=_HINT)
    raise SearchError("a part of its rows does not come from mstats", hint=_HINT)


def _timeless(condition: Tree, seen: Sighting) -> Tree:
    """Return a condition without "there is a time": each point has one (``stats … BY _time`` asks for it)."""
    parts = list(condition.flatten()) if isinstance(condition, exp.And) else [condition]
    return all_of([part for part in parts if not _asks_for_time(part, seen)])


def _asks_for_time(part: Tree, seen: Sighting) -> bool:
    inner = part.this.unnest() if isinstance(part, exp.Not) else None
    if not isinstance(inner, exp.Anonymous) or inner.this != "isNull":
        return False
    return seen.read([inner]) == "_time"


def _refuse(what: str | None, who: str) -> None:
    if what is not None:
        message = f"{who} uses {what}, and the catalog knows attributes but no values"
        raise SearchError(message, hint=_HINT)


def _spoil(assignments: Iterable[Assignment], seen: Sighting, what: str) -> None:
    for made, tree in assignments:
        if tree.find(exp.Window):
            seen.unknown[made.name] = what


def _catalogued(node: Measure, seen: Sighting) -> Catalogued:
    for aggregate in node.aggregates:
        seen.unknown[aggregate.column.name] = f"{aggregate.function}({aggregate.metric or '_value'})"
    if node.bin is not None:
        seen.unknown[node.bin.name] = "_time"
    lacking = [*(aggregate.column for aggregate in node.aggregates), *([node.bin] if node.bin else [])]
    return Catalogued(node, seen.since, seen.first, tuple(lacking))


def _grouped(node: Grouped, seen: Sighting) -> Grouped:
    source = _turned(node.source, seen)
    groups = tuple(one for one in node.groups if seen.read([one[1]]) is None)
    for made, tree in node.groups:
        if (what := seen.read([tree])) is not None:
            seen.unknown[made.name] = what  # rows of several bins are one row of the catalog
    for made, _ in node.aggregates:
        seen.unknown[made.name] = "an aggregate of stats"
    return Grouped(source, groups, ((seen.first, call("min", column(seen.first.name))),))


def _joined(node: Joined, seen: Sighting) -> Joined:
    if any(isinstance(one, Measure) for one in nodes(node.right)):
        raise SearchError("other metrics are joined before it", hint=_HINT)
    left = _turned(node.left, seen)
    _refuse(seen.read([column(own.name) for own, _ in node.keys]), "a join before it")
    return dataclasses.replace(node, left=left)


def _stacked(node: Stacked, seen: Sighting) -> Stacked:
    parts = [(_turned(part, seen), (*trees, column(seen.first.name))) for part, trees in node.parts]
    for place, made in enumerate(node.columns):
        what = seen.read(trees[place] for _, trees in node.parts)
        if what is not None:
            seen.unknown[made.name] = what
    return Stacked(tuple(parts), (*node.columns, seen.first))
