"""``tojson [KIND(FIELD …)] … [default_type=KIND] [output_field=NAME]`` writes fields as one JSON object.

The object is in ``_raw`` unless ``output_field`` names another field. The kinds say how values are
written: ``none`` as what they are, which is what happens if nothing else is said; ``str`` as strings;
``auto`` as what a text looks like: a number, true, false, null, JSON, else a string; ``num`` as numbers,
``bool`` as true or false, ``json`` as JSON, and a value that is no such thing is left out. Several values
are an array. If fields are named only those are written, unless ``default_type`` says how the others are.
Patterns are known. ``fill_null=true`` writes fields without a value as null; ``include_internal=true``
writes fields like ``_time`` too.

Example::

    | tojson auto(k8s.*) str(pid) output_field=event
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.functions.json_values import is_kind, listed, membered, quoted
from kubestray.search.options import flag, read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Node
from kubestray.search.values import Shape, Value, as_list, as_number, bound, parse_number
from kubestray.search.wildcards import parts
from kubestray.store.trees import Tree, array, call, column, either, is_null, lambda_, number, one_of, text

_FUNCTION = r"(auto|bool|json|num|str|none)\s*\("
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_NOTHING = text("")


@dataclass(frozen=True, slots=True)
class Kind(Node):
    """How the fields of some names are written."""

    kind: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToJson(Command):
    """The ``tojson`` command."""

    kinds: tuple[Kind, ...]
    default: str | None
    fill_null: bool
    internal: bool
    output: str


def parse(cursor: Cursor, at: int) -> ToJson:
    """Read the kinds and the options, in any order."""
    options: dict[str, str] = {}
    kinds: list[Kind] = []
    while True:
        start = cursor.skip()
        if found := cursor.match(_FUNCTION):
            kinds.append(Kind(start, found[1].lower(), field_list(cursor, "to write")))
            cursor.expect(")", f"to close {found[1]}(")
        elif not read_options(
            cursor, ["default_type", "output_field"], options, ["fill_null", "include_internal"]
        ):
            break
        cursor.take(",")
    default = options.get("default_type", None if kinds else "none")
    if default is not None and default.lower() not in _WRITTEN:
        raise cursor.error(f"default_type={default} is no kind", at, f"one of {', '.join(_WRITTEN)}")
    fill, internal = (flag(options, name, False) for name in ("fill_null", "include_internal"))
    return ToJson(
        at, tuple(kinds), default and default.lower(), fill, internal, options.get("output_field", "_raw")
    )


def plan(command: ToJson, relation: Relation, context: Context) -> Relation:
    """Write the fields of each row."""
    pairs: list[Tree] = []
    for name, made in relation.fields.items():
        kind = _kind(command, name)
        if kind is not None:
            piece = _WRITTEN[kind](made.value())
            if command.fill_null:
                piece = bound("w", piece, either(call("empty", column("w")), text("null"), column("w")))
            pairs.append(call("tuple", text(name), piece))
    nothing = call("tuple", _NOTHING, _NOTHING)  # there may be no field at all
    has = call("notEmpty", call("tupleElement", column("p"), number(2)))
    members = call("arrayFilter", lambda_("p", has), array([*pairs, nothing]))
    written = call("toNullable", membered(members))
    return relation.extended([(command.output, context.column(Shape.TEXT), written)])


def _kind(command: ToJson, name: str) -> str | None:
    """Return how a field is written; None if it is not. Internal fields are only if that is asked for."""
    for kind in command.kinds:
        if any(parts(pattern, name) is not None for pattern in kind.patterns):
            named = name in kind.patterns or not name.startswith("_") or command.internal
            return kind.kind if named else None
    return None if name.startswith("_") and not command.internal else command.default


def _each(piece: Callable[[Tree], Tree]) -> Callable[[Value], Tree]:
    """Return what writes all values by a rule for one; empty if there is none."""

    def write(value: Value) -> Tree:
        pieces = call("arrayMap", lambda_("x", piece(column("x"))), as_list(value))
        kept = call("arrayFilter", lambda_("x", call("notEmpty", column("x"))), pieces)
        found = column("found")
        count = call("length", found)
        one = either(call("equals", count, number(1)), call("arrayElement", found, number(1)), listed(found))
        return bound("found", kept, either(call("equals", count.copy(), number(0)), _NOTHING, one))

    return write


def _as_it_is(value: Value) -> Tree:
    own = as_number(value) if value.shape is Shape.NUMBER else None
    if value.shape is Shape.DYNAMIC:
        own = call("tupleElement", value.tree, number(1))
    strings = _each(quoted)(value)
    if own is None:
        return strings
    return either(is_null(own), strings, call("ifNull", call("toString", own.copy()), _NOTHING))


def _number(x: Tree) -> Tree:
    return call("ifNull", call("toString", parse_number(x)), _NOTHING)


def _truth(x: Tree) -> Tree:
    word = call("lower", x)
    yes, no = (one_of(word, map(text, words)) for words in (_TRUE, _FALSE))
    return either(yes, text("true"), either(no, text("false"), _NOTHING))


def _json(x: Tree) -> Tree:
    return either(call("isValidJSON", x), x, _NOTHING)


def _guessed(x: Tree) -> Tree:
    word = call("lower", x)
    plain = either(is_kind(x, "Object", "Array"), x, quoted(x))
    known = either(one_of(word, map(text, ("true", "false", "null"))), word, plain)
    return either(is_null(parse_number(x)), known, _number(x))


_WRITTEN: dict[str, Callable[[Value], Tree]] = {
    "auto": _each(_guessed),
    "bool": _each(_truth),
    "json": _each(_json),
    "none": _as_it_is,
    "num": _each(_number),
    "str": _each(quoted),
}
