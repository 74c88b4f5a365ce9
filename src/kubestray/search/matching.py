"""Search clauses as conditions on rows: what ``search`` does."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from kubestray.search.compare import compare
from kubestray.search.networks import in_network, network_of
from kubestray.search.relation import Context, Relation
from kubestray.search.subsearches import resolved
from kubestray.search.syntax import Clause, Junction, Negation, Subsearch, Term, TermIn, Word
from kubestray.search.values import NULL, Shape, Value, any_value, as_list, constant, present
from kubestray.store.trees import Tree, all_of, any_of, call, column, number, one_of, text


def matches(clause: Clause, relation: Relation, context: Context) -> Tree:
    """Return the condition that a row matches the clause; never null."""
    return _matches(resolved(clause, context), relation, context)


def _matches(clause: Clause, relation: Relation, context: Context) -> Tree:
    match clause:
        case Junction(operator="and"):
            return all_of([_matches(part, relation, context) for part in clause.operands])
        case Junction():
            alternatives = _together(clause.operands)
            return any_of([_matches(part, relation, context) for part in alternatives])
        case Negation():
            return call("not", _matches(clause.operand, relation, context))
        case TermIn():
            value = relation.value(clause.field) or NULL
            return any_value(as_list(value), _equals_one(clause.values))
        case Term():
            return _term(clause, relation, context)
        case Word():
            return _word(clause, relation)
        case Subsearch():
            raise AssertionError("subsearches are resolved before")


def _together(alternatives: Sequence[Clause]) -> list[Clause]:
    """Return the alternatives with those that are values of one field made one."""
    values: dict[str, dict[str, int]] = {}
    rest: list[Clause] = []
    for part in alternatives:
        match part:
            case Term(operator="=", value=str() as value, cased=False):
                values.setdefault(part.field, {}).setdefault(value, part.at)
            case _:
                rest.append(part)
    return [TermIn(min(found.values()), name, tuple(found)) for name, found in values.items()] + rest


def _term(term: Term, relation: Relation, context: Context) -> Tree:
    assert isinstance(term.value, str)
    value = relation.value(term.field) or NULL
    if term.operator == "=":
        return any_value(as_list(value), _equals(term.value, cased=term.cased))
    if term.operator == "!=":
        return all_of([present(value), _differs(value, term, context)])
    wanted = Value(Shape.TEXT, call("toNullable", text(term.value)), static=True)
    if reads_as_number(term.value):
        wanted = Value(Shape.NUMBER, constant(float(term.value)), static=True)
    holds = compare(term.operator, value, wanted, context.switches)
    return call("ifNull", holds, exp.Literal.number(0))


def _differs(value: Value, term: Term, context: Context) -> Tree:
    assert isinstance(term.value, str)
    equals = _equals(term.value, cased=term.cased)
    if context.switches.mv_not_equal == "any":
        return any_value(as_list(value), call("not", equals))
    return call("not", any_value(as_list(value), equals))


def _equals(wanted: str, *, cased: bool = False) -> Tree:
    """Return whether the value ``x`` equals, without regard to case unless ``cased``; numbers by value."""
    x = column("x")
    if "*" in wanted:
        return call("match", x, text(wildcard(wanted, ignore_case=not cased)))
    if cased:
        return call("equals", x, text(wanted))
    return _equals_one((wanted,))


def _equals_one(wanted: tuple[str, ...]) -> Tree:
    """Return whether the value ``x`` equals one of some, without regard to case; numbers also by value."""
    x = column("x")
    patterns = [call("match", x, text(wildcard(w, ignore_case=True))) for w in wanted if "*" in w]
    plain = [w for w in wanted if "*" not in w]
    numbers = {float(w) for w in plain if reads_as_number(w)}
    found = [*patterns, *(in_network(x, network) for w in plain if "/" in w and (network := network_of(w)))]
    if plain:
        found.append(one_of(call("lowerUTF8", x), [call("lowerUTF8", text(w)) for w in plain]))
    if numbers:
        equal = one_of(call("toFloat64OrNull", x), [number(n) for n in sorted(numbers)])
        found.append(call("ifNull", equal, number(0)))
    return any_of(found)


def _word(word: Word, relation: Relation) -> Tree:
    """Return whether the words stand in ``_raw``, or in any field where there is no ``_raw``.

    What is looked for begins and ends where a word does, unless there is a ``*``.
    """
    if word.value == "*":
        return exp.true()
    found = call("match", column("x"), text(_whole_words(word)))
    raw = relation.fields.get("_raw")
    fields = [raw] if raw else list(relation.fields.values())
    return any_of([any_value(as_list(field.value()), found) for field in fields])


def _whole_words(word: Word) -> str:
    body = ".*".join(_quote(part) for part in word.value.split("*"))
    before = r"(?:^|[^\pL\pN])" if re.match(r"[^\W_]", word.value) else ""
    after = r"(?:[^\pL\pN]|$)" if re.search(r"[^\W_]$", word.value) else ""
    return f"(?s{'' if word.cased else 'i'}){before}{body}{after}"


def wildcard(pattern: str, *, ignore_case: bool = False) -> str:
    """Return the regular expression (RE2) of a pattern in which ``*`` is any text."""
    body = ".*".join(_quote(part) for part in pattern.split("*"))
    return f"(?s{'i' * ignore_case})^{body}$"


def _quote(literal: str) -> str:
    # RE2 reads \x{…} for any character, so nothing but ASCII letters and digits is left as it is.
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"\\x{{{ord(found[0]):X}}}", literal)


def reads_as_number(value: str) -> bool:
    """Whether a text is a number as people write them."""
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value) is not None
