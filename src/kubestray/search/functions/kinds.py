"""Functions that tell what kind of value a value is, and that turn one kind into another."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.functions.base import Environment
from kubestray.search.functions.numeric import tonumber
from kubestray.search.values import (
    Shape,
    Value,
    as_list,
    as_number,
    as_text,
    looks_numeric,
    missing,
    present,
)
from kubestray.store.trees import Tree, any_of, call, either, null, number, one_of, text

_SEVERAL = (Shape.MULTI, Shape.DYNAMIC)


def isstr(a: list[Value], _: Environment) -> Value:
    """Tell whether a value is there and does not read as a number."""
    if a[0].shape is Shape.BOOLEAN:
        return Value(Shape.BOOLEAN, exp.false())
    return Value(Shape.BOOLEAN, call("and", present(a[0]), call("not", looks_numeric(a[0]))))


def isnum(a: list[Value], _: Environment) -> Value:
    """Tell whether a value is or reads as a number."""
    return Value(Shape.BOOLEAN, exp.false() if a[0].shape is Shape.BOOLEAN else looks_numeric(a[0]))


def isbool(a: list[Value], _: Environment) -> Value:
    """Tell whether this is a condition; no field's value is."""
    return Value(Shape.BOOLEAN, exp.true() if a[0].shape is Shape.BOOLEAN else exp.false())


def ismv(a: list[Value], _: Environment) -> Value:
    """Tell whether there are several values."""
    return Value(Shape.BOOLEAN, _several(a[0]))


def _several(value: Value) -> Tree:
    if value.shape not in _SEVERAL:
        return exp.false()
    return call("greater", call("length", as_list(value)), number(1))


def typeof(a: list[Value], _: Environment) -> Value:
    """Name the type of a value; a text literal is a String whatever it looks like."""
    if a[0].shape is Shape.BOOLEAN:
        return Value(Shape.TEXT, call("toNullable", text("Bool")))
    # A text that was made, by joining or with tostring(), stays one; a field is what it looks like.
    made = a[0].shape is Shape.TEXT and not a[0].field
    number_like = exp.false() if made else looks_numeric(a[0])
    named = either(number_like, text("Number"), text("String"))
    if a[0].shape in _SEVERAL:
        named = either(_several(a[0]), text("MultiValue"), named)
    return Value(Shape.TEXT, call("toNullable", either(missing(a[0]), text("Invalid"), named)))


def tobool(a: list[Value], _: Environment) -> Value:
    """Return the condition that a number is not 0, or that a text says ``true`` and not ``false``."""
    if a[0].shape is Shape.BOOLEAN:
        return a[0]
    by_number = call("notEquals", as_number(a[0]), number(0))
    if a[0].shape is Shape.NUMBER:
        return Value(Shape.BOOLEAN, by_number)
    shown = as_text(a[0])
    said = either(one_of(shown, [text("true"), text("True")]), exp.true(), null())
    said = either(one_of(shown, [text("false"), text("False")]), exp.false(), said)
    is_number = looks_numeric(a[0]) if a[0].literal is None else exp.false()
    return Value(Shape.BOOLEAN, either(any_of([is_number]), by_number, said))


def toint(a: list[Value], env: Environment) -> Value:
    """Read as a number and round down."""
    return Value(Shape.NUMBER, call("floor", tonumber(a, env).tree))
