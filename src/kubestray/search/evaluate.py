"""Turns eval expressions into typed trees over a relation's columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from kubestray.search import functions, syntax
from kubestray.search.compare import compare, is_member, unlike
from kubestray.search.cursor import nearest
from kubestray.search.functions.precision import product_of_decimals
from kubestray.search.plan import Column
from kubestray.search.relation import Context, Relation
from kubestray.search.subsearches import resolved_expression
from kubestray.search.values import (
    NULL,
    NULL_NUMBER,
    Shape,
    Value,
    as_number,
    as_text,
    bound,
    choose,
    constant,
    looks_numeric,
    nothing,
)
from kubestray.store.trees import Tree, any_of, call, either, lambda_, number, text


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


_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_OF_ONE_KIND = (*_COMPARISONS, "+")
"""Operators that take two numbers or two texts, but not one of each."""

_NO_CONDITION = Value(Shape.BOOLEAN, nothing(Shape.BOOLEAN), static=True)

_LARGE = 60
"""Nodes of a tree above which an operand becomes a column: functions write their arguments several times."""


_CHOOSING = ("if", "case")
"""Functions that need each value only in the rows in which a condition holds."""


class _Scope:
    """Evaluates over rows, to which columns are added for large operands.

    Inside of ``mvmap`` and ``mvfilter`` rows cannot be added to; a large operand gets a name there.
    A column for an operand of ``if`` and ``case`` is computed only in the rows that need it.
    """

    def __init__(self, relation: Relation, context: Context, *, per_value: bool = False) -> None:
        self.relation, self.context = relation, context
        self.per_value = per_value
        self._named: list[tuple[str, Tree]] = []
        self._guards: list[Value] = []
        """The conditions under which what is evaluated now is needed."""

    def value(self, expression: syntax.Expression) -> Value:
        """Return the value of an expression; a field that does not exist is null."""
        match expression:
            case syntax.Number(value=value):
                return _literal(value)
            case syntax.String(value=value):
                return Value(Shape.TEXT, call("toNullable", text(value)), static=True, literal=value)
            case syntax.Field(name=name):
                return self._field(name)
            case syntax.Unary(operator="-"):
                operand = self.hold(self.value(expression.operand))
                if operand.number is not None:
                    return _literal(-operand.number)
                return Value(Shape.NUMBER, call("minus", number(0), as_number(operand)))
            case syntax.Unary():
                return Value(Shape.BOOLEAN, call("not", self.condition(expression.operand)))
            case syntax.Binary():
                return self._binary(expression)
            case syntax.Member():
                operand = self.hold(self.value(expression.operand))
                options = [self.hold(self.value(option)) for option in expression.options]
                return Value(Shape.BOOLEAN, is_member(operand, options, self.context.switches))
            case syntax.Call():
                return self._call(expression)
            case syntax.Subsearch():
                return self.value(resolved_expression(expression, self.context))

    def condition(self, expression: syntax.Expression) -> Tree:
        """Return an expression that must be a condition."""
        value = _NO_CONDITION if _is_null(expression) else self.hold(self.value(expression))
        if value.shape is not Shape.BOOLEAN:
            hint = "compare it with something, or use isnotnull(…)"
            raise self.context.error(expression.at, "expected a condition, found a value", hint)
        return value.tree

    def hold(self, value: Value) -> Value:
        """Return a value that may be written several times: a large one is a column of its own."""
        if value.static or sum(1 for _ in value.tree.walk()) <= _LARGE:
            return value
        if self.per_value:
            made = self.context.column(value.shape)
            self._named.append((made.name, value.tree))
        else:
            made = self._computed(self._guarded(value))
        return Value(value.shape, made.value().tree, field=value.field)

    def _computed(self, value: Value) -> Column:
        """Make a value a column of the rows."""
        made = self.context.column(value.shape)
        self.relation = self.relation.computed([(made, value.tree)])
        return made

    def _guarded(self, value: Value) -> Value:
        """Return a value that is null, at no cost, in the rows that do not need it."""
        if not self._guards:
            return value
        # A condition is written once: the next operand finds a column.
        guard = self._guards[-1]
        if not isinstance(guard.tree, exp.Column):
            guard = self._guards[-1] = self._computed(guard).value()
        return Value(value.shape, either(guard.tree.copy(), value.tree, nothing(value.shape)))

    def _choices(self, arguments: Sequence[syntax.Expression]) -> list[Value]:
        """Evaluate conditions and values by turns, and a last value for where no condition holds."""
        values: list[Value] = []
        for place, argument in enumerate(arguments):
            before = values[place - 1] if place % 2 else None
            last = not before and place and place == len(arguments) - 1
            if last:
                otherwise = any_of([value.tree.copy() for value in values[::2]])
                before = Value(Shape.BOOLEAN, call("not", call("ifNull", otherwise, number(0))))
            if before is None or before.shape is not Shape.BOOLEAN:
                is_condition = before is None and _is_null(argument)
                values.append(_NO_CONDITION if is_condition else self.hold(self.value(argument)))
                continue
            self._guards.append(before)
            values.append(self.hold(self.value(argument)))
            guard = self._guards.pop()
            if not last:
                values[place - 1] = guard  # if it has become a column, it is not computed again
        return values

    def each(self, name: str | None, of: Callable[[functions.Scope], Tree]) -> Tree:
        """Return ``x -> of(…)``, in whose scope the field of that name has the value ``x``."""
        parameter = self.context.column(Shape.TEXT)
        fields = {**self.relation.fields, **({name: parameter} if name is not None else {})}
        inner = _Scope(self.relation.with_fields(fields), self.context, per_value=True)
        body = of(inner)
        for known, tree in reversed(inner._named):
            body = bound(known, tree, body)
        return lambda_(parameter.name, body)

    def _field(self, name: str) -> Value:
        """Return a field's value; ``true`` and ``false`` are conditions unless there is such a field."""
        value = self.relation.value(name)
        if value is None and name.lower() in ("true", "false"):
            return Value(Shape.BOOLEAN, exp.true() if name.lower() == "true" else exp.false(), static=True)
        return value or NULL

    def _binary(self, expression: syntax.Binary) -> Value:
        operator = expression.operator
        if operator in ("and", "or", "xor"):
            left, right = self.condition(expression.left), self.condition(expression.right)
            return Value(Shape.BOOLEAN, call(operator, left, right))
        if (rounded := product_of_decimals(expression)) is not None:
            return _literal(rounded)
        a, b = self.hold(self.value(expression.left)), self.hold(self.value(expression.right))
        if unlike(a, b) and operator in _OF_ONE_KIND:
            message = f"{operator} between a text and a number is null; use tonumber() or tostring()"
            self.context.note(message)
        if operator in _COMPARISONS:
            return Value(Shape.BOOLEAN, compare(operator, a, b, self.context.switches))
        if operator == "+":
            return _plus(a, b)
        if operator == ".":
            return _joined(a, b)
        return Value(Shape.NUMBER, _arithmetic(operator, as_number(a), as_number(b)))

    def _call(self, expression: syntax.Call) -> Value:
        context, name = self.context, expression.name
        function = functions.FUNCTIONS.get(name)
        if function is None:
            raise self._unknown(expression)
        given = len(expression.arguments)
        if not function.least <= given <= function.most:
            raise context.error(expression.at, f"{name}() takes {function.takes()}, found {given}")
        try:
            if function.form:
                return function.form(expression, self)
            if name in _CHOOSING:
                arguments = self._choices(expression.arguments)
            else:
                arguments = [self.hold(self.value(argument)) for argument in expression.arguments]
            services = (self.hold, self._tag)
            environment = functions.Environment(
                lambda: context.now, context.switches, *services, context.timezone
            )
            return function.build(arguments, environment)
        except functions.BadArgument as error:
            at = expression.arguments[error.index].at if expression.arguments else expression.at
            raise context.error(at, f"{name}(): {error}") from error

    def _unknown(self, expression: syntax.Call) -> Exception:
        name = expression.name
        if name in functions.KNOWN_ELSEWHERE:
            hint = functions.KNOWN_ELSEWHERE[name]
            return self.context.error(expression.at, f"{name}() is known in SPL but not supported here", hint)
        hint = nearest(name, functions.FUNCTIONS) or "docs/spl.md lists the functions"
        return self.context.error(expression.at, f"unknown function {name}()", hint)

    def _tag(self) -> int:
        return self.context.column(Shape.NUMBER).number


