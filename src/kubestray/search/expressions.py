"""Reads eval expressions: ``'quoted field'``, ``"text"``, numbers, calls and operators.

Binding, loosest first: XOR, OR, AND, NOT, comparison, ``+ - .``, ``* / %``, unary minus.
"""

from __future__ import annotations

from kubestray.search.cursor import Cursor
from kubestray.search.syntax import Binary, Call, Expression, Field, Member, Number, String, Subsearch, Unary

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w])"
# Dots are left out: in an expression they join texts, so a dotted field needs single quotes.
_NAME = r"(?:<<\w+>>|[A-Za-z_@{}])(?:<<\w+>>|[\w@{}:])*"
_COMPARISON = r"==|=|!=|<=|>=|<(?!<)|>"


def expression(cursor: Cursor) -> Expression:
    """Read one expression."""
    return _xor(cursor)


def _xor(cursor: Cursor) -> Expression:
    left = _or(cursor)
    while cursor.keyword("xor"):
        left = Binary(left.at, "xor", left, _or(cursor))
    return left


def _or(cursor: Cursor) -> Expression:
    left = _and(cursor)
    while cursor.keyword("or"):
        left = Binary(left.at, "or", left, _and(cursor))
    return left


def _and(cursor: Cursor) -> Expression:
    left = _not(cursor)
    while cursor.keyword("and"):
        left = Binary(left.at, "and", left, _not(cursor))
    return left


def _not(cursor: Cursor) -> Expression:
    at = cursor.skip()
    if cursor.keyword("not") or cursor.match(r"!(?!=)"):
        return Unary(at, "not", _not(cursor))
    return _comparison(cursor)


def _comparison(cursor: Cursor) -> Expression:
    left = _sum(cursor)
    while True:
        if found := cursor.match(_COMPARISON):
            operator = "==" if found[0] == "=" else found[0]
            left = Binary(left.at, operator, left, _sum(cursor))
        elif cursor.keyword("like"):
            left = Call(left.at, "like", (left, _sum(cursor)))
        elif cursor.keyword("in"):
            cursor.expect("(", "after IN")
            left = Member(left.at, left, _arguments(cursor))
        else:
            return left


def _sum(cursor: Cursor) -> Expression:
    left = _product(cursor)
    while found := cursor.match(r"[+\-.]"):
        left = Binary(left.at, found[0], left, _product(cursor))
    return left


def _product(cursor: Cursor) -> Expression:
    left = _signed(cursor)
    while found := cursor.match(r"[*/%]"):
        left = Binary(left.at, found[0], left, _signed(cursor))
    return left


def _signed(cursor: Cursor) -> Expression:
    at = cursor.skip()
    if cursor.take("-"):
        return Unary(at, "-", _signed(cursor))
    cursor.take("+")
    return _primary(cursor)


def _primary(cursor: Cursor) -> Expression:
    at = cursor.skip()
    if (text := cursor.quoted('"')) is not None:
        return String(at, text)
    if (name := cursor.quoted("'")) is not None:
        return Field(at, name)
    if found := cursor.match(_NUMBER):
        return Number(at, float(found[0]))
    if cursor.looking_at("["):
        return Subsearch(at, cursor.subsearch("to start a subsearch"))
    if cursor.take("("):
        inner = expression(cursor)
        cursor.expect(")", "to close the parenthesis")
        return inner
    if found := cursor.match(_NAME):
        if cursor.take("("):
            return Call(at, found[0].lower(), _arguments(cursor))
        return Field(at, found[0])
    raise cursor.error(
        f"expected a value, found {cursor.found()}", hint='a field, a number, "text" or a function'
    )


def _arguments(cursor: Cursor) -> tuple[Expression, ...]:
    """Read the arguments after an opening parenthesis, and the closing one."""
    if cursor.take(")"):
        return ()
    arguments = [expression(cursor)]
    while cursor.take(","):
        arguments.append(expression(cursor))
    cursor.expect(")", "to close the call")
    return tuple(arguments)
