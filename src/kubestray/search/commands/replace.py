"""``replace OLD WITH NEW, … [IN FIELD …]`` puts values in the place of others; ``*`` stands for any text.

The whole value is compared, with its case. A ``*`` in NEW is what the one in OLD stood for, in order. Of
several pairs that fit, one without a ``*`` goes before those with it, the later before the earlier, and
of those with a ``*`` the one with more text. Without IN all fields are looked at, but not internal ones
like ``_time``.

Example::

    | replace "*-dev" WITH "dev: *", prd WITH production IN k8s.namespace.name
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.reductions.base import from_text
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Node
from kubestray.search.values import Shape, Value, any_value, as_list, choose
from kubestray.search.wildcards import chosen_fields, engine_pattern
from kubestray.store.trees import Tree, any_of, array, call, column, either, lambda_, number, text


@dataclass(frozen=True, slots=True)
class Pair(Node):
    """One ``old WITH new``."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Replace(Command):
    """The ``replace`` command; no fields are all fields."""

    pairs: tuple[Pair, ...]
    fields: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> Replace:
    """Read the pairs and the fields."""
    pairs = [_pair(cursor)]
    while cursor.take(",") or (cursor.at_field() and cursor.peek_word() != "in"):
        pairs.append(_pair(cursor))
    fields = field_list(cursor, "to replace in") if cursor.keyword("in") else ()
    return Replace(at, tuple(pairs), fields)


def _pair(cursor: Cursor) -> Pair:
    at = cursor.skip()
    old = cursor.field("or text to replace")
    if not cursor.keyword("with"):
        raise cursor.error(f"expected WITH after {old!r}, found {cursor.found()}")
    new = cursor.field("or text to put in its place")
    if new.count("*") not in (0, old.count("*")):
        raise cursor.error("the new text has no * or as many as the old one", at)
    return Pair(at, old, new)


def plan(command: Replace, relation: Relation, context: Context) -> Relation:
    """Replace the values."""
    made = []
    for name in chosen_fields(command.fields or ("*",), relation.fields):
        value = relation.fields[name].value()
        values = as_list(value)
        fits = any_value(values, any_of([_fits(pair, column("x")) for pair in command.pairs]))
        changed = Value(Shape.MULTI, call("arrayMap", lambda_("x", _changed(command.pairs)), values))
        if value.shape is not Shape.MULTI:
            changed = _single(changed.tree, value.shape)
        kept = choose([(fits, changed)], value)
        made.append((name, context.column(kept.shape), kept.tree))
    return relation.extended(made)


def _single(values: Tree, shape: Shape) -> Value:
    """Return a single value as what it was: what stands in the place of a number may be a number too."""
    first = call("toNullable", call("arrayElement", values, number(1)))
    if shape is Shape.TEXT:
        return Value(Shape.TEXT, first)
    several = call("greater", call("length", values.copy()), number(1))
    return choose([(several, Value(Shape.MULTI, values))], from_text(first, Shape.DYNAMIC))


def _changed(pairs: tuple[Pair, ...]) -> Tree:
    """Return what the value ``x`` becomes."""
    tree: Tree = column("x")
    for pair in sorted(pairs, key=_weight):
        tree = either(_fits(pair, column("x")), _filled(pair), tree)
    return tree


def _weight(pair: Pair) -> tuple[bool, int]:
    """Return what tells which pair goes first; the last in this order wins."""
    return ("*" not in pair.old, len(pair.old.replace("*", "")) if "*" in pair.old else 0)


def _fits(pair: Pair, value: Tree) -> Tree:
    if "*" in pair.old:
        return call("match", value, text(engine_pattern(pair.old)))
    return call("equals", value, text(pair.old))


def _filled(pair: Pair) -> Tree:
    """Return the new text with what the stars stood for."""
    if "*" not in pair.new:
        return text(pair.new)
    groups = call("extractGroups", column("x"), text(engine_pattern(pair.old)))
    first, *rest = pair.new.split("*")
    pieces: list[Tree] = [text(first)]
    for index, literal in enumerate(rest, 1):
        pieces += [call("arrayElement", groups, number(index)), text(literal)]
    return call("arrayStringConcat", array(pieces), text(""))
