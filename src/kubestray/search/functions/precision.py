"""How precise numbers are, as far as that is told by how they are written.

A product is as precise as its least precise factor, counted in significant figures; a sum as its least
precise term, counted in decimals. Fields do not tell how precise they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, localcontext

from kubestray.search.functions.base import Scope
from kubestray.search.functions.numeric import half_up, read_as_number
from kubestray.search.syntax import Binary, Call, Expression, Member, Number, Unary, rewrite_nodes
from kubestray.search.values import Shape, Value, as_number, finite
from kubestray.store.trees import Tree, call, either, number


def product_of_decimals(expression: Binary) -> float | None:
    """Return a product or quotient of two decimal literals, rounded: ``8.250*0.20`` is 1.7.

    Only where both are written with a decimal point; all other arithmetic is that of doubles.
    """
    left, right = expression.left, expression.right
    if expression.operator not in ("*", "/") or not isinstance(left, Number) or not isinstance(right, Number):
        return None
    if "." not in left.written or "." not in right.written or not right.value:
        return None
    with localcontext(prec=40, rounding=ROUND_HALF_UP):
        a, b = Decimal(left.written), Decimal(right.written)
        exact = a * b if expression.operator == "*" else a / b
        decimals = min(_figures(left), _figures(right)) - exact.adjusted() - 1
        return float(round(exact, max(decimals, 0))) if exact else 0.0


def exact(expression: Call, scope: Scope) -> Value:
    """Compute a number without rounding products and quotients of decimal literals."""
    return read_as_number(scope.value(_unrounded(expression.arguments[0])))


def _unrounded(node: Expression) -> Expression:
    """Return an expression in which no literal tells how precise it is."""
    return rewrite_nodes(
        node,
        lambda inner: dataclasses.replace(inner, written="") if isinstance(inner, Number) else inner,
        Unary | Binary | Call | Member | Number,
    )


def sigfig(expression: Call, scope: Scope) -> Value:
    """Round to the figures or decimals that the argument's literals have."""
    argument = expression.arguments[0]
    value = scope.hold(Value(Shape.NUMBER, as_number(scope.value(argument)))).tree
    figures, decimals = _precision(argument)
    if decimals is not None:
        return Value(Shape.NUMBER, half_up(value, decimals))
    if figures is None:
        return Value(Shape.NUMBER, value)
    size = call("floor", call("log10", call("abs", value)))
    scale = call("exp10", call("minus", number(figures - 1), size))
    rounded = call("divide", _nearest(call("multiply", value, scale)), scale)
    return Value(Shape.NUMBER, either(call("equals", value, number(0)), value, finite(rounded)))


def _nearest(value: Tree) -> Tree:
    return call("multiply", call("sign", value), call("floor", call("plus", call("abs", value), number(0.5))))


def _precision(expression: Expression) -> tuple[int | None, int | None]:
    """Return the significant figures of a product or number, or the decimals of a sum."""
    match expression:
        case Number():
            return _figures(expression), None
        case Unary(operator="-"):
            return _precision(expression.operand)
        case Binary(operator="*" | "/"):
            parts = (_precision(expression.left), _precision(expression.right))
            return _least(figures for figures, _ in parts), None
        case Binary(operator="+" | "-"):
            return None, _least(_decimals(part) for part in (expression.left, expression.right))
    return None, None


def _decimals(expression: Expression) -> int | None:
    if isinstance(expression, Number):
        return len(expression.written.partition(".")[2])
    return _precision(expression)[1]


def _least(known: Iterable[int | None]) -> int | None:
    return min((each for each in known if each is not None), default=None)


def _figures(literal: Number) -> int:
    digits = literal.written.lower().partition("e")[0].replace(".", "")
    return len(digits.lstrip("0")) or 1
