"""``convert [timeformat=FORMAT] FUNCTION(FIELD) [AS NAME] …`` turns texts into numbers and times into texts.

Functions: ``num``, the number that a value is, by whichever of the others fits; ``auto`` the same, but a
field in which some value is none stays as it is; ``rmcomma`` without the commas; ``rmunit`` the number at
the start; ``memk`` a size such as 5M in kilobytes; ``dur2sec`` a length of time ``[D+]HH:MM:SS`` in
seconds; ``mstime`` ``[MM:]SS.SSS`` in seconds; ``ctime`` seconds as a time that people read, ``mktime``
such a time in seconds, both in the format that ``timeformat`` says (``%m/%d/%Y %H:%M:%S`` unless given);
``none`` keeps fields from the patterns of the other functions. What a function cannot convert is no value
then, but with ``auto``. The result replaces the field unless AS names another one. Patterns are known.

Example::

    | convert timeformat="%H:%M" ctime(_time) AS clock auto(*) none(pid)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.evaluate import evaluate
from kubestray.search.options import read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Call, Command, Field, Node, String
from kubestray.search.values import Shape, as_text, choose, parse_number, present
from kubestray.search.wildcards import field_parts, fill
from kubestray.store.trees import Tree, array, call, column, either, lambda_, null, number, over, text

_TIMES = {"ctime": "strftime", "mktime": "strptime"}
_FORMAT = "%m/%d/%Y %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Conversion(Node):
    """One ``function(field) AS name``."""

    function: str
    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Convert(Command):
    """The ``convert`` command."""

    conversions: tuple[Conversion, ...]
    format: str


def parse(cursor: Cursor, at: int) -> Convert:
    """Read the format and the conversions."""
    options: dict[str, str] = {}
    conversions: list[Conversion] = []
    while True:
        if read_options(cursor, ["timeformat"], options):
            continue
        if not cursor.at_field() and conversions:
            break
        conversions.append(_conversion(cursor))
        cursor.take(",")
    return Convert(at, tuple(conversions), options.get("timeformat", _FORMAT))


def _conversion(cursor: Cursor) -> Conversion:
    start = cursor.skip()
    known = (*_NUMBERS, *_TIMES, "auto", "none")
    found = cursor.match(rf"({'|'.join(known)})\s*\(")
    if not found:
        raise cursor.error(
            f"expected a conversion such as num(field), found {cursor.found()}", start, ", ".join(known)
        )
    field = cursor.field("to convert")
    cursor.expect(")", f"to close {found[1]}(")
    name = cursor.field("after AS") if cursor.keyword("as") else field
    if "*" in name and name.count("*") != field.count("*"):
        raise cursor.error("both sides of AS need the same wildcards", start)
    return Conversion(start, found[1].lower(), field, name)


def plan(command: Convert, relation: Relation, context: Context) -> Relation:
    """Convert the fields, one after the other: a later conversion sees what an earlier one made."""
    kept = {name for one in command.conversions if one.function == "none" for name in _fields(one, relation)}
    for one in command.conversions:
        for field, name in _fields(one, relation).items():
            if one.function != "none" and not (field in kept and "*" in one.field):
                relation = _converted(one, field, name, command, relation, context)
    return relation


def _fields(one: Conversion, relation: Relation) -> dict[str, str]:
    """Return the fields that a conversion is of, with the names of its results."""
    found = {name: field_parts(one.field, name) for name in relation.fields}
    return {name: fill(one.name, stars) for name, stars in found.items() if stars is not None}


def _converted(
    one: Conversion, field: str, name: str, command: Convert, relation: Relation, context: Context
) -> Relation:
    value = relation.fields[field].value()
    if one.function in _TIMES:
        written = Call(one.at, _TIMES[one.function], (Field(one.at, field), String(one.at, command.format)))
        relation, made = evaluate(written, relation, context)
        return relation.extended([(name, context.column(made.shape), made.tree)])
    if value.shape is Shape.NUMBER:
        return relation.extended([(name, context.column(Shape.NUMBER), value.tree)])
    build = _NUMBERS["num" if one.function == "auto" else one.function]
    found = context.column(Shape.NUMBER)
    relation = relation.computed([(found, build(as_text(value)))])
    made = found.value()
    if one.function == "auto":
        other = call("and", present(value), call("isNull", made.tree))
        found_all = call("not", over(call("max", other)))
        made = choose([(found_all, made)], value)
    return relation.extended([(name, context.column(made.shape), made.tree)])


def _without_commas(shown: Tree) -> Tree:
    return parse_number(call("replaceAll", shown, text(","), text("")))


def _at_start(regex: str) -> Callable[[Tree], Tree]:
    """Make what returns the number at the start of a text of a form."""
    return lambda shown: call("toFloat64OrNull", call("extract", shown, text(regex)))


def _kilobytes(shown: Tree) -> Tree:
    """Return a size in kilobytes; without a letter it is one already."""
    size = _at_start(rf"(?i)^\s*({_DIGITS})\s*[kmg]?\s*$")(shown)
    letter = call("lower", call("extract", shown.copy(), text(r"(?i)([mg])\s*$")))
    factor = either(call("equals", letter, text("m")), number(1024), number(1))
    factor = either(call("equals", letter.copy(), text("g")), number(1024 * 1024), factor)
    return call("multiply", size, factor)


def _clock(regex: str, *sizes: int) -> Callable[[Tree], Tree]:
    """Make what returns seconds of a text whose groups are amounts of these sizes."""

    def build(shown: Tree) -> Tree:
        known = call("ifNull", shown, text(""))
        parts = call("extractGroups", known, text(regex))
        amounts = call("arrayMap", lambda_("x", call("toFloat64OrZero", column("x"))), parts)
        total = call("arrayDotProduct", amounts, array([number(float(size)) for size in sizes]))
        return either(call("match", known.copy(), text(regex)), call("toNullable", total), null())

    return build


_DIGITS = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_duration = _clock(r"^\s*(?:(\d+)\+)?(\d+):(\d+):(\d+(?:\.\d+)?)\s*$", 86400, 3600, 60, 1)
_minutes = _clock(r"^\s*(?:(\d+):)?(\d+(?:\.\d+)?)\s*$", 60, 1)
_with_unit = _at_start(rf"^\s*({_DIGITS})\s*[\pL%]+$")


def _any(shown: Tree) -> Tree:
    """Return a number by whichever form fits."""
    forms = (parse_number, _without_commas, _duration, _minutes, _kilobytes, _with_unit)
    return call("coalesce", *(form(shown.copy()) for form in forms))


_NUMBERS: dict[str, Callable[[Tree], Tree]] = {
    "num": _any,
    "rmcomma": _without_commas,
    "rmunit": _at_start(rf"^\s*({_DIGITS})"),
    "memk": _kilobytes,
    "dur2sec": _duration,
    "mstime": _minutes,
}
