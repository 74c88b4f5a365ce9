"""Reads lists of aggregates: ``avg(x) AS y count values(z)``, as ``stats`` and ``mstats`` have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.expressions import expression
from kubestray.search.statistics import find
from kubestray.search.syntax import Aggregate, Binary, Call, Expression, Field, Member, Unary

_FUNCTION = r"([A-Za-z_][A-Za-z0-9_]*(?:\.\d+)?)\s*\("
_COUNT = r"(count|c)(?![\w(.=])"
_BARE = r"([A-Za-z_]\w*(?:\.\d+)?)(?![\w(.=])"
_KEYWORDS = ("by", "where", "as", "over", "groupby")


@dataclass(frozen=True, slots=True)
class Sparkline(Aggregate):
    """``sparkline(AGGREGATE, SPAN)``: the aggregate for each span of time, as one multivalue field."""

    inner: Aggregate
    span: str | None


@dataclass(frozen=True, slots=True)
class Formula(Aggregate):
    """``eval(EXPRESSION)`` over aggregates: the expression has their names as fields."""

    parts: tuple[Aggregate, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """Which aggregates a command takes.

    ``implied`` means that a function alone is taken of all fields; ``formulas`` that ``eval(…)`` may
    compute with aggregates.
    """

    implied: bool = False
    formulas: bool = False


PLAIN = Style()


def aggregates(cursor: Cursor, style: Style = PLAIN) -> tuple[Aggregate, ...]:
    """Read aggregates up to the first thing that is none; at least one."""
    found = [one_aggregate(cursor, style)]
    while cursor.take(",") or _at_aggregate(cursor, style):
        found.append(one_aggregate(cursor, style))
    return tuple(found)


def _at_aggregate(cursor: Cursor, style: Style) -> bool:
    start = cursor.skip()
    found = cursor.match(_FUNCTION) or cursor.match(_COUNT)
    if not found and style.implied:
        found = cursor.match(_BARE)
        found = found if found and find(found[1].lower()) else None
    cursor.at = start
    return found is not None and found[1].lower() not in _KEYWORDS


def one_aggregate(cursor: Cursor, style: Style = PLAIN) -> Aggregate:
    """Read one aggregate and its name."""
    made = _unnamed(cursor, style)
    if not cursor.keyword("as"):
        return made
    return _renamed(made, cursor.field("after AS"))


def _renamed(made: Aggregate, name: str) -> Aggregate:
    if isinstance(made, Sparkline):
        return Sparkline(made.at, made.function, made.argument, name, made.inner, made.span)
    if isinstance(made, Formula):
        return Formula(made.at, made.function, made.argument, name, made.parts)
    return Aggregate(made.at, made.function, made.argument, name)


def _unnamed(cursor: Cursor, style: Style) -> Aggregate:
    at = cursor.skip()
    if style.formulas and cursor.match(r"eval\s*\("):
        return _formula(cursor, at)
    if cursor.match(r"sparkline\s*\("):
        return _sparkline(cursor, at)
    if found := cursor.match(_FUNCTION):
        argument, shown = _argument(cursor)
        cursor.expect(")", f"to close {found[1].lower()}(")
        name = found[1] if shown is None else f"{found[1]}({shown})"
        return Aggregate(at, found[1].lower(), argument, name)
    if found := cursor.match(_COUNT):
        return Aggregate(at, "count", None, found[1])
    if style.implied and _at_aggregate(cursor, style):
        bare = cursor.match(_BARE)
        assert bare
        return Aggregate(at, bare[1].lower(), "*", f"{bare[1]}(*)")
    raise cursor.error(f"expected an aggregate such as count or avg(field), found {cursor.found()}")


def _argument(cursor: Cursor) -> tuple[str | Expression | None, str | None]:
    """Read what is aggregated; return it, and how the result's name shows it."""
    if cursor.looking_at(")"):
        return None, None
    start = cursor.skip()
    if cursor.match(r"eval\s*\("):
        inner = expression(cursor)
        written = cursor.source.text[start : cursor.at].rstrip()
        cursor.expect(")", "to close eval(")
        return inner, f"{written})"
    name = cursor.field("to aggregate")
    return name, name


def _sparkline(cursor: Cursor, at: int) -> Sparkline:
    inner = _unnamed(cursor, PLAIN)
    span = None
    if cursor.take(","):
        found = cursor.match(r"[\w.@]+")
        if not found:
            raise cursor.error(f"expected a length of time such as 5m, found {cursor.found()}")
        span = found[0]
    cursor.expect(")", "to close sparkline(")
    return Sparkline(at, "sparkline", inner.argument, _written(cursor, at), inner, span)


def _formula(cursor: Cursor, at: int) -> Formula:
    inner = expression(cursor)
    cursor.expect(")", "to close eval(")
    parts: list[Aggregate] = []
    changed = _with_parts(inner, parts)
    if not parts:
        raise cursor.error("expected an aggregate within eval(), such as avg(x)", at)
    return Formula(at, "eval", changed, _written(cursor, at), tuple(parts))


def _with_parts(node: Expression, parts: list[Aggregate]) -> Expression:
    """Return an expression in which each aggregate is a field of its name, and collect the aggregates."""

    def again(inner: Expression) -> Expression:
        return _with_parts(inner, parts)

    def part(at: int, function: str, argument: str | None) -> Field:
        name = f"{function}({argument})" if argument else function
        if all(known.name != name for known in parts):
            parts.append(Aggregate(at, function, argument, name))
        return Field(at, name)

    match node:
        case Call(at=at, name=name, arguments=(Field(name=field),)) if find(name):
            return part(at, name, field)
        case Call(at=at, name="count" | "c", arguments=()) | Field(at=at, name="count"):
            return part(at, "count", None)
        case Call():
            return Call(node.at, node.name, tuple(map(again, node.arguments)))
        case Unary():
            return Unary(node.at, node.operator, again(node.operand))
        case Binary():
            return Binary(node.at, node.operator, again(node.left), again(node.right))
        case Member():
            return Member(node.at, again(node.operand), tuple(map(again, node.options)))
    return node


def _written(cursor: Cursor, at: int) -> str:
    """Return what was read, as the name of a result."""
    return re.sub(r"\s*([(),])\s*", r"\1", cursor.source.text[at : cursor.at].strip())


def by_fields(cursor: Cursor, options: Callable[[Cursor], bool] = lambda _: False) -> tuple[str, ...]:
    """Read the fields after BY, if there are any; ``options`` reads an option that stands among them.

    Wildcards are refused: they would not say how many fields there are.
    """
    while options(cursor):
        pass
    if not cursor.keyword("by"):
        return ()
    names: list[str] = []
    while not names or cursor.at_field():
        at = cursor.skip()
        if options(cursor):
            continue
        names.append(cursor.field("after BY"))
        if "*" in names[-1]:
            raise cursor.error("BY takes no wildcards", at)
        if cursor.take(",") and not cursor.at_field():
            raise cursor.error(f"expected a field after the comma, found {cursor.found()}")
    while options(cursor):
        pass
    return tuple(dict.fromkeys(names))
