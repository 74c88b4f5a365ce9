"""What every aggregate function is made of.

Every aggregate of the engine is made with `engine` or `trees.aggregate`, so that `search.windows` can take
it over a window of rows instead of a group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.relation import Switches
from kubestray.search.values import Shape, Value, as_list, as_number, parse_number, present
from kubestray.store.trees import (
    Tree,
    aggregate,
    all_of,
    call,
    column,
    either,
    is_null,
    lambda_,
    null,
    number,
)

SINGLE = (Shape.NUMBER, Shape.TEXT, Shape.BOOLEAN)
"""Shapes that hold one value a row."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What an aggregate may ask of the rows besides the value: their place in order, and their time.

    ``seconds`` is how long the span is that the rows are of (``timechart``). ``windowed`` tells that each
    row gets an aggregate of its own.
    """

    switches: Switches
    rank: Tree | None = None
    time: Tree | None = None
    seconds: Tree | None = None
    windowed: bool = False


Build = Callable[[Value, Rows], Value]


@dataclass(frozen=True, slots=True)
class Statistic:
    """An aggregate function: the value it makes of a group, and a line for the manual.

    ``ordered`` ones need `Rows.rank`. ``numeric`` ones pass over what is no number, and ``counting``
    ones are 0 where there is nothing to aggregate.
    """

    build: Build
    manual: str
    ordered: bool = False
    numeric: bool = True
    counting: bool = False

    def of(self, value: Value, rows: Rows, *, all_numeric: bool = False, complete: bool = False) -> Value:
        """Return the value; with ``all_numeric`` it is null if a value of the group is no number.

        With ``complete`` as well it is so too if a row of the group has no value.
        """
        made = self.build(value, rows)
        if not (all_numeric and self.numeric):
            return made
        only = call("equals", _others(value), number(0))
        if complete:
            lacking = aggregate("countIf", call("not", present(value)))
            only = all_of([only, call("equals", lacking, number(0))])
        return Value(Shape.NUMBER, either(only, as_number(made), null()))


def engine(name: str, arguments: list[Tree], parameters: list[Tree] | None = None) -> Tree:
    """Call an aggregate function of the engine, with parameters: ``name(parameters)(arguments)``."""
    if not parameters:
        return aggregate(name, *arguments)
    node = exp.ParameterizedAgg(this=name, expressions=parameters, params=arguments)
    node.meta["aggregate"] = True
    return node


def counted(tree: Tree) -> Value:
    """Return a count of the engine as a number."""
    return Value(Shape.NUMBER, call("toNullable", call("toFloat64", tree)))


def count_rows() -> Value:
    """Return ``count`` without a field: how many rows."""
    return counted(aggregate("count"))


def numbers(value: Value) -> Tree:
    """Return all values that are numbers, as ``Array(Float64)``."""
    if value.shape in (Shape.NUMBER, Shape.BOOLEAN):
        single = call("array", as_number(value))
    else:
        single = call("arrayMap", lambda_("x", parse_number(column("x"))), as_list(value))
    known = call("arrayFilter", lambda_("x", call("isNotNull", column("x"))), single)
    return call("arrayMap", lambda_("x", call("assumeNotNull", column("x"))), known)


def over_numbers(name: str, value: Value, *parameters: Tree) -> Tree:
    """Return an aggregate of the engine over all values that are numbers; null without any."""
    if value.shape in SINGLE:
        return engine(f"{name}OrNull", [as_number(value)], list(parameters))
    return engine(f"{name}OrNullArray", [numbers(value)], list(parameters))


def how_many_numbers(value: Value) -> Tree:
    """Return how many values are numbers."""
    if value.shape in SINGLE:
        return aggregate("countIf", call("isNotNull", as_number(value)))
    return aggregate("sum", call("length", numbers(value)))


def from_text(shown: Tree, shape: Shape) -> Value:
    """Return a text as what it was among values of a shape: a number where it reads back as that text."""
    own = parse_number(shown)
    if shape is Shape.NUMBER:
        return Value(Shape.NUMBER, own)
    if shape is not Shape.DYNAMIC:
        return Value(Shape.TEXT, shown)
    same = call("ifNull", call("equals", call("toString", own.copy()), shown), number(0))
    texts = either(
        call("or", same, is_null(shown)),
        call("CAST", call("array"), exp.Literal.string("Array(String)")),
        call("array", call("assumeNotNull", shown)),
    )
    return Value(Shape.DYNAMIC, call("tuple", either(same, own.copy(), null()), texts))


def _others(value: Value) -> Tree:
    """Return how many values are no numbers."""
    if value.shape in SINGLE:
        is_other = all_of([present(value), is_null(as_number(value))])
        return aggregate("countIf", is_other)
    return aggregate("sum", call("minus", call("length", as_list(value)), call("length", numbers(value))))
