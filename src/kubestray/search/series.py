"""Clauses about metric points: what ``where`` of ``mstats`` and ``filter`` of ``mpreview`` may say.

Attributes compare as texts and with their case; ``*`` is a wildcard; ``!=`` holds where the attribute
exists and differs. ``index``, ``earliest`` and ``latest`` are taken out of the clause.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from sqlglot import exp

from kubestray.search.clauses import conjuncts
from kubestray.search.matching import wildcard
from kubestray.search.relation import Context
from kubestray.search.subsearches import resolved
from kubestray.search.syntax import Clause, Junction, Negation, Subsearch, Term, TermIn, Word
from kubestray.search.times import BadTime, parse_time
from kubestray.search.trace import When
from kubestray.search.wildcards import parts
from kubestray.store.points import Span
from kubestray.store.trees import Tree, all_of, any_of, call, column, number, text

_TIMES = ("earliest", "latest")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a clause selects: a condition on the catalog (None: all series), and the time range."""

    series: Tree | None
    span: Span
    metrics: tuple[str, ...] = ("*",)
    """The patterns that ``metric_name`` in the clause asks for."""
    ranged: Callable[[When], Span] = lambda when: when.span
    """How the range follows from the time of the search."""


def scope(clause: Clause | None, context: Context) -> Scope:
    """Read a clause; without a time in it, the range is the search's own."""
    times: dict[str, str] = {}
    rest: list[Clause] = []
    for part in conjuncts(resolved(clause, context) if clause else None):
        if isinstance(part, Term) and part.field.lower() in _TIMES:
            times[part.field.lower()] = _time(part, context)
        else:
            rest.append(part)
    conditions = [tree for tree in (_condition(part, context) for part in rest) if tree != exp.true()]
    named = [name for part in rest for name in _metric_names(part)]
    ranged = partial(_range, times, context.timezone)
    series = all_of(conditions) if conditions else None
    return Scope(series, ranged(context.when), tuple(named) or ("*",), ranged)


def _metric_names(part: Clause) -> tuple[str, ...]:
    if isinstance(part, Term) and part.field.lower() == "metric_name" and part.operator == "=":
        return (_text(part),)
    return part.values if isinstance(part, TermIn) and part.field.lower() == "metric_name" else ()


def _range(times: Mapping[str, str], zone: str, when: When) -> Span:
    """Return the range: a time in the text replaces the search's own, and no ``latest`` then is now."""
    if not times:
        return when.span
    found = {name: parse_time(written, when.now, zone) for name, written in times.items()}
    return Span(found.get("earliest", when.span.earliest), found.get("latest", when.now))


def _time(term: Term, context: Context) -> str:
    """Return a time as it is written, once it is known to be one."""
    if term.operator != "=":
        raise context.error(term.at, f"{term.field} takes a single time", f"write {term.field}={term.value}")
    try:
        parse_time(_text(term), context.when.now, context.timezone)
    except BadTime as error:
        raise context.error(term.at, f"{term.field}: {error}") from error
    return _text(term)


def _text(term: Term) -> str:
    assert isinstance(term.value, str)  # subsearches are resolved before
    return term.value


def _condition(clause: Clause, context: Context) -> Tree:
    match clause:
        case Junction(operator="and"):
            return all_of([_condition(part, context) for part in clause.operands])
        case Junction():
            return any_of([_condition(part, context) for part in clause.operands])
        case Negation():
            return call("not", _condition(clause.operand, context))
        case TermIn():
            return any_of(
                [_term(Term(clause.at, clause.field, "=", value), context) for value in clause.values]
            )
        case Term():
            return _term(clause, context)
        case Word(value="*"):
            return exp.true()
        case Word():
            operator = clause.value.upper() if clause.value in ("and", "or", "not") else ""
            hint = f"operators are written in capital letters: {operator}" if operator else ""
            raise context.error(clause.at, f"expected attribute=value, found {clause.value!r}", hint)
        case Subsearch():
            raise AssertionError("subsearches are resolved before")


def _term(term: Term, context: Context) -> Tree:
    name = term.field.lower()
    if name in _TIMES:
        raise context.error(
            term.at, f"{name} must be joined to the rest by AND", "times cannot stand under OR or NOT"
        )
    if name == "index":
        known = any(parts(_text(term), index) is not None for index in context.metric_indexes)
        return exp.true() if known == (term.operator == "=") else exp.false()
    if name == "metric_name":
        return _compare(column("metric"), exp.true(), term, context)
    attribute = call("arrayElement", column("attributes"), text(term.field))
    return _compare(attribute, call("mapContains", column("attributes"), text(term.field)), term, context)


def _compare(value: Tree, exists: Tree, term: Term, context: Context) -> Tree:
    if term.operator in ("=", "!="):
        same = _same(value, _text(term))
        return all_of([exists, same if term.operator == "=" else call("not", same)])
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?", _text(term)):
        raise context.error(term.at, f"{term.operator} compares numbers, found {term.value!r}")
    function = {"<": "less", "<=": "lessOrEquals", ">": "greater", ">=": "greaterOrEquals"}[term.operator]
    holds = call(function, call("toFloat64OrNull", value), number(float(_text(term))))
    return all_of([exists, call("ifNull", holds, number(0))])


def _same(value: Tree, wanted: str) -> Tree:
    if "*" in wanted:
        return call("match", value, text(wildcard(wanted)))
    return exp.EQ(this=value, expression=text(wanted))
