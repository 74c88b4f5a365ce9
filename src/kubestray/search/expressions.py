"""Reads eval expressions: ``'quoted field'``, ``"text"``, numbers, calls, operators, JSON literals.

Binding, loosest first: XOR, OR, AND, NOT, comparison, ``.``, ``+ -``, ``* / %``, unary minus.
"""

from __future__ import annotations

from kubestray.search.cursor import Cursor
from kubestray.search.syntax import Binary, Call, Expression, Field, Member, Number, String, Subsearch, Unary

# A dot before a quote joins.
_NUMBER = r"(?:\d+(?:\.(?!\s*[\"'])\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w])"
_NO_NUMBER = r"\d*\.\d+(?:\.\d+)+"
# Dots are left out: in an expression they join texts, so a dotted field needs single quotes.
_NAME = r"(?:<<\w+>>|\{\w*\}|[A-Za-z_@])(?:<<\w+>>|\{\w*\}|[\w@:])*"
_COMPARISON = r"==|=|!=|<=|>=|<(?!<)|>"
# What tells a JSON array or object from a subsearch or a field's name.
_JSON_ARRAY = r"\[(?=\s*(?:[\"\d{\[\]-]|(?:true|false|null)\b))"
_JSON_OBJECT = r"\{(?=\s*[\"}])"


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
    if cursor.match(r"not\b(?!\s*[=,)])") or cursor.match(r"!(?!=)"):
        return Unary(at, "not", _not(cursor))
    return _comparison(cursor)


def _comparison(cursor: Cursor) -> Expression:
    left = _joined(cursor)
    while True:
        if found := cursor.match(_COMPARISON):
            operator = "==" if found[0] == "=" else found[0]
            left = Binary(left.at, operator, left, _joined(cursor))
            continue
        negated = cursor.match(r"not(?=\s+(?:in|like)\b)") is not None
        if cursor.keyword("like"):
            left = Call(left.at, "like", (left, _joined(cursor)))
        elif cursor.keyword("in"):
            cursor.expect("(", "after IN")
            left = Member(left.at, left, _arguments(cursor))
        else:
            return left
        left = Unary(left.at, "not", left) if negated else left


def _joined(cursor: Cursor) -> Expression:
    left = _sum(cursor)
    while cursor.take("."):
        left = Binary(left.at, ".", left, _sum(cursor))
    return left


def _sum(cursor: Cursor) -> Expression:
    left = _product(cursor)
    while found := cursor.match(r"[+-]"):
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
    if found := cursor.match(_NO_NUMBER):
        raise cursor.error(f"{found[0]} is no number", at, f'write "{found[0]}" if it is a text')
    if found := cursor.match(_NUMBER):
        return Number(at, float(found[0]), found[0])
    if cursor.match(_JSON_ARRAY):
        return Call(at, "json_array", _items(cursor, "]"))
    if cursor.match(_JSON_OBJECT):
        return Call(at, "json_object", _members(cursor))
    if cursor.looking_at("["):
        return Subsearch(at, cursor.subsearch("to start a subsearch"))
    if cursor.take("("):
        inner = expression(cursor)
        cursor.expect(")", "to close the parenthesis")
        return inner
    if found := cursor.match(_NAME):
        if cursor.take("("):
            return Call(at, found[0].lower(), _arguments(cursor))
        return Field(at, found[0], bare="<<" in found[0])
    raise cursor.error(
        f"expected a value, found {cursor.found()}", hint='a field, a number, "text" or a function'
    )


def _arguments(cursor: Cursor) -> tuple[Expression, ...]:
    """Read the arguments after an opening parenthesis, and the closing one."""
    return _items(cursor, ")")


def _items(cursor: Cursor, closing: str) -> tuple[Expression, ...]:
    if cursor.take(closing):
        return ()
    items = [expression(cursor)]
    while cursor.take(","):
        items.append(expression(cursor))
    cursor.expect(closing, "to close the call" if closing == ")" else "to close the array")
    return tuple(items)


def _members(cursor: Cursor) -> tuple[Expression, ...]:
    """Read ``"key": value, …}`` as keys and values by turns."""
    members: list[Expression] = []
    while not cursor.take("}"):
        if members:
            cursor.expect(",", "between members of an object")
        at = cursor.skip()
        key = cursor.quoted('"')
        if key is None:
            raise cursor.error(f"expected a quoted key, found {cursor.found()}")
        cursor.expect(":", "after the key")
        members += [String(at, key), expression(cursor)]
    return tuple(members)
