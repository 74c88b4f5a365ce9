"""Reads search clauses, as ``search`` and ``mstats … where`` use them.

``field=value`` with wildcards, ``IN``, comparison, words, ``CASE(…)`` and ``TERM(…)``, subsearches; AND is
implied between terms, and OR binds *before* AND (the other way round from expressions).
"""

from __future__ import annotations

from collections.abc import Callable

from kubestray.search.cursor import Cursor
from kubestray.search.syntax import Clause, Junction, Negation, Subsearch, Term, TermIn, Word

_OPERATOR = r"!=|<=|>=|==|=|<(?!<)|>"
_VALUE = r"(?:<<\w+>>|[^\s,|\[\]()\"'=<>!`])+"
# In a value these are characters like any other: a=b=c, url=x?y=1, name=O'Neil, range=5-10!
_VALUE_OF_FIELD = r"(?:<<\w+>>|[^\s,|\[\]()\"<>`])+"
_DIRECTIVE = r"(CASE|TERM)\(\s*"

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
    if cursor.looking_at("["):
        return Subsearch(at, cursor.subsearch("to start a subsearch"))
    return _term(cursor)


def _term(cursor: Cursor) -> Clause:
    at = cursor.skip()
    if directive := cursor.match(_DIRECTIVE):
        return Word(at, _directed(cursor), cased=directive[1].upper() == "CASE")
    quoted = cursor.quoted()
    name = quoted if quoted is not None else _bare(cursor, _VALUE, "a field or a word to search for")
    if found := cursor.match(_OPERATOR):
        return _comparison(cursor, at, name, "=" if found[0] == "==" else found[0])
    if cursor.match(r"in\s*\("):
        return TermIn(at, name, _values(cursor))
    return Word(at, name)


def _comparison(cursor: Cursor, at: int, name: str, operator: str) -> Term:
    inner = cursor.skip()
    if cursor.looking_at("["):
        return Term(at, name, operator, Subsearch(inner, cursor.subsearch("to start a subsearch")))
    if directive := cursor.match(_DIRECTIVE):
        return Term(at, name, operator, _directed(cursor), cased=directive[1].upper() == "CASE")
    return Term(at, name, operator, _value(cursor))


def _directed(cursor: Cursor) -> str:
    """Read what stands in ``CASE(…)`` or ``TERM(…)``, and the closing parenthesis."""
    value = _value(cursor)
    cursor.expect(")", "to close CASE( or TERM(")
    return value


def _values(cursor: Cursor) -> tuple[str, ...]:
    values = [_value(cursor)]
    while not cursor.take(")"):
        cursor.take(",")
        values.append(_value(cursor))
    return tuple(values)


def _value(cursor: Cursor) -> str:
    quoted = cursor.quoted()
    return quoted if quoted is not None else _bare(cursor, _VALUE_OF_FIELD, "a value")


def _bare(cursor: Cursor, pattern: str, wanted: str) -> str:
    found = cursor.match(pattern)
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
