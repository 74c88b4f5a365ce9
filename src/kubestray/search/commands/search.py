"""``search CLAUSE`` keeps the rows that match.

``field=value`` compares without regard to case (``CASE(value)`` with it) and knows ``*``; ``!=`` holds where
the field exists and does not have the value; ``NOT`` also where the field is missing. ``<`` and ``>`` compare
numbers. Terms side by side must all hold; OR binds before AND. A bare word, or ``TERM(word)``, is looked
for in ``_raw``, or in every field where there is none; it has to begin and end where a word does. A
subsearch in brackets stands for the clause that its rows make (see ``format``), or for values where one
stands in ``field IN (a, [ … ])``: ``return $field`` gives them. AND, OR, NOT are written in
capital letters; in small ones they are words. A value in CIDR notation (``10.0.0.0/8``) stands for the
addresses in that network. A backslash stands before a quote, a pipe or a backslash that is meant as such.

As the first command it reads the events of ``index=NAME``: one that was given with ``--index``, one that
``collect`` has filled, or ``risk``, the risk events of detections; without a name it is the index ``main``.
``earliest`` and ``latest`` replace the time range of the search; so do ``starttime``, ``endtime`` in the form
that ``timeformat`` says, ``starttimeu``, ``endtimeu``, and ``daysago``, ``starthoursago``, ``endminutesago``
and their like; ``_index_earliest`` and ``_index_latest`` are about ``_indextime``. The newest events come
first, those that were given in the order they have. Events have the name of their index as the field
``index`` where a later command names that field.

Example::

    | search direction=receive (namespace=shop* OR namespace=data) NOT pod=test-*
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.clauses import clause, conjuncts
from kubestray.search.cursor import Cursor, nearest
from kubestray.search.given import given_relation
from kubestray.search.matching import matches
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.subsearches import resolved
from kubestray.search.syntax import Clause, Command, Junction, Negation, Place, Term, TermIn, Word
from kubestray.search.time_modifiers import Times, is_modifier
from kubestray.search.values import Shape, as_number, missing
from kubestray.search.wildcards import parts
from kubestray.store.points import Span
from kubestray.store.trees import Tree, all_of, any_of, call, number, text

_DEFAULT_INDEX = "main"


@dataclass(frozen=True, slots=True)
class Search(Command):
    """The ``search`` command; ``named`` events have the name of their index as a field."""

    place: ClassVar = Place.ANYWHERE

    clause: Clause
    named: bool = False


def parse(cursor: Cursor, at: int) -> Search:
    """Read the clause; none at all is ``*``."""
    if cursor.at_end() or cursor.looking_at("|") or cursor.looking_at("]"):
        return Search(at, Word(at, "*"))
    return Search(at, clause(cursor))


def plan(command: Search, relation: Relation | None, context: Context) -> Relation:
    """Filter the rows."""
    found = resolved(command.clause, context)
    _note_small_letters(command.clause, context)
    times = Times(conjuncts(found), context)
    if relation is None:
        return _events(command, found, times, context)
    if found == Word(found.at, "*"):
        return relation
    named = [name for name in relation.fields if is_modifier(Term(found.at, name, "=", ""))]
    wanted = found if named else times.as_conditions(found)
    return relation.with_node(Filter(relation.node, matches(wanted, relation, context)))


def _note_small_letters(clause: Clause, context: Context) -> None:
    """Tell of words that may be meant as operators."""
    parts_of_it = _flat(clause)
    if any(isinstance(part, Term | TermIn) for part in parts_of_it):
        for part in parts_of_it:
            if isinstance(part, Word) and part.value in ("and", "or", "not"):
                capital = part.value.upper()
                context.note(f"search: {part.value!r} is a word to look for; the operator is {capital}")


def _flat(clause: Clause) -> list[Clause]:
    match clause:
        case Junction():
            return [inner for part in clause.operands for inner in _flat(part)]
        case Negation():
            return _flat(clause.operand)
    return [clause]


def _events(command: Search, found: Clause, times: Times, context: Context) -> Relation:
    """Return the events of the indexes that the clause names, those that match the rest of it."""
    parts_of_it = conjuncts(found)
    range_of_all = [part for part in parts_of_it if is_modifier(part)]
    rest = [times.as_conditions(part) for part in parts_of_it if not _bounds_all(part)]
    patterns = list(_index_names(found)) or [_DEFAULT_INDEX]
    events = [
        _named(name, _matching(name, relation, rest, context), command.named, context)
        for name, relation in _read(patterns, times.span(range_of_all), context)
    ]
    if not events:
        raise _no_events(command.at, patterns, context)
    return events[0] if len(events) == 1 else stacked(events, context)


def _named(name: str, relation: Relation, named: bool, context: Context) -> Relation:
    """Return the events of an index with its name, if that is asked for and they have no such field."""
    if not named or "index" in relation.fields:
        return relation
    return relation.extended([("index", context.column(Shape.TEXT), call("toNullable", text(name)))])


def _bounds_all(part: Clause) -> bool:
    """Whether a part is a bound of the time range of all events."""
    return isinstance(part, Term) and is_modifier(part) and not part.field.lower().startswith("_index")


def _matching(name: str, relation: Relation, rest: list[Clause], context: Context) -> Relation:
    """Return the events of an index that match the rest of the clause."""
    settled = [part for part in (_within_index(part, name) for part in rest) if part != _always(part)]
    if not settled:
        return relation
    return relation.with_node(
        Filter(relation.node, matches(Junction(settled[0].at, "and", tuple(settled)), relation, context))
    )


def _within_index(clause: Clause, name: str) -> Clause:
    """Return what is left of a clause for events of one index: what it says of indexes is decided."""
    match clause:
        case Junction():
            operands = tuple(_within_index(part, name) for part in clause.operands)
            return Junction(clause.at, clause.operator, operands)
        case Negation():
            return Negation(clause.at, _within_index(clause.operand, name))
        case Term(field=field, value=str() as value) if field.lower() == "index":
            holds = _is_index(value, name) == (clause.operator == "=")
        case TermIn(field=field) if field.lower() == "index":
            holds = any(_is_index(value, name) for value in clause.values)
        case _:
            return clause
    return _always(clause) if holds else Junction(clause.at, "or", ())


def _always(clause: Clause) -> Junction:
    return Junction(clause.at, "and", ())


def _is_index(pattern: str, name: str) -> bool:
    return parts(pattern.lower(), name.lower()) is not None


def _index_names(part: Clause) -> tuple[str, ...]:
    """Return the names of indexes that a clause asks for."""
    match part:
        case Term(operator="=", value=str() as value) if part.field.lower() == "index":
            return (value,)
        case TermIn() if part.field.lower() == "index":
            return part.values
        case Junction():
            return tuple(name for operand in part.operands for name in _index_names(operand))
    return ()


def _read(patterns: list[str], span: Span, context: Context) -> Iterator[tuple[str, Relation]]:
    def wanted(name: str) -> bool:
        return any(_is_index(pattern, name) for pattern in patterns)

    for name in filter(wanted, context.indexes):
        yield name, _within(given_relation(context.indexes[name], context, span=span), span)
    if context.events is None:
        return
    for name in context.events.names():
        if name not in context.indexes and wanted(name):
            yield name, context.events.relation(name, span, context)


def _within(relation: Relation, span: Span) -> Relation:
    """Return the events in a time range; an event without a time is in every range."""
    time = relation.value("_time")
    if time is None or span == Span():
        return relation
    seconds = as_number(time)
    wanted: list[Tree] = [call("greaterOrEquals", seconds, number(span.earliest / 1e9))]
    if span.latest is not None:
        wanted.append(call("less", seconds, number(span.latest / 1e9)))
    return relation.with_node(Filter(relation.node, any_of([missing(time), all_of(wanted)])))


def _no_events(at: int, patterns: list[str], context: Context) -> Exception:
    known = [*context.indexes, *(context.events.names() if context.events else [])]
    hint = nearest(patterns[0], known) or (
        "start with | mstats for metrics, for example: | mstats avg(tcp.*) where index=* by k8s.cluster.name"
    )
    return context.error(at, f"there is no index of events {' or '.join(map(repr, patterns))} here", hint)
