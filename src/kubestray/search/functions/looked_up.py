"""``lookup()``: what a lookup has for a row, as a JSON object."""

from __future__ import annotations

from collections.abc import Sequence

from kubestray.search.functions.base import BadArgument, Scope
from kubestray.search.functions.json_values import dumped, written
from kubestray.search.joining import join_first
from kubestray.search.lookups import all_matches, find_lookup, lookup_relation
from kubestray.search.plan import Column
from kubestray.search.relation import Relation
from kubestray.search.syntax import Call, Expression, String
from kubestray.search.values import Shape, Value, any_value, present
from kubestray.store.trees import Tree, array, call, column, either, lambda_, null, text


def lookup(expression: Call, scope: Scope) -> Value:
    """Return the named fields of the lookup's rows that have the same values; null without a match."""
    name, given, wanted = expression.arguments
    if scope.per_value:
        raise BadArgument(0, "a lookup is made for each row, not for each value; use mvexpand before it")
    if not isinstance(name, String):
        raise BadArgument(0, "the name of the lookup must be a quoted text")
    by, outputs = _pairs(given), _names(wanted)
    rows = lookup_relation(find_lookup(name.value, name.at, scope.context), scope.context)
    for index, field in [(1, theirs) for theirs, _ in by] + [(2, output) for output in outputs]:
        if field not in rows.fields:
            raise BadArgument(index, f"the lookup {name.value!r} has no field {field!r}")
    values = [scope.hold(scope.value(value)) for _, value in by]
    found = _matched(rows, [theirs for theirs, _ in by], outputs, values, scope)
    members = [_member(output, value) for output, value in zip(outputs, found, strict=True)]
    return Value(Shape.TEXT, _object(array(members)))


def _pairs(given: Expression) -> list[tuple[str, Expression]]:
    """Return the fields of the lookup with what they must equal."""
    parts = given.arguments if isinstance(given, Call) and given.name == "json_object" else ()
    pairs = [
        (key.value, value)
        for key, value in zip(parts[::2], parts[1::2], strict=False)
        if isinstance(key, String)
    ]
    if not pairs or 2 * len(pairs) != len(parts):
        raise BadArgument(1, 'expected json_object("FIELD OF THE LOOKUP", VALUE, …) here')
    return pairs


def _names(wanted: Expression) -> list[str]:
    parts = wanted.arguments if isinstance(wanted, Call) and wanted.name == "json_array" else ()
    names = [part.value for part in parts if isinstance(part, String)]
    if not names or len(names) != len(parts):
        raise BadArgument(2, 'expected json_array("FIELD OF THE LOOKUP", …) here')
    return names


def _matched(
    rows: Relation, by: Sequence[str], outputs: Sequence[str], values: Sequence[Value], scope: Scope
) -> list[Value]:
    """Join the rows of the scope to those of the lookup; return what these have."""
    context, ours = scope.context, scope.relation
    found, theirs = all_matches(rows, by, {name: rows.fields[name] for name in outputs}, context)
    keys: dict[str, Column] = {f"key {i}": context.column(value.shape) for i, value in enumerate(values)}
    made = [(key, value.tree) for key, value in zip(keys.values(), values, strict=True)]
    numbered = {f"output {i}": found.fields[name] for i, name in enumerate(outputs)}
    joined = join_first(
        ours.computed(made).with_fields(keys),
        found.with_fields(numbered),
        list(zip(keys, theirs, strict=True)),
        context,
        outer=True,
        overwrite=True,
    )
    scope.relation = joined.with_fields(ours.fields)
    return [joined.fields[name].value() for name in numbered]


def _member(name: str, value: Value) -> Tree:
    """Return a member of the object; empty where the lookup has no value."""
    shown = call("concat", text(f"{dumped(name)}:"), written(value))
    return either(present(value), shown, text(""))


def _object(members: Tree) -> Tree:
    known = call("arrayFilter", lambda_("x", call("notEmpty", column("x"))), members)
    shown = call("concat", text("{"), call("arrayStringConcat", known, text(",")), text("}"))
    return either(any_value(members, call("notEmpty", column("x"))), call("toNullable", shown), null())
