"""``rangemap field=FIELD NAME=FROM-TO … [default=NAME]`` names the range that a number is in, in ``range``.

Both ends belong to a range. In several ranges at once, ``range`` is multivalue; in none, or without a
number, it is the default, ``None`` if there is no other. Negative numbers are written as they are:
``cold=-30--1``.

Example::

    | rangemap field=count green=0-10 yellow=11-100 default=red
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, as_number
from kubestray.store.trees import all_of, array, call, column, either, lambda_, number, text

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_RANGE = rf"\"?({_NUMBER})-({_NUMBER})\"?(?=[\s,|\]]|$)"


@dataclass(frozen=True, slots=True)
class RangeMap(Command):
    """The ``rangemap`` command."""

    field: str
    ranges: tuple[tuple[str, float, float], ...]
    default: str


def parse(cursor: Cursor, at: int) -> RangeMap:
    """Read the field, the ranges and the default, in any order."""
    field, default = "", "None"
    ranges: list[tuple[str, float, float]] = []
    while cursor.at_field():
        name = cursor.field("as the name of a range")
        cursor.expect("=", f"after {name!r}")
        if name.lower() == "field":
            field = cursor.field("to map")
        elif name.lower() == "default":
            default = cursor.field("as the default")
        else:
            ranges.append((name, *_ends(cursor)))
        cursor.take(",")
    if not field:
        raise cursor.error("rangemap needs a field", at, "write field=NAME")
    return RangeMap(at, field, tuple(ranges), default)


def _ends(cursor: Cursor) -> tuple[float, float]:
    found = cursor.match(_RANGE)
    if not found:
        raise cursor.error(f"expected a range such as 1-10, found {cursor.found()}")
    return float(found[1]), float(found[2])


def plan(command: RangeMap, relation: Relation, context: Context) -> Relation:
    """Name the ranges."""
    value, made = context.column(Shape.NUMBER), context.column(Shape.MULTI)
    relation = relation.computed([(value, as_number(relation.value(command.field) or NULL))])
    own = column(value.name)
    found = [
        either(
            all_of([call("greaterOrEquals", own, number(low)), call("lessOrEquals", own, number(high))]),
            text(name),
            text(""),
        )
        for name, low, high in command.ranges
    ]
    kept = call("arrayFilter", lambda_("x", call("notEmpty", column("x"))), array([*found, text("")]))
    names = context.column(Shape.MULTI)
    relation = relation.computed([(names, kept)])
    shown = either(call("notEmpty", column(names.name)), column(names.name), array([text(command.default)]))
    return relation.extended([("range", made, shown)])
