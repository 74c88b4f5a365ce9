"""Reads search clauses, as ``search`` and ``mstats … where`` use them.

``field=value`` with wildcards, ``IN``, comparison, words; AND is implied between terms, and OR binds
*before* AND (the other way round from expressions).
"""

from __future__ import annotations

from collections.abc import Callable

from kubestray.search.cursor import Cursor
from kubestray.search.syntax import Clause, Junction, Negation, Term, TermIn, Word

_OPERATOR = r"!=|<=|>=|==|=|<(?!<)|>"
_VALUE = r"(?:<<\w+>>|[^\s,|\[\]()\"'=<>!`])+"

Stop = Callable[[Cursor], bool]
"""Tells a keyword (``by``, ``span=``) that ends the clause from a word that belongs to it."""


def clause(cursor: Cursor, stop: Stop = lambda _: False) -> Clause:
    """Read a clause up to the end of the command or the first place where ``stop`` is true."""
    operands = [_or(cursor, stop)]
    while not _ended(cursor, stop):
        cursor.keyword("and")
        operands.append(_or(cursor, stop))
    return operands[0] if len(operands) == 1 else Junction(operands[0].at, "and", tuple(operands))


def _ended(cursor: Cursor, stop: Stop) -> bool:
    return cursor.at_end() or cursor.source.text[cursor.at] in "|])" or stop(cursor)


def _or(cursor: Cursor, stop: Stop) -> Clause:
    operands = [_not(cursor, stop)]
    while not cursor.at_end() and cursor.keyword("or"):
        operands.append(_not(cursor, stop))
    return operands[0] if len(operands) == 1 else Junction(operands[0].at, "or", tuple(operands))


def _not(cursor: Cursor, stop: Stop) -> Clause:
    at = cursor.skip()
    if cursor.keyword("not"):
        return Negation(at, _not(cursor, stop))
    if cursor.take("("):
        inner = clause(cursor)
        cursor.expect(")", "to close the parenthesis")
        return inner
    return _term(cursor)


def _term(cursor: Cursor) -> Clause:
    at = cursor.skip()
    quoted = cursor.quoted()
    name = quoted if quoted is not None else _bare(cursor, "a field or a word to search for")
    if found := cursor.match(_OPERATOR):
        return Term(at, name, "=" if found[0] == "==" else found[0], _value(cursor))
    if cursor.match(r"in\s*\("):
        return TermIn(at, name, _values(cursor))
    return Word(at, name)


def _values(cursor: Cursor) -> tuple[str, ...]:
    values = [_value(cursor)]
    while not cursor.take(")"):
        cursor.take(",")
        values.append(_value(cursor))
    return tuple(values)


def _value(cursor: Cursor) -> str:
    quoted = cursor.quoted()
    return quoted if quoted is not None else _bare(cursor, "a value")


def _bare(cursor: Cursor, wanted: str) -> str:
    found = cursor.match(_VALUE)
    if not found:
        raise cursor.error(f"expected {wanted}, found {cursor.found()}")
    return found[0]


def conjuncts(clause: Clause | None) -> list[Clause]:
    """Return the parts of a clause that must all hold."""
    if clause is None:
        return []
    if isinstance(clause, Junction) and clause.operator == "and":
        return [inner for operand in clause.operands for inner in conjuncts(operand)]
    return [clause]
