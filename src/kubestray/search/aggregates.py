"""Reads lists of aggregates: ``avg(x) AS y count values(z)``, as ``stats`` and ``mstats`` have them."""

from __future__ import annotations

from kubestray.search.cursor import Cursor
from kubestray.search.expressions import expression
from kubestray.search.syntax import Aggregate, Expression

_FUNCTION = r"([A-Za-z_][A-Za-z0-9_]*)\s*\("
_COUNT = r"(count|c)(?![\w(.=])"


def aggregates(cursor: Cursor) -> tuple[Aggregate, ...]:
    """Read aggregates up to the first thing that is none; at least one."""
    found = [_aggregate(cursor)]
    while cursor.take(",") or _at_aggregate(cursor):
        found.append(_aggregate(cursor))
    return tuple(found)


def _at_aggregate(cursor: Cursor) -> bool:
    start = cursor.skip()
    found = cursor.match(_FUNCTION) or cursor.match(_COUNT)
    cursor.at = start
    return found is not None and found[1].lower() not in ("by", "where", "as")


def _aggregate(cursor: Cursor) -> Aggregate:
    at = cursor.skip()
    if found := cursor.match(_FUNCTION):
        function = found[1].lower()
        argument = _argument(cursor)
        cursor.expect(")", f"to close {function}(")
    elif found := cursor.match(_COUNT):
        function, argument = "count", None
    else:
        raise cursor.error(f"expected an aggregate such as count or avg(field), found {cursor.found()}")
    written = "".join(cursor.source.text[at : cursor.at].split())
    return Aggregate(at, function, argument, cursor.field("after AS") if cursor.keyword("as") else written)


def _argument(cursor: Cursor) -> str | Expression | None:
    if cursor.looking_at(")"):
        return None
    if cursor.match(r"eval\s*\("):
        inner = expression(cursor)
        cursor.expect(")", "to close eval(")
        return inner
    return cursor.field("to aggregate")