def _is_null(expression: syntax.Expression) -> bool:
    """Tell ``null()``, which is no value of any kind, and so a condition too."""
    return isinstance(expression, syntax.Call) and expression.name == "null" and not expression.arguments


def _literal(value: float) -> Value:
    return Value(Shape.NUMBER, constant(value), static=True, number=value)


def _arithmetic(operator: str, a: Tree, b: Tree) -> Tree:
    if operator in ("/", "%"):
        # Division by zero is null, as documented.
        return call("divide" if operator == "/" else "modulo", a, call("nullIf", b, number(0)))
    return call({"-": "minus", "*": "multiply"}[operator], a, b)


def _joined(a: Value, b: Value) -> Value:
    """Join two texts; two literals make a literal, so that it can stand where one is needed."""
    if a.literal is not None and b.literal is not None:
        both = a.literal + b.literal
        return Value(Shape.TEXT, call("toNullable", text(both)), static=True, literal=both)
    return Value(Shape.TEXT, call("concat", *_pieces(as_text(a)), *_pieces(as_text(b))))


def _pieces(tree: Tree) -> list[Tree]:
    """Return what a text is joined from: a long chain is one call, and a literal needs no wrapping there."""
    if not isinstance(tree, exp.Anonymous):
        return [tree]
    if tree.this == "toNullable" and isinstance(tree.expressions[0], exp.Literal):
        return tree.expressions
    return tree.expressions if tree.this == "concat" else [tree]


def _plus(a: Value, b: Value) -> Value:
    """Add or join: two numbers add, two texts join, two fields add only where both look numeric.

    Beside what is surely a number a field adds, beside what is surely a text it joins. A value that may be
    either, such as one of several values or of two branches, is taken as a field is.
    """
    if a.shape is Shape.NUMBER and b.shape is Shape.NUMBER:
        return Value(Shape.NUMBER, call("plus", a.tree, b.tree))
    joined = _joined(a, b)
    added = Value(Shape.NUMBER, call("plus", as_number(a), as_number(b)))
    if _may_be_either(a) and _may_be_either(b):
        both = exp.and_(looks_numeric(a), looks_numeric(b))
        return choose([(both, added)], joined)
    if unlike(a, b):
        return NULL_NUMBER
    if any(value.shape is Shape.TEXT and not value.field for value in (a, b)):
        return joined
    return added


def _may_be_either(value: Value) -> bool:
    """Tell whether only the rows say if the value is a number or a text."""
    return value.field or value.shape in (Shape.MULTI, Shape.DYNAMIC)
