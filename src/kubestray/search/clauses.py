"""Reads search clauses, as ``search`` and ``mstats … where`` use them.

``field=value`` with wildcards, ``IN``, comparison, words, ``CASE(…)`` and ``TERM(…)``, subsearches; AND is
implied between terms, and OR binds *before* AND (the other way round from expressions).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from kubestray.search.cursor import Cursor
from kubestray.search.syntax import Clause, Junction, Negation, Subsearch, Term, TermIn, Word

_OPERATOR = r"!=|<=|>=|==|=|<(?!<)|>"
# A backslash stands before a quote, a pipe or a backslash that is meant as a character.
_ESCAPED = r"\\[\"|\\]"
_VALUE = rf"(?:<<\w+>>|{_ESCAPED}|[^\s,|\[\]()\"'=<>!`])+"
# In a value these are characters like any other: a=b=c, url=x?y=1, name=O'Neil, range=5-10!
_VALUE_OF_FIELD = rf"(?:<<\w+>>|(?:now|time)\(\)|{_ESCAPED}|[^\s,|\[\]()\"<>`])+"
_INDEXED = re.compile(r"(?![\da-fA-F:]+$)([A-Za-z_][\w.]*)::(.*)", re.DOTALL)
_DIRECTIVE = r"(CASE|TERM)\(\s*"

Stop = Callable[[Cursor], bool]
"""Tells a keyword (``by``, ``span=``) that ends the clause from a word that belongs to it."""


def clause(cursor: Cursor, stop: Stop = lambda _: False) -> Clause:
    """Read a clause up to the end of the command or the first place where ``stop`` is true."""
    operands = [_or(cursor, stop)]
    while not _ended(cursor, stop):
        _operator(cursor, "AND")
        operands.append(_or(cursor, stop))
    return operands[0] if len(operands) == 1 else Junction(operands[0].at, "and", tuple(operands))


def _ended(cursor: Cursor, stop: Stop) -> bool:
    return cursor.at_end() or cursor.source.text[cursor.at] in "|])" or stop(cursor)


def _operator(cursor: Cursor, word: str) -> bool:
    """Pass an operator: in capital letters, for otherwise it is a word like any other."""
    found = cursor.peek_word() == word.lower() and cursor.looking_at(word)
    return found and cursor.take(word)


def _or(cursor: Cursor, stop: Stop) -> Clause:
    operands = [_not(cursor, stop)]
    while not cursor.at_end() and _operator(cursor, "OR"):
        operands.append(_not(cursor, stop))
    return operands[0] if len(operands) == 1 else Junction(operands[0].at, "or", tuple(operands))


def _not(cursor: Cursor, stop: Stop) -> Clause:
    at = cursor.skip()
    if _operator(cursor, "NOT"):
        return Negation(at, _not(cursor, stop))
    if cursor.take("("):
        if cursor.take(")"):
            return Junction(at, "and", ())
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
    quoted = _quoted(cursor)
    name = quoted if quoted is not None else _name(cursor)
    if found := cursor.match(_OPERATOR):
        return _comparison(cursor, at, name, "=" if found[0] == "==" else found[0])
    if cursor.match(r"in\s*\("):
        return TermIn(at, name, *_items(cursor))
    if cursor.match(r"not\s+in\s*\("):
        return Negation(at, TermIn(at, name, *_items(cursor)))
    if quoted is None and (found := _INDEXED.fullmatch(name)):
        return Term(at, found[1], "=", found[2] or _value(cursor))
    return Word(at, name)


def _name(cursor: Cursor) -> str:
    """Read a bare field or word; an operator cannot stand there."""
    start = cursor.skip()
    name = _bare(cursor, _VALUE, "a field or a word to search for")
    if name in ("AND", "OR", "NOT"):
        hint = f'write "{name.lower()}" in quotes if it is a word to search for'
        raise cursor.error(f"expected a field or a word to search for, found {name!r}", start, hint)
    return name


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


def _items(cursor: Cursor) -> tuple[tuple[str, ...], tuple[Subsearch, ...]]:
    """Read the values and subsearches of a list, and the closing parenthesis."""
    values: list[str] = []
    inner: list[Subsearch] = []
    while True:
        at = cursor.skip()
        if cursor.looking_at("["):
            inner.append(Subsearch(at, cursor.subsearch("to start a subsearch")))
        else:
            values.append(_value(cursor))
        if cursor.take(")"):
            return tuple(values), tuple(inner)
        cursor.take(",")


def listed(cursor: Cursor) -> tuple[str, ...]:
    """Read values up to the end, with commas between them or not; there may be none."""
    values: list[str] = []
    while not cursor.at_end():
        values.append(_value(cursor))
        cursor.take(",")
    return tuple(values)


def _quoted(cursor: Cursor) -> str | None:
    """Read a quoted text; in clauses a pipe in it may have a backslash."""
    return cursor.quoted(escaped="\"'\\|")


def _value(cursor: Cursor) -> str:
    quoted = _quoted(cursor)
    return quoted if quoted is not None else _bare(cursor, _VALUE_OF_FIELD, "a value")


def _bare(cursor: Cursor, pattern: str, wanted: str) -> str:
    found = cursor.match(pattern)
    if not found:
        raise cursor.error(f"expected {wanted}, found {cursor.found()}")
    return re.sub(_ESCAPED, lambda escaped: escaped[0][1], found[0])


def conjuncts(clause: Clause | None) -> list[Clause]:
    """Return the parts of a clause that must all hold."""
    if clause is None:
        return []
    if isinstance(clause, Junction) and clause.operator == "and":
        return [inner for operand in clause.operands for inner in conjuncts(operand)]
    return [clause]
