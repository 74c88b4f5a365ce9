"""``reltime [timefield="FIELD, …"] [prefix=TEXT]`` says how long ago a time was: ``5 days ago``.

The result for ``_time`` is called ``reltime``, that for another field ``reltime_FIELD``, or what ``prefix``
says before the name of the field. The units are seconds, minutes, hours, days, months of 30 and years of
365 days; a time to come is ``in 5 days``.

Example::

    | reltime
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.plan import Column
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, as_number
from kubestray.store.trees import Tree, array, call, column, either, is_null, null, number, text

_UNITS = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)


@dataclass(frozen=True, slots=True)
class RelTime(Command):
    """The ``reltime`` command; pairs of a field and the name of its result."""

    pairs: tuple[tuple[str, str], ...]


def parse(cursor: Cursor, at: int) -> RelTime:
    """Read the options."""
    options: dict[str, str] = {}
    while read_options(cursor, ["timefield", "prefix"], options):
        cursor.take(",")
    fields = options.get("timefield", "_time").replace(",", " ").split()
    prefix = options.get("prefix")
    return RelTime(at, tuple((field, _name(field, prefix)) for field in fields))


def _name(field: str, prefix: str | None) -> str:
    if prefix is not None:
        return prefix + field
    return "reltime" if field == "_time" else f"reltime_{field}"


def plan(command: RelTime, relation: Relation, context: Context) -> Relation:
    """Add the fields."""
    made: list[tuple[str, Column, Tree]] = []
    for field, name in command.pairs:
        value = relation.value(field)
        if value is not None:
            age = context.column(Shape.NUMBER)
            now = number(context.now / 1e9)
            relation = relation.computed([(age, call("minus", now, as_number(value)))])
            made.append((name, context.column(Shape.TEXT), _shown(age)))
    return relation.extended(made)


def _shown(age: Column) -> Tree:
    """Return an age in seconds in its largest whole unit; less than a second is none of them."""
    seconds = call("abs", column(age.name))
    tree: Tree = text("now")
    for unit, length in reversed(_UNITS):
        count = call("toString", call("floor", call("divide", seconds.copy(), number(length))))
        several = call("greaterOrEquals", seconds.copy(), number(2 * length))
        shown = call("concat", count, text(f" {unit}"), either(several, text("s"), text("")))
        tree = either(call("greaterOrEquals", seconds.copy(), number(length)), shown, tree)
    past = call("greaterOrEquals", column(age.name), number(0))
    parts = either(past, array([tree, text(" ago")]), array([text("in "), tree.copy()]))
    told = call("arrayStringConcat", parts, text(""))
    told = either(call("less", seconds.copy(), number(1)), text("now"), told)
    return either(is_null(column(age.name)), null(), told)
