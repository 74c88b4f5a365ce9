"""Comparison of values: by number beside a number, else by text; multivalue fields by any value."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.relation import Switches
from kubestray.search.values import (
    NO_CONDITION,
    Shape,
    Value,
    any_value,
    as_list,
    as_number,
    as_text,
    is_literal_null,
    looks_numeric,
    missing,
    number_of,
)
from kubestray.store.trees import Tree, all_of, any_of, call, column, either, null, number

_FUNCTION = {
    "==": "equals",
    "!=": "notEquals",
    "<": "less",
    "<=": "lessOrEquals",
    ">": "greater",
    ">=": "greaterOrEquals",
}
_SEVERAL = (Shape.MULTI, Shape.DYNAMIC)


def compare(operator: str, a: Value, b: Value, switches: Switches) -> Tree:
    """Return ``a operator b``; null where either side is null."""
    if Shape.BOOLEAN in (a.shape, b.shape):
        return _compare_condition(operator, a, b)
    if b.shape in _SEVERAL and a.shape not in _SEVERAL:
        return compare(_flipped(operator), b, a, switches)
    if a.shape in _SEVERAL:
        each = _compare_each(operator, a, b, switches)
        return _as_its_number(operator, a, b, each) if b.shape is Shape.TEXT and not b.field else each
    return _compare_single(operator, a, b)


def unlike(a: Value, b: Value) -> bool:
    """Tell whether one is a text and the other a number whatever the rows hold: no operator takes these."""
    if is_literal_null(a) or is_literal_null(b) or a.field or b.field:
        return False
    return {a.shape, b.shape} == {Shape.TEXT, Shape.NUMBER}


def _compare_single(operator: str, a: Value, b: Value) -> Tree:
    function = _FUNCTION[operator]
    by_text = call(function, as_text(a), as_text(b))
    by_number = call(function, as_number(a), as_number(b))
    if unlike(a, b):
        return NO_CONDITION
    if Shape.NUMBER in (a.shape, b.shape):
        own, other = (a, b) if a.shape is Shape.NUMBER else (b, a)
        if own.field and other.shape is not Shape.NUMBER:
            return either(any_of([looks_numeric(other), missing(other)]), by_number, by_text)
        # Beside what is surely a number a field is read as one; what does not read so compares as null.
        return by_number
    if a.field and b.field:
        return either(all_of([looks_numeric(a), looks_numeric(b)]), by_number, by_text)
    return by_text


def _compare_each(operator: str, a: Value, b: Value, switches: Switches) -> Tree:
    """Compare a multivalue field: true if any value compares so; ``!=`` only if none equals."""
    if operator == "!=" and switches.mv_not_equal == "none":
        return call("not", _compare_each("==", a, b, switches))
    if b.shape in _SEVERAL:
        return _compare_pairs(operator, a, b)
    by_kind = b.field or b.shape is Shape.NUMBER
    one = Value(Shape.TEXT, call("toNullable", column("x")), field=by_kind)
    other = b if b.shape is Shape.NUMBER else Value(Shape.TEXT, as_text(b), static=b.static, field=by_kind)
    holds = call("ifNull", _compare_single(operator, one, other), exp.Literal.number(0))
    unknown = any_of([missing(a), missing(b)])
    if b.shape is Shape.NUMBER and not b.field:
        unknown = any_of([call("not", any_value(as_list(a), looks_numeric(one))), missing(b)])
    return either(unknown, null(), any_value(as_list(a), holds))


def _compare_pairs(operator: str, a: Value, b: Value) -> Tree:
    """Compare each of several values with each of several: true if any pair compares so."""
    one, other = (Value(Shape.TEXT, call("toNullable", column(name)), field=True) for name in ("x", "y"))
    holds = call("ifNull", _compare_single(operator, one, other), exp.Literal.number(0))
    pairs = any_value(as_list(a), any_value(as_list(b), holds, "y"))
    return either(any_of([missing(a), missing(b)]), null(), pairs)


def _as_its_number(operator: str, a: Value, b: Value, otherwise: Tree) -> Tree:
    """Compare a row's number as a field of numbers compares, whatever the field holds in other rows."""
    if a.shape is not Shape.DYNAMIC or not a.field:
        return otherwise
    own = Value(Shape.NUMBER, number_of(a), field=True)
    return either(missing(own), otherwise, _compare_single(operator, own, b))


def _compare_condition(operator: str, a: Value, b: Value) -> Tree:
    """Compare with ``true`` or ``false``: a text by these words, a number by 1 and 0."""
    function = _FUNCTION[operator]
    if {a.shape, b.shape} <= {Shape.BOOLEAN, Shape.NUMBER}:
        return call(function, as_number(a), as_number(b))
    return call(function, call("lower", as_text(a)), call("lower", as_text(b)))


def is_member(operand: Value, options: list[Value], switches: Switches) -> Tree:
    """Return ``operand IN (options)``: an option that is null equals nothing, a null operand is null."""
    equal = [
        call("ifNull", compare("==", operand, option, switches), number(0))
        for option in options
        if not is_literal_null(option)
    ]
    return either(missing(operand), null(), any_of(equal))


def _flipped(operator: str) -> str:
    return {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
