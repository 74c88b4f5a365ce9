"""Functions that take expressions, not only their values: over each value, or the text of a search."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from kubestray.model.errors import SearchError
from kubestray.search.clauses import clause
from kubestray.search.cursor import Cursor
from kubestray.search.functions.base import BadArgument, Scope
from kubestray.search.matching import matches
from kubestray.search.source import Source
from kubestray.search.syntax import Call, Expression, Field, Node, Pipeline, String
from kubestray.search.values import NULL, Shape, Value, as_list
from kubestray.store.trees import call, number


def mvmap(expression: Call, scope: Scope) -> Value:
    """Compute an expression for each value of a field, and put the results one after the other."""
    over, result = expression.arguments
    values = scope.hold(scope.value(over))
    name = next(_fields(over, scope), None)
    each = scope.each(name, lambda inner: as_list(inner.value(result)))
    return Value(Shape.MULTI, call("arrayFlatten", call("arrayMap", each, as_list(values))))


def mvfilter(expression: Call, scope: Scope) -> Value:
    """Keep the values of the one field in a condition for which it is true."""
    (condition,) = expression.arguments
    names = set(_fields(condition, scope))
    if len(names) != 1:
        found = ", ".join(sorted(names)) or "none"
        raise BadArgument(0, f"the condition must be about one field, found {found}")
    (name,) = names
    each = scope.each(name, lambda inner: call("ifNull", inner.condition(condition), number(0)))
    values = as_list(scope.relation.value(name) or NULL)
    return Value(Shape.MULTI, call("arrayFilter", each, values))


def _fields(node: Node, scope: Scope) -> Iterator[str]:
    """Yield the names of the fields in an expression, in order."""
    if isinstance(node, Field):
        if node.name.lower() not in ("true", "false", "null") or node.name in scope.relation.fields:
            yield node.name
        return
    for each in dataclasses.fields(node):
        value = getattr(node, each.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Node) and not isinstance(part, Pipeline):
                yield from _fields(part, scope)


def searchmatch(expression: Call, scope: Scope) -> Value:
    """Tell whether the row is what a search for this text finds."""
    said: Expression = expression.arguments[0]
    if not isinstance(said, String):
        raise BadArgument(0, "the search must be a quoted text")
    cursor = Cursor(Source(said.value, []), _no_subsearch)
    try:
        wanted = clause(cursor)
        if not cursor.at_end():
            raise cursor.error(f"found {cursor.found()} after the end of the search")
    except SearchError as error:
        raise BadArgument(0, f"{error.message}, in the search {said.value!r}") from error
    return Value(Shape.BOOLEAN, matches(wanted, scope.relation, scope.context))


def _no_subsearch(cursor: Cursor) -> Pipeline:
    raise cursor.error("searchmatch() cannot hold a subsearch")
