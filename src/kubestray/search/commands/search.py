"""``search CLAUSE`` keeps the rows that match.

``field=value`` compares without regard to case and knows ``*``; ``!=`` holds where the field exists
and does not have the value; ``NOT`` also where the field is missing. ``<`` and ``>`` compare numbers.
Terms side by side must all hold; OR binds before AND. A bare word is looked for in every field.

Example::

    | search direction=receive (namespace=shop* OR namespace=data) NOT pod=test-*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.clauses import clause
from kubestray.search.cursor import Cursor
from kubestray.search.matching import matches
from kubestray.search.plan import Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Clause, Command, Word


@dataclass(frozen=True, slots=True)
class Search(Command):
    """The ``search`` command."""

    clause: Clause


def parse(cursor: Cursor, at: int) -> Search:
    """Read the clause."""
    return Search(at, clause(cursor))


def plan(command: Search, relation: Relation | None, context: Context) -> Relation:
    """Filter the rows."""
    if relation is None:
        raise context.error(
            command.at,
            "a search for events has nothing to read here: this store holds metrics",
            "start with | mstats, for example: | mstats avg(tcp.*) where index=* by k8s.cluster.name",
        )
    if command.clause == Word(command.clause.at, "*"):
        return relation
    return relation.with_node(Filter(relation.node, matches(command.clause, relation, context)))
