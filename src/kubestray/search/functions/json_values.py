"""JSON texts and values: how a value is written as JSON, and what a piece of JSON is as a value.

A text that is a JSON object or array is that object or array inside of another one; any other text is a
JSON string.
"""

from __future__ import annotations

import json
from typing import Any

from sqlglot import exp

from kubestray.search.values import NULL, NULL_NUMBER, Shape, Value, as_list, as_text, bound, is_literal_null
from kubestray.store.trees import (
    Tree,
    array,
    call,
    column,
    either,
    is_null,
    lambda_,
    null,
    number,
    one_of,
    text,
)

_CONTAINERS = ("Object", "Array")
_NUMBERS = ("Int64", "UInt64", "Double")
NOTHING = text("")


def quoted(value: Tree) -> Tree:
    """Write a text as a JSON string."""
    # The engine writes a slash as \/, which is allowed but nobody's habit.
    return call("replaceAll", call("toJSONString", value), text("\\/"), text("/"))


def is_kind(value: Tree, *kinds: str) -> Tree:
    """Return whether a JSON text is of one of these kinds; what is no JSON is of the kind Null."""
    return one_of(call("toString", call("JSONType", value)), [text(kind) for kind in kinds])


def document(value: Value) -> Tree:
    """Return an argument that is a JSON text; null is empty, which is no JSON."""
    return call("ifNull", as_text(value), NOTHING)


def written(value: Value) -> Tree:
    """Return any value as JSON; never null."""
    if value.static and (value.literal is not None or value.number is not None):
        return text(dumped(constant(value)))
    match value.shape:
        case Shape.BOOLEAN:
            said = either(value.tree, text("true"), text("false"))
            return either(is_null(value.tree), text("null"), said)
        case Shape.NUMBER:
            return call("ifNull", as_text(value), text("null"))
        case Shape.TEXT:
            if is_literal_null(value):
                return text("null")
            return call("ifNull", bound("text", value.tree, _one(column("text"))), text("null"))
        case Shape.MULTI:
            return _several(value.tree)
        case Shape.DYNAMIC:
            own = call("tupleElement", value.tree, number(1))
            several = _several(call("tupleElement", value.tree, number(2)))
            return call("coalesce", call("toString", own), several)


def _one(value: Tree) -> Tree:
    return either(is_kind(value, *_CONTAINERS), call("JSONExtractRaw", value), quoted(value))


def _several(values: Tree) -> Tree:
    items = call("arrayMap", lambda_("x", _one(column("x"))), values)
    one = call("arrayElement", column("items"), number(1))
    count = call("length", column("items"))
    many = either(call("equals", count, number(0)), text("null"), listed(column("items")))
    return bound("items", items, either(call("equals", count, number(1)), one, many))


def listed(items: Tree) -> Tree:
    """Return a JSON array of pieces of JSON."""
    return call("concat", text("["), call("arrayStringConcat", items, text(",")), text("]"))


def membered(pairs: Tree) -> Tree:
    """Return a JSON object of an array of (name, piece of JSON)."""
    name, value = (call("tupleElement", column("p"), number(i)) for i in (1, 2))
    member = call("concat", quoted(name), text(":"), value)
    members = call("arrayMap", lambda_("p", member), pairs)
    return call("concat", text("{"), call("arrayStringConcat", members, text(",")), text("}"))


def native(raw: Tree) -> Value:
    """Return what a piece of JSON is: a number, or a text; nothing where it is null or empty."""
    piece = column("raw")
    own = either(is_kind(piece, *_NUMBERS), call("toNullable", call("JSONExtractFloat", piece)), null())
    words = either(
        is_kind(piece, "Object", "Array", "Bool"),
        array([piece]),
        either(is_kind(piece, "String"), array([call("JSONExtractString", piece)]), as_list(NULL)),
    )
    both = call("tuple", call("coalesce", own, NULL_NUMBER.tree), words)
    return Value(Shape.DYNAMIC, bound("raw", raw, both))


def unquoted(raw: Tree) -> Tree:
    """Return a JSON string's text, and any other piece of JSON as it is."""
    return either(is_kind(raw, "String"), call("JSONExtractString", raw), raw)


def constant(value: Value) -> Any:
    """Return a literal as what Python's ``json`` takes."""
    if value.number is not None:
        return int(value.number) if value.number.is_integer() else value.number
    try:
        found = json.loads(value.literal or "")
    except ValueError:
        found = None
    return found if isinstance(found, dict | list) else value.literal


def dumped(value: Any) -> str:
    """Write JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def literal(value: Any) -> Value:
    """Return a JSON text that is known."""
    written_text = dumped(value)
    return Value(Shape.TEXT, call("toNullable", text(written_text)), static=True, literal=written_text)


def only_if(condition: Tree, result: Tree) -> Value:
    """Return a text, or null where a condition does not hold."""
    return Value(Shape.TEXT, either(condition, call("toNullable", result), null()))


def truth(value: Value) -> Tree:
    """Return a condition, never null, from an argument that is optional in meaning."""
    return call("ifNull", value.tree, exp.false())
