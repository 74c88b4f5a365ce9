"""Turns eval expressions into typed trees over a relation's columns."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search import functions, syntax
from kubestray.search.compare import compare, is_member
from kubestray.search.cursor import nearest
from kubestray.search.relation import Context, Relation
from kubestray.search.values import NULL, Shape, Value, as_number, as_text, choose, looks_numeric
from kubestray.store.trees import call, number, text


def evaluate(expression: syntax.Expression, relation: Relation, context: Context) -> Value:
    """Return the typed value of an expression; a field that does not exist is null."""
    match expression:
        case syntax.Number(value=value):
            return Value(
                Shape.NUMBER, call("toNullable", call("toFloat64", number(value))), static=True, number=value
            )
        case syntax.String(value=value):
            return Value(Shape.TEXT, call("toNullable", text(value)), static=True, literal=value)
        case syntax.Field(name=name):
            return relation.value(name) or NULL
        case syntax.Unary(operator="-"):
            operand = evaluate(expression.operand, relation, context)
            return Value(Shape.NUMBER, exp.Neg(this=exp.Paren(this=as_number(operand))))
        case syntax.Unary():
            return Value(Shape.BOOLEAN, call("not", condition(expression.operand, relation, context)))
        case syntax.Binary():
            return _binary(expression, relation, context)
        case syntax.Member():
            operand = evaluate(expression.operand, relation, context)
            options = [evaluate(option, relation, context) for option in expression.options]
            return Value(Shape.BOOLEAN, is_member(operand, options, context.switches))
        case syntax.Call():
            return _call(expression, relation, context)


def condition(expression: syntax.Expression, relation: Relation, context: Context) -> exp.Expr:
    """Return an expression that must be a condition, as ``where`` and ``if`` need it."""
    value = evaluate(expression, relation, context)
    if value.shape is not Shape.BOOLEAN:
        raise context.error(
            expression.at,
            "expected a condition, found a value",
            "compare it with something, or use isnotnull(…)",
        )
    return value.tree


def _binary(expression: syntax.Binary, relation: Relation, context: Context) -> Value:
    operator = expression.operator
    if operator in ("and", "or", "xor"):
        left = condition(expression.left, relation, context)
        right = condition(expression.right, relation, context)
        return Value(Shape.BOOLEAN, call(operator, left, right))
    a, b = evaluate(expression.left, relation, context), evaluate(expression.right, relation, context)
    if operator in ("==", "!=", "<", "<=", ">", ">="):
        return Value(Shape.BOOLEAN, compare(operator, a, b, context.switches))
    if operator == "+":
        return _plus(a, b)
    if operator == ".":
        return Value(Shape.TEXT, call("concat", as_text(a), as_text(b)))
    return Value(Shape.NUMBER, _arithmetic(operator, as_number(a), as_number(b)))


def _arithmetic(operator: str, a: exp.Expr, b: exp.Expr) -> exp.Expr:
    if operator in ("/", "%"):
        # Division by zero is null, as documented.
        return call("divide" if operator == "/" else "modulo", a, call("nullIf", b, number(0)))
    return call({"-": "minus", "*": "multiply"}[operator], a, b)


def _plus(a: Value, b: Value) -> Value:
    """Add or join: two numbers add, two texts join, two fields add only where both look numeric."""
    if a.shape is Shape.NUMBER and b.shape is Shape.NUMBER:
        return Value(Shape.NUMBER, call("plus", a.tree, b.tree))
    joined = Value(Shape.TEXT, call("concat", as_text(a), as_text(b)))
    added = Value(Shape.NUMBER, call("plus", as_number(a), as_number(b)))
    if a.field and b.field:
        both = exp.and_(looks_numeric(a), looks_numeric(b))
        return choose([(both, added)], joined)
    texts = [v for v in (a, b) if v.shape is not Shape.NUMBER and not v.field]
    if texts:
        numbers = [v for v in (a, b) if v.shape is Shape.NUMBER and v.static]
        return added if numbers else joined
    return added


def _call(expression: syntax.Call, relation: Relation, context: Context) -> Value:
    function = functions.FUNCTIONS.get(expression.name)
    if function is None:
        raise context.error(
            expression.at,
            f"unknown function {expression.name}()",
            nearest(expression.name, functions.FUNCTIONS) or "docs/spl.md lists the functions",
        )
    given = len(expression.arguments)
    if not function.least <= given <= function.most:
        raise context.error(expression.at, f"{expression.name}() takes {function.takes()}, found {given}")
    arguments = [evaluate(argument, relation, context) for argument in expression.arguments]
    try:
        return function.build(arguments, functions.Environment(context.now, context.switches))
    except functions.BadArgument as error:
        raise context.error(expression.arguments[error.index].at, f"{expression.name}(): {error}") from error
