"""``bin [span=N|TIME] FIELD [AS NAME]`` puts values into bins; ``bucket`` is the same.

For ``_time`` the span is a length of time (``5m``) and the bin is its start. For another field it is a
number and the bin is written ``FROM-TO``. ``aligntime`` and automatic bins are not supported.

Example::

    | bin span=5m _time | stats count BY _time
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.times import parse_duration
from kubestray.search.values import Shape, as_number
from kubestray.store.trees import Tree, call, number, text

_OPTION = r"(span|bins|minspan|start|end|aligntime)\s*=\s*([^\s,|\]]+)"


@dataclass(frozen=True, slots=True)
class Bin(Command):
    """The ``bin`` command."""

    field: str
    name: str
    span: str


def parse(cursor: Cursor, at: int) -> Bin:
    """Read the options, the field and the name."""
    options: dict[str, str] = {}
    _options(cursor, options)
    field = cursor.field("to put into bins")
    name = cursor.field("after AS") if cursor.keyword("as") else field
    _options(cursor, options)
    if "span" not in options:
        raise cursor.error("bin needs a span", at, "write span=5m for _time, span=10 for a number")
    return Bin(at, field, name, options["span"])


def _options(cursor: Cursor, options: dict[str, str]) -> None:
    while found := cursor.match(_OPTION):
        if found[1].lower() != "span":
            raise cursor.error(f"bin option {found[1]!r} is known in SPL but not supported here")
        options["span"] = found[2]


def plan(command: Bin, relation: Relation, context: Context) -> Relation:
    """Put the values into bins."""
    value = relation.value(command.field)
    if value is None:
        return relation
    if command.field == "_time":
        start = _start(as_number(value), _seconds(command, context))
        return relation.extended([(command.name, context.column(Shape.NUMBER), start)])
    if not re.fullmatch(r"\d+(\.\d+)?", command.span) or not float(command.span):
        raise context.error(command.at, f"span={command.span} is no number above 0")
    size = float(command.span)
    start = _start(as_number(value), size)
    end = call("plus", start.copy(), number(size))
    shown = call("concat", call("toString", start), text("-"), call("toString", end))
    return relation.extended([(command.name, context.column(Shape.TEXT), shown)])


def _seconds(command: Bin, context: Context) -> float:
    duration = parse_duration(command.span)
    if not duration:
        raise context.error(command.at, f"span={command.span} is not a length of time", "write span=5m")
    return duration / 1e9


def _start(value: Tree, size: float) -> Tree:
    return call("multiply", call("floor", call("divide", value, number(size))), number(size))
