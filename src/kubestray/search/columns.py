"""Columns as the engine has them: the type of each shape, and rows that are none."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.plan import Column
from kubestray.search.values import Shape
from kubestray.store.trees import Tree, call, named, null, number, select, text

TYPES = {
    Shape.NUMBER: "Nullable(Float64)",
    Shape.TEXT: "Nullable(String)",
    Shape.MULTI: "Array(String)",
    Shape.DYNAMIC: "Tuple(Nullable(Float64), Array(String))",
}


def nothing(columns: list[Column]) -> exp.Query:
    """Select no rows with these columns: what is asked for has never been seen."""
    empty = [named(call("CAST", _default(c), text(TYPES[c.shape])), c.name) for c in columns]
    return some(empty).where(exp.false())


def some(shown: list[Tree]) -> exp.Select:
    """Select these, or something where nothing is asked for: the rows count all the same."""
    return select(*(shown or [named(number(1), "none")]))


def _default(made: Column) -> Tree:
    return call("array") if made.shape is Shape.MULTI else null()
