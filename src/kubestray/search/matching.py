"""Search clauses as conditions on rows: what ``search`` does."""

from __future__ import annotations

import re

from sqlglot import exp

from kubestray.search.compare import compare
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Clause, Junction, Negation, Term, TermIn, Word
from kubestray.search.values import NULL, Shape, Value, any_value, as_list, looks_numeric, present
from kubestray.store.trees import Tree, all_of, any_of, call, column, number, text


def matches(clause: Clause, relation: Relation, context: Context) -> Tree:
    """Return the condition that a row matches the clause; never null."""
    match clause:
        case Junction(operator="and"):
            return all_of([matches(part, relation, context) for part in clause.operands])
        case Junction():
            return any_of([matches(part, relation, context) for part in clause.operands])
        case Negation():
            return call("not", matches(clause.operand, relation, context))
        case TermIn():
            return any_of(
                [
                    _term(Term(clause.at, clause.field, "=", value), relation, context)
                    for value in clause.values
                ]
            )
        case Term():
            return _term(clause, relation, context)
        case Word():
            return _word(clause, relation)


def _term(term: Term, relation: Relation, context: Context) -> Tree:
    value = relation.value(term.field) or NULL
    if term.operator == "=":
        return _has(value, term.value)
    if term.operator == "!=":
        return all_of([present(value), _differs(value, term.value, context)])
    wanted = Value(Shape.TEXT, call("toNullable", text(term.value)), static=True)
    if _reads_as_number(term.value):
        wanted = Value(
            Shape.NUMBER, call("toNullable", call("toFloat64", number(float(term.value)))), static=True
        )
        holds = all_of([looks_numeric(value), compare(term.operator, value, wanted, context.switches)])
    else:
        holds = compare(term.operator, value, wanted, context.switches)
    return call("ifNull", holds, exp.Literal.number(0))


def _differs(value: Value, wanted: str, context: Context) -> Tree:
    if context.switches.mv_not_equal == "any":
        return any_value(as_list(value), call("not", _equals(wanted)))
    return call("not", _has(value, wanted))


def _has(value: Value, wanted: str) -> Tree:
    """Return whether any value equals, without regard to case; numbers also by value."""
    return any_value(as_list(value), _equals(wanted))


def _equals(wanted: str) -> Tree:
    x = column("x")
    if "*" in wanted:
        return call("match", x, text(wildcard(wanted, ignore_case=True)))
    same = call("equals", call("lowerUTF8", x), call("lowerUTF8", text(wanted)))
    if not _reads_as_number(wanted):
        return same
    by_number = call("ifNull", call("equals", call("toFloat64OrNull", x), number(float(wanted))), number(0))
    return any_of([same, by_number])


def _word(word: Word, relation: Relation) -> Tree:
    if word.value == "*":
        return exp.true()
    regex = wildcard(f"*{word.value}*", ignore_case=True)
    found = call("match", column("x"), text(regex))
    return any_of([any_value(as_list(field.value()), found) for field in relation.fields.values()])


def wildcard(pattern: str, *, ignore_case: bool = False) -> str:
    """Return the regular expression (RE2) of a pattern in which ``*`` is any text."""
    body = ".*".join(_quote(part) for part in pattern.split("*"))
    return f"(?s{'i' * ignore_case})^{body}$"


def _quote(literal: str) -> str:
    # RE2 reads \x{…} for any character, so nothing but ASCII letters and digits is left as it is.
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"\\x{{{ord(found[0]):X}}}", literal)


def _reads_as_number(value: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value) is not None
