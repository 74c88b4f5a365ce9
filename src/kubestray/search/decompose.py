"""Takes the last statistics of a search apart, so that states of them can be kept hour by hour.

A search of the form "means of 10 seconds by some keys, then statistics over all of them" cannot be answered
from summaries of points: a mean of means is made of bins, and what comes between (``eval``, ``where``,
another ``stats … by _time``) may be anything. But if each bin lies within an hour, and each row before the
statistics comes from one bin, then the rows of an hour depend on the points of that hour alone, and states of
the rows merge to what the statistics of all rows are.

What can be taken apart: ``mstats`` with a span that divides an hour, then what changes or chooses single rows
and groups of one bin, then ``stats`` of numbers: count, sum, avg, min, max, range, stdev, var and their kin,
and ``latest(_time)``. ``fillnull`` without a list asks whether a field has a value in any row: that question
is kept with the states, and answered when they are merged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from kubestray.search.chain import read
from kubestray.search.fold import folded, truth
from kubestray.search.measures import CalendarMeasure, function_of, split_states
from kubestray.search.never_null import filled_columns
from kubestray.search.plan import (
    Assignment,
    Column,
    Decomposed,
    Extend,
    Filter,
    Grouped,
    Measure,
    Node,
    state_column,
)
from kubestray.search.values import NULL_NUMBER, Shape
from kubestray.store.cells import remainder
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.trees import Tree, call, column, either, is_somewhere, null, number, over

_OWN = 3 * 10**9
"""Columns that are made here are numbered from here on, above those of any search."""


class _CannotError(Exception):
    """A step is not one that can be taken apart."""


def decomposed(node: Grouped) -> Decomposed | None:
    """Return the parts of statistics; None where they cannot be kept by the hour."""
    try:
        rows = _rows(node.source)
        groups = tuple((made, rows.own(tree)) for made, tree in node.groups)
        if any(made.shape not in (Shape.NUMBER, Shape.TEXT) for made, _ in groups):
            return None
        if not rows.of_time.isdisjoint(read(*(tree for _, tree in groups))):
            return None  # as many groups as there are bins: that is no shorter than points
        items = _Items(rows)
        results = tuple((made, items.taken(tree)) for made, tree in node.aggregates)
    except _CannotError:
        return None
    if not rows.times:
        return None
    return Decomposed(
        rows.node,
        rows.measure,
        min(rows.times),
        groups,
        tuple(items.trees.values()),
        tuple(items.guarded.items()),
        results,
    )


@dataclass(slots=True)
class _Rows:
    """A step on the way, without questions about all rows.

    ``times`` are columns that hold when the bin begins, ``of_time`` those and what is made of them,
    ``numbers`` those of numbers, ``guards`` those that have a value in no row unless another column has one
    in some row, ``unknown`` those that cannot be had.
    """

    node: Node
    measure: Measure
    times: set[str]
    of_time: set[str]
    numbers: set[str]
    guards: dict[str, Column] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    origins: dict[str, str] = field(default_factory=dict)
    """What is computed, and the first column that it is in."""
    copies: dict[str, str] = field(default_factory=dict)
    """Columns that hold what another one holds."""

    def own(self, tree: Tree) -> Tree:
        """Return a tree that a row alone decides about; raise `_CannotError` for any other."""
        if not _is_of_row(tree) or not self.unknown.union(self.guards).isdisjoint(read(tree)):
            raise _CannotError
        return tree


def _is_of_row(tree: Tree) -> bool:
    """Tell whether a row alone decides about a tree: neither other rows nor chance."""
    return not any(
        isinstance(one, exp.Window) or (isinstance(one, exp.Anonymous) and one.this == "rand")
        for one in tree.walk()
    )


def _rows(node: Node) -> _Rows:
    match node:
        case Measure():
            return _measured(node)
        case Extend():
            return _extended(node)
        case Filter():
            return _chosen(node)
        case Grouped():
            return _grouped(node)
    raise _CannotError


def _measured(node: Measure) -> _Rows:
    fixed = node.bin is not None and node.bin_ns > 0 and HOUR_NS % node.bin_ns == 0
    calendar = isinstance(node, CalendarMeasure) and node.calendar is not None
    states = [state for one in node.aggregates for state in function_of(one.function).states]
    if not fixed or calendar or not node.kinds or node.sources is not None or split_states(states)[1]:
        raise _CannotError
    assert node.bin
    numbers = {one.column.name for one in node.aggregates}
    times = {node.bin.name}
    return _Rows(node, node, times, set(times), numbers | times)


def _chosen(node: Filter) -> _Rows:
    rows = _rows(node.source)
    if truth(folded(node.condition, filled_columns(rows.node))) is True:
        return rows
    condition = rows.own(node.condition)
    # What had a value in some row may have one in none of these.
    rows.unknown |= set(rows.guards)
    rows.guards = {}
    rows.node = Filter(rows.node, condition)
    return rows


def _grouped(node: Grouped) -> _Rows:
    rows = _rows(node.source)
    for _, tree in (*node.groups, *node.aggregates):
        rows.own(tree)
    times = {made.name for made, tree in node.groups if _is_time(tree, rows.times)}
    if not times:
        raise _CannotError
    made = [one for one, _ in (*node.groups, *node.aggregates)]
    numbers = {one.name for one in made if one.shape is Shape.NUMBER}
    of_time = {one.name for one, tree in node.groups if not rows.of_time.isdisjoint(read(tree))}
    own = Grouped(rows.node, node.groups, node.aggregates)
    return _Rows(own, rows.measure, times, of_time, numbers)


def _is_time(tree: Tree, times: set[str]) -> bool:
    """Tell whether a tree is when the bin begins: the column, or with 0 added, as keys are."""
    if isinstance(tree, exp.Anonymous) and tree.this == "plus" and tree.expressions[1] == number(0):
        tree = tree.expressions[0]
    return isinstance(tree, exp.Column) and tree.name in times


def _extended(node: Extend) -> _Rows:
    rows = _rows(node.source)
    filled = filled_columns(rows.node)
    made: list[Assignment] = []
    guards: dict[str, Column] = {}
    for one, tree in node.assignments:
        own, asked = _without_question(tree, filled)
        reads = read(own)
        if not _is_of_row(own) or not rows.unknown.isdisjoint(reads):
            rows.unknown.add(one.name)
            continue
        if asked is not None:
            guard = Column(_OWN + one.number, Shape.NUMBER)
            made.append((guard, asked))
            rows.numbers.add(guard.name)
            guards[one.name] = guard
        elif isinstance(own, exp.Column) and own.name in rows.guards:
            guards[one.name] = rows.guards[own.name]
        elif not reads.isdisjoint(rows.guards):
            rows.unknown.add(one.name)
            continue
        origin = rows.origins.setdefault(own.sql(), one.name)
        made.append((one, own if origin == one.name else column(origin)))
        if isinstance(own, exp.Column):
            rows.copies[one.name] = rows.copies.get(own.name, own.name)
        elif origin != one.name:
            rows.copies[one.name] = origin
        if one.shape is Shape.NUMBER:
            rows.numbers.add(one.name)
        if _is_time(own, rows.times):
            rows.times.add(one.name)
        if not rows.of_time.isdisjoint(reads):
            rows.of_time.add(one.name)
    rows.guards |= guards
    rows.node = Extend(rows.node, tuple(made), node.kept)
    return rows


def _without_question(tree: Tree, filled: frozenset[str]) -> tuple[Tree, Tree | None]:
    """Return a tree as it is if what it asks of all rows holds in one of them, and the question.

    The question is 1 in each row in which it holds. It is None where there is none, or where it changes
    nothing. A tree that would have a value although no row has one keeps its question.
    """
    questions = [node for node in tree.find_all(exp.Window) if is_somewhere(node)]
    if not questions:
        return tree, None
    yes, no = (folded(_answered(tree, answer), filled) for answer in (1, 0))
    if yes == no:
        return yes, None
    condition = questions[0].this.expressions[0]
    value = exp.Not(this=exp.Paren(this=call("isNull", no)))
    if any(other != questions[0] for other in questions[1:]) or condition != value:
        return tree, None
    return yes, either(call("isNotNull", no), call("toNullable", number(1.0)), NULL_NUMBER.tree.copy())


def _answered(tree: Tree, answer: int) -> Tree:
    return tree.transform(lambda node: number(answer) if is_somewhere(node) else node)


class _Items:
    """The numbers of rows that statistics are made of, each once."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows
        self.trees: dict[str, Tree] = {}
        self.guarded: dict[int, int] = {}

    def taken(self, tree: Tree) -> Tree:
        """Return statistics of rows as what they are of the merged states of items."""

        def change(node: Tree) -> Tree:
            return self._state(node) if node.meta.get("aggregate") else node

        return tree.transform(change)

    def _state(self, node: Tree) -> Tree:
        if not isinstance(node, exp.Anonymous):
            raise _CannotError
        name, arguments = str(node.this), node.expressions
        if name == "count" and not arguments:
            return self._count(call("toNullable", number(1.0)))
        if name == "countIf":
            return self._count(self._counted(arguments[0]))
        if name not in _MADE or len(arguments) != 1:
            raise _CannotError
        if (whole := _left_of(arguments[0])) is not None:
            return _MADE[name](_Item(self, whole, "near"))
        return _MADE[name](_Item(self, arguments[0]))

    def _counted(self, condition: Tree) -> Tree:
        """Return a number that is there where a condition holds: the value itself if it asks for that."""
        asked = condition
        if isinstance(asked, exp.Not):
            inner = asked.this.unnest()
            if isinstance(inner, exp.Anonymous) and inner.this == "isNull":
                asked = call("isNotNull", inner.expressions[0])
        if isinstance(asked, exp.Anonymous) and asked.this == "isNotNull":
            value: Tree = asked.expressions[0]
            if self._is_number(value):
                return value
        return either(condition, call("toNullable", number(1.0)), NULL_NUMBER.tree.copy())

    def _count(self, tree: Tree) -> Tree:
        return call("ifNull", self.state(tree, "n"), number(0.0))

    def _is_number(self, tree: Tree) -> bool:
        if isinstance(tree, exp.Column):
            return tree.name in self._rows.numbers
        if isinstance(tree, exp.Anonymous) and tree.this in ("multiply", "plus", "minus", "divide"):
            return all(isinstance(one, exp.Literal) or self._is_number(one) for one in tree.expressions)
        return False

    def number(self, tree: Tree) -> Tree:
        """Return a tree that is a number of a row; raise `_CannotError` for any other."""
        if not self._is_number(tree):
            raise _CannotError
        return tree

    def state(self, tree: Tree, state: str) -> Tree:
        """Return the merged state of an item, as a number."""
        place = self._place(tree)
        return column(state_column(place, state))

    def _place(self, tree: Tree) -> int:
        if isinstance(tree, exp.Column):
            tree = column(self._rows.copies.get(tree.name, tree.name))
        guard = self._rows.guards.get(tree.name) if isinstance(tree, exp.Column) else None
        if guard is None:
            self._rows.own(tree)
        key = tree.sql()
        if key not in self.trees:
            self.trees[key] = tree
        place = list(self.trees).index(key)
        if guard is not None and place not in self.guarded:
            asked = column(guard.name)
            self.trees.setdefault(asked.sql(), asked)
            self.guarded[place] = list(self.trees).index(asked.sql())
        return place


