"""Turns eval expressions into typed trees over a relation's columns."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search import functions, syntax
from kubestray.search.compare import compare, is_member
from kubestray.search.cursor import nearest
from kubestray.search.relation import Context, Relation
from kubestray.search.subsearches import resolved_expression
from kubestray.search.values import NULL, Shape, Value, as_number, as_text, choose, looks_numeric
from kubestray.store.trees import call, number, text


def evaluate(expression: syntax.Expression, relation: Relation, context: Context) -> tuple[Relation, Value]:
    """Return the typed value of an expression, and the rows with the columns that it needs."""
    scope = _Scope(relation, context)
    value = scope.value(expression)
    return scope.relation, value


def condition(
    expression: syntax.Expression, relation: Relation, context: Context
) -> tuple[Relation, exp.Expr]:
    """Return an expression that must be a condition, as ``where`` needs it, and the rows for it."""
    scope = _Scope(relation, context)
    tree = scope.condition(expression)
    return scope.relation, tree


_LARGE = 60
"""Nodes of a tree above which an operand becomes a column: functions write their arguments several times."""


class _Scope:
    """Evaluates over rows, to which columns are added for large operands."""

    def __init__(self, relation: Relation, context: Context) -> None:
        self.relation, self._context = relation, context

    def value(self, expression: syntax.Expression) -> Value:
        """Return the value of an expression; a field that does not exist is null."""
        match expression:
            case syntax.Number(value=value):
                literal = call("toNullable", call("toFloat64", number(value)))
                return Value(Shape.NUMBER, literal, static=True, number=value)
            case syntax.String(value=value):
                return Value(Shape.TEXT, call("toNullable", text(value)), static=True, literal=value)
            case syntax.Field(name=name):
                return self.relation.value(name) or NULL
            case syntax.Unary(operator="-"):
                operand = self._operand(expression.operand)
                return Value(Shape.NUMBER, exp.Neg(this=exp.Paren(this=as_number(operand))))
            case syntax.Unary():
                return Value(Shape.BOOLEAN, call("not", self.condition(expression.operand)))
            case syntax.Binary():
                return self._binary(expression)
            case syntax.Member():
                operand = self._operand(expression.operand)
                options = [self._operand(option) for option in expression.options]
                return Value(Shape.BOOLEAN, is_member(operand, options, self._context.switches))
            case syntax.Call():
                return self._call(expression)
            case syntax.Subsearch():
                return self.value(resolved_expression(expression, self._context))

    def condition(self, expression: syntax.Expression) -> exp.Expr:
        """Return an expression that must be a condition."""
        value = self._operand(expression)
        if value.shape is not Shape.BOOLEAN:
            hint = "compare it with something, or use isnotnull(…)"
            raise self._context.error(expression.at, "expected a condition, found a value", hint)
        return value.tree

    def _operand(self, expression: syntax.Expression) -> Value:
        """Return a value that may be written several times: a large one is a column of its own."""
        value = self.value(expression)
        if value.field or value.static or sum(1 for _ in value.tree.walk()) <= _LARGE:
            return value
        column = self._context.column(value.shape)
        self.relation = self.relation.computed([(column, value.tree)])
        return Value(value.shape, column.value().tree)

    def _binary(self, expression: syntax.Binary) -> Value:
        operator = expression.operator
        if operator in ("and", "or", "xor"):
            left, right = self.condition(expression.left), self.condition(expression.right)
            return Value(Shape.BOOLEAN, call(operator, left, right))
        a, b = self._operand(expression.left), self._operand(expression.right)
        if operator in ("==", "!=", "<", "<=", ">", ">="):
            return Value(Shape.BOOLEAN, compare(operator, a, b, self._context.switches))
        if operator == "+":
            return _plus(a, b)
        if operator == ".":
            return Value(Shape.TEXT, call("concat", as_text(a), as_text(b)))
        return Value(Shape.NUMBER, _arithmetic(operator, as_number(a), as_number(b)))

    def _call(self, expression: syntax.Call) -> Value:
        context, name = self._context, expression.name
        function = functions.FUNCTIONS.get(name)
        if function is None:
            hint = nearest(name, functions.FUNCTIONS) or "docs/spl.md lists the functions"
            raise context.error(expression.at, f"unknown function {name}()", hint)
        given = len(expression.arguments)
        if not function.least <= given <= function.most:
            raise context.error(expression.at, f"{name}() takes {function.takes()}, found {given}")
        arguments = [self._operand(argument) for argument in expression.arguments]
        try:
            return function.build(arguments, functions.Environment(context.now, context.switches))
        except functions.BadArgument as error:
            raise context.error(expression.arguments[error.index].at, f"{name}(): {error}") from error


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
