"""Aggregates over other sets of rows than a group: windows of neighbours, and parts of a group.

`trees.windowed` has windows of a number of rows of a group. Here are those for which the engine has no
such frame: by the place of rows among the rows of all groups, and of chosen rows, which are gathered in an
array first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from kubestray.store.trees import Tree, aggregate, call, column, lambda_, number, ordered, text


def changed(tree: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """Return the tree with each aggregate in it changed."""
    return tree.transform(lambda node: change(node) if node.meta.get("aggregate") else node)


def nearby(tree: Tree, *, partition: Sequence[Tree], place: Tree, before: int, current: bool = True) -> Tree:
    """Return the tree with its aggregates over the rows whose place is lower by at most ``before``.

    ``place`` is a whole number. Without ``current`` rows at the same place are left out.
    """

    def change(node: Tree) -> Tree:
        spec = exp.WindowSpec(
            kind="RANGE",
            start=number(before),
            start_side="PRECEDING",
            end="CURRENT ROW" if current else number(1),
            end_side=None if current else "PRECEDING",
        )
        return exp.Window(
            this=node.copy(),
            partition_by=[tree.copy() for tree in partition],
            order=exp.Order(expressions=[ordered(place.copy())]),
            spec=spec,
            over="OVER",
        )

    return changed(tree, change)


def chosen(
    tree: Tree,
    *,
    marks: Sequence[Tree],
    condition: Tree,
    gathered: Callable[[Tree], Tree] = lambda gathering: gathering,
    last: int = 0,
) -> Tree:
    """Return the tree with its aggregates over those rows that meet a condition.

    The condition is written over ``p``, a tuple of the ``marks`` of a row. ``gathered`` takes the aggregate
    that gathers the rows in an array, and may take it over a window. With ``last`` only so many of these
    rows are taken, those whose second mark is the highest.
    """

    def change(node: Tree) -> Tree:
        name, arguments = _signature(node)
        held = call("tuple", *(mark.copy() for mark in marks), *(arguments or [number(1)]))
        rows = gathered(aggregate("groupArray", held))
        taken = call("arrayFilter", lambda_("p", condition.copy()), rows)
        if last:
            taken = call("arraySlice", call("arraySort", lambda_("p", mark(2)), taken), number(-last))
        return _of_array(name, len(arguments), taken, len(marks))

    return changed(tree, change)


def _signature(node: Tree) -> tuple[str, list[Tree]]:
    """Return an aggregate's name as the engine's array functions take it, and its arguments."""
    if isinstance(node, exp.ParameterizedAgg):
        parameters = ", ".join(parameter.name for parameter in node.expressions)
        return f"{node.this}({parameters})", [argument.copy() for argument in node.args["params"]]
    return str(node.this), [argument.copy() for argument in node.expressions]


def _of_array(name: str, arguments: int, rows: Tree, skipped: int) -> Tree:
    if not arguments:
        return call("length", rows)  # count()
    parts = [
        call("arrayMap", lambda_("p", mark(skipped + index + 1)), rows.copy()) for index in range(arguments)
    ]
    return call("arrayReduce", text(name), *parts)


def mark(index: int) -> Tree:
    """Return a mark of a gathered row, counted from 1."""
    return call("tupleElement", column("p"), number(index))