def _left_of(tree: Tree) -> Tree | None:
    """Return the number of which a tree is what is left beyond the middle of its cell, if it is that."""
    if not isinstance(tree, exp.Anonymous) or tree.this != "minus":
        return None
    whole: Tree = tree.expressions[0]
    return whole if tree == remainder(whole) else None


@dataclass(frozen=True, slots=True)
class _Item:
    """A number of a row that is aggregated."""

    items: _Items
    tree: Tree
    spread: str = "spread"
    """The state that its variance is: of the number, or of what is left of it beyond its cell."""

    def state(self, name: str) -> Tree:
        return self.items.state(self.items.number(self.tree), name)


def _variance(item: _Item, *, sample: bool, root: bool) -> Tree:
    found = item.state(item.spread)
    if not sample:
        # The state is that of a sample, which divides by one less.
        shorter = call("divide", call("minus", item.state("n"), number(1)), item.state("n"))
        found = call("multiply", found, shorter)
    return call("sqrt", found) if root else found


_MADE: dict[str, Callable[[_Item], Tree]] = {
    "sumKahanOrNull": lambda item: item.state("total"),
    "minOrNull": lambda item: item.state("least"),
    "maxOrNull": lambda item: item.state("most"),
    "varSampStableOrNull": lambda item: _variance(item, sample=True, root=False),
    "varPopStableOrNull": lambda item: _variance(item, sample=False, root=False),
    "stddevSampStableOrNull": lambda item: _variance(item, sample=True, root=True),
    "stddevPopStableOrNull": lambda item: _variance(item, sample=False, root=True),
}
"""What the engine's aggregates are, made of the states that are kept."""


def answered(parts: Decomposed, value: Tree, item: int) -> Tree:
    """Return the merged state of an item: none if what it is guarded by has a value nowhere."""
    guard = dict(parts.guarded).get(item)
    if guard is None:
        return value
    some = over(call("max", call("ifNull", column(state_column(guard, "n")), number(0))))
    return either(call("greater", some, number(0)), value, null())
