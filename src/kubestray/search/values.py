"""How field values are represented in the engine, and how they turn into one another.

========  =============================================  ===========================================
shape     engine type                                    holds
========  =============================================  ===========================================
NUMBER    ``Nullable(Float64)``                          a number or null
TEXT      ``Nullable(String)``                           a text or null
MULTI     ``Array(String)``                              a multivalue field; no values is null
DYNAMIC   ``Tuple(Nullable(Float64), Array(String))``    any of the three, row by row: the number if
                                                         there is one, else the texts
BOOLEAN   ``Nullable(UInt8)``                            a condition; never a field
========  =============================================  ===========================================

A field is DYNAMIC unless its values are proven to be of one of the first three shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from sqlglot import exp

from kubestray.store.trees import Tree, array, call, either, is_null, lambda_, null, number, text


class Shape(Enum):
    """What a field can hold."""

    NUMBER = "number"
    TEXT = "text"
    MULTI = "multivalue"
    DYNAMIC = "any"
    BOOLEAN = "condition"


@dataclass(frozen=True, slots=True)
class Value:
    """A typed tree. ``static`` is set for a literal, ``field`` for a field or what passes one through.

    ``literal`` is the text of a text literal, ``number`` the value of a number literal.
    """

    shape: Shape
    tree: Tree
    static: bool = False
    field: bool = False
    literal: str | None = None
    number: float | None = None


NULL = Value(Shape.TEXT, call("CAST", null(), text("Nullable(String)")))
NO_CONDITION = call("CAST", null(), text("Nullable(UInt8)"))
NULL_NUMBER = Value(Shape.NUMBER, call("CAST", null(), text("Nullable(Float64)")))


def constant(value: float) -> Tree:
    """Return a number, the same in every row."""
    return call("toNullable", number(float(value)))


def _part(value: Value, index: int) -> Tree:
    return call("tupleElement", value.tree, exp.Literal.number(index))


def nothing(shape: Shape) -> Tree:
    """Return null in a shape."""
    match shape:
        case Shape.NUMBER:
            return NULL_NUMBER.tree
        case Shape.TEXT:
            return NULL.tree
        case Shape.MULTI:
            return _none()
        case Shape.DYNAMIC:
            return _pair(NULL_NUMBER.tree, _none())
        case Shape.BOOLEAN:
            return NO_CONDITION


def _none() -> Tree:
    return call("CAST", array([]), text("Array(String)"))


def as_number(value: Value) -> Tree:
    """Return the value as ``Nullable(Float64)``; null where it does not look like a number."""
    match value.shape:
        case Shape.NUMBER:
            return value.tree
        case Shape.TEXT:
            return parse_number(value.tree)
        case Shape.MULTI:
            return parse_number(as_text(value))
        case Shape.DYNAMIC:
            return call("coalesce", _part(value, 1), parse_number(_joined(_part(value, 2))))
        case Shape.BOOLEAN:
            return call("toFloat64", value.tree)


def number_of(value: Value) -> Tree:
    """Return the number that a DYNAMIC value is; null where it is a text or several values."""
    return _part(value, 1)


def as_whole(value: Value) -> Tree:
    """Return the number without its fraction as ``Nullable(Int64)``; null where there is none of that size.

    A text such as ``inf`` is a number to the engine below the null, and ``toInt64`` fails on it.
    """
    return call("accurateCastOrNull", call("trunc", as_number(value)), text("Int64"))


def parse_number(value: Tree) -> Tree:
    """Read a text as a number; infinities and NaN are not numbers here."""
    return finite(call("toFloat64OrNull", call("trimBoth", value)))


def finite(value: Tree) -> Tree:
    """Return a number, or null where it is infinite or NaN."""
    return call("ifNotFinite", value, null())


def as_text(value: Value) -> Tree:
    """Return the value as ``Nullable(String)``; several values are joined by a space."""
    match value.shape:
        case Shape.NUMBER:
            return call("toString", value.tree)
        case Shape.TEXT:
            return value.tree
        case Shape.MULTI:
            return _joined(value.tree)
        case Shape.DYNAMIC:
            return call("coalesce", call("toString", _part(value, 1)), _joined(_part(value, 2)))
        case Shape.BOOLEAN:
            return either(value.tree, text("True"), text("False"))


def _joined(values: Tree) -> Tree:
    return either(call("notEmpty", values), call("arrayStringConcat", values, text(" ")), null())


def as_list(value: Value) -> Tree:
    """Return the values as ``Array(String)``; empty for null."""
    match value.shape:
        case Shape.MULTI:
            return value.tree
        case Shape.DYNAMIC:
            own = _part(value, 1)
            return either(
                is_null(own), _part(value, 2), array([call("assumeNotNull", call("toString", own))])
            )
        case _:
            shown = as_text(value)
            return either(is_null(shown), _none(), array([call("assumeNotNull", shown)]))


def as_dynamic(value: Value) -> Tree:
    """Return the value as the tuple of the DYNAMIC shape."""
    match value.shape:
        case Shape.DYNAMIC:
            return value.tree
        case Shape.NUMBER:
            return _pair(value.tree, _none())
        case _:
            return _pair(NULL_NUMBER.tree, as_list(value))


def _pair(own: Tree, texts: Tree) -> Tree:
    """Return the tuple of the DYNAMIC shape, never as a constant of the engine.

    It cannot choose between constant tuples in a block without rows.
    """
    return call("tuple", call("materialize", own), texts)


def missing(value: Value) -> Tree:
    """Return the condition that the value is null."""
    match value.shape:
        case Shape.MULTI:
            return call("empty", value.tree)
        case Shape.DYNAMIC:
            return exp.and_(is_null(_part(value, 1)), call("empty", _part(value, 2)))
        case _:
            return is_null(value.tree)


def present(value: Value) -> Tree:
    """Return the condition that the value is not null."""
    return exp.Not(this=exp.Paren(this=missing(value)))


def looks_numeric(value: Value) -> Tree:
    """Return the condition that the value is, or reads as, a number."""
    return call("isNotNull", as_number(value))


def common_shape(shapes: Iterable[Shape]) -> Shape:
    """Return the narrowest shape that holds values of all these shapes."""
    distinct = set(shapes)
    if len(distinct) == 1:
        return distinct.pop()
    if distinct == {Shape.TEXT, Shape.MULTI}:
        return Shape.MULTI
    return Shape.DYNAMIC if distinct else Shape.TEXT


def as_shape(value: Value, shape: Shape) -> Tree:
    """Return the value in the given shape."""
    convert: dict[Shape, Callable[[Value], Tree]] = {
        Shape.NUMBER: as_number,
        Shape.TEXT: as_text,
        Shape.MULTI: as_list,
        Shape.DYNAMIC: as_dynamic,
        Shape.BOOLEAN: lambda v: NO_CONDITION if is_literal_null(v) else v.tree,
    }
    return convert[shape](value)


def is_literal_null(value: Value) -> bool:
    """Whether this is ``null()``: it takes any shape without widening the others."""
    return value is NULL or value is NULL_NUMBER


def choose(branches: list[tuple[Tree, Value]], otherwise: Value) -> Value:
    """Return the first branch whose condition holds, else ``otherwise``."""
    results = [value for _, value in branches] + [otherwise]
    known = [value for value in results if not is_literal_null(value)]
    shape = common_shape(value.shape for value in known)
    tree = as_shape(otherwise, shape)
    for condition, value in reversed(branches):
        tree = either(condition, as_shape(value, shape), tree)
    # What may pass a field through reads as the field does: as a number where it looks like one.
    return Value(shape, tree, field=any(value.field for value in known))


def any_value(values: Tree, holds: Tree, name: str = "x") -> Tree:
    """Return whether ``holds`` (written over ``name``) is true of at least one value of an array."""
    condition = exp.Lambda(this=holds, expressions=[exp.to_identifier(name)])
    return call("arrayExists", condition, values)


def bound(name: str, value: Tree, body: Tree) -> Tree:
    """Return ``body`` with ``name`` standing for a value that is written, and computed, only once."""
    return call("arrayElement", call("arrayMap", lambda_(name, body), array([value])), exp.Literal.number(1))
