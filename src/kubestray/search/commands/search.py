"""``search CLAUSE`` keeps the rows that match.

``field=value`` compares without regard to case (``CASE(value)`` with it) and knows ``*``; ``!=`` holds where
the field exists and does not have the value; ``NOT`` also where the field is missing. ``<`` and ``>`` compare
numbers. Terms side by side must all hold; OR binds before AND. A bare word, or ``TERM(word)``, is looked
for in ``_raw``, or in every field where there is none; it has to begin and end where a word does. A
subsearch in brackets stands for the clause that its rows make (see ``format``).

As the first command it reads the events of ``index=NAME``: one that was given with ``--index``, one that
``collect`` has filled, or ``risk``, the risk events of detections; without a name it is the index ``main``.
``earliest`` and ``latest`` replace the time range of the search; the newest events come first, those that
were given in the order they have.

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
from kubestray.search.syntax import Clause, Command, Junction, Place, Term, TermIn, Word
from kubestray.search.times import BadTime, parse_time
from kubestray.search.values import as_number, missing
from kubestray.search.wildcards import parts
from kubestray.store.points import Span
from kubestray.store.trees import Tree, all_of, any_of, call, number

_DEFAULT_INDEX = "main"
_TIMES = ("earliest", "latest")


@dataclass(frozen=True, slots=True)
class Search(Command):
    """The ``search`` command."""

    place: ClassVar = Place.ANYWHERE

    clause: Clause


def parse(cursor: Cursor, at: int) -> Search:
    """Read the clause; none at all is ``*``."""
    if cursor.at_end() or cursor.looking_at("|") or cursor.looking_at("]"):
        return Search(at, Word(at, "*"))
    return Search(at, clause(cursor))


def plan(command: Search, relation: Relation | None, context: Context) -> Relation:
    """Filter the rows."""
    found = resolved(command.clause, context)
    if relation is None:
        return _events(command.at, found, context)
    if found == Word(found.at, "*"):
        return relation
    return relation.with_node(Filter(relation.node, matches(found, relation, context)))


def _events(at: int, found: Clause, context: Context) -> Relation:
    """Return the events of the indexes that the clause names, those that match the rest of it."""
    parts_of_it = conjuncts(found)
    named = [part for part in parts_of_it if _index_names(part)]
    times = [part for part in parts_of_it if isinstance(part, Term) and part.field.lower() in _TIMES]
    patterns = [name for part in named for name in _index_names(part)] or [_DEFAULT_INDEX]
    span = _span(times, context)
    events = list(_read(patterns, span, context))
    if not events:
        raise _no_events(at, patterns, context)
    relation = events[0] if len(events) == 1 else stacked(events, context)
    rest = tuple(part for part in parts_of_it if part not in named and part not in times)
    if not rest:
        return relation
    matching = matches(Junction(at, "and", rest), relation, context)
    return relation.with_node(Filter(relation.node, matching))


def _index_names(part: Clause) -> tuple[str, ...]:
    """Return the names of indexes that a part asks for, if that is all that it does."""
    match part:
        case Term(operator="=", value=str() as value) if part.field.lower() == "index":
            return (value,)
        case TermIn() if part.field.lower() == "index":
            return part.values
        case Junction(operator="or"):
            names = [_index_names(operand) for operand in part.operands]
            return tuple(name for one in names for name in one) if all(names) else ()
    return ()


def _read(patterns: list[str], span: Span, context: Context) -> Iterator[Relation]:
    def wanted(name: str) -> bool:
        return any(parts(pattern.lower(), name.lower()) is not None for pattern in patterns)

    for name in filter(wanted, context.indexes):
        yield _within(given_relation(context.indexes[name], context, span=span), span)
    if context.events is None:
        return
    for name in context.events.names():
        if name not in context.indexes and wanted(name):
            yield context.events.relation(name, span, context)


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


def _span(times: list[Term], context: Context) -> Span:
    """Return the range: a time in the text replaces the search's own, and no ``latest`` then is now."""
    if not times:
        return context.span
    found = {term.field.lower(): _time(term, context) for term in times}
    return Span(found.get("earliest", context.span.earliest), found.get("latest", context.now))


def _time(term: Term, context: Context) -> int:
    assert isinstance(term.value, str)
    if term.operator != "=":
        raise context.error(term.at, f"{term.field} takes a single time", f"write {term.field}={term.value}")
    try:
        return parse_time(term.value, context.now)
    except BadTime as error:
        raise context.error(term.at, f"{term.field}: {error}") from error


def _no_events(at: int, patterns: list[str], context: Context) -> Exception:
    known = [*context.indexes, *(context.events.names() if context.events else [])]
    hint = nearest(patterns[0], known) or (
        "start with | mstats for metrics, for example: | mstats avg(tcp.*) where index=* by k8s.cluster.name"
    )
    return context.error(at, f"there is no index of events {' or '.join(map(repr, patterns))} here", hint)
