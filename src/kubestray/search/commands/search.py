"""``search CLAUSE`` keeps the rows that match.

``field=value`` compares without regard to case and knows ``*``; ``!=`` holds where the field exists
and does not have the value; ``NOT`` also where the field is missing. ``<`` and ``>`` compare numbers.
Terms side by side must all hold; OR binds before AND. A bare word is looked for in every field. As the
first command it reads the events of ``index=NAME``, an index that was given with ``--index``.

Example::

    | search direction=receive (namespace=shop* OR namespace=data) NOT pod=test-*
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.clauses import clause, conjuncts
from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.matching import matches
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Clause, Command, Junction, Place, Term, Word
from kubestray.search.wildcards import parts


@dataclass(frozen=True, slots=True)
class Search(Command):
    """The ``search`` command."""

    place: ClassVar = Place.ANYWHERE

    clause: Clause


def parse(cursor: Cursor, at: int) -> Search:
    """Read the clause."""
    return Search(at, clause(cursor))


def plan(command: Search, relation: Relation | None, context: Context) -> Relation:
    """Filter the rows."""
    if relation is None:
        return _events(command, context)
    if command.clause == Word(command.clause.at, "*"):
        return relation
    return relation.with_node(Filter(relation.node, matches(command.clause, relation, context)))


def _events(command: Search, context: Context) -> Relation:
    """Return the events of the indexes that the clause names, those that match the rest of it."""
    conditions = conjuncts(command.clause)
    named = [part for part in conditions if isinstance(part, Term) and part.field.lower() == "index"]
    wanted = [name for name in context.indexes if any(parts(term.value, name) is not None for term in named)]
    if not wanted:
        raise context.error(
            command.at,
            "a search for events has nothing to read here: this store holds metrics",
            "start with | mstats, for example: | mstats avg(tcp.*) where index=* by k8s.cluster.name",
        )
    events = [given_relation(context.indexes[name], context) for name in wanted]
    relation = events[0] if len(events) == 1 else stacked(events, context)
    rest = tuple(part for part in conditions if part not in named)
    if not rest:
        return relation
    matching = matches(Junction(command.at, "and", rest), relation, context)
    return relation.with_node(Filter(relation.node, matching))
