"""``eventstats AGGREGATE [AS NAME] … [BY FIELD …]`` adds the aggregates of its group to each row.

The aggregates are those of ``stats``; the rows and their order stay. A row without one of the BY fields
gets no value.

Example::

    | eventstats avg(count) AS usual BY host | where count > 2 * usual
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.aggregates import aggregates
from kubestray.search.commands.fields import by_list
from kubestray.search.cursor import Cursor
from kubestray.search.grouping import aggregated
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Aggregate, Command
from kubestray.search.values import NULL, Value, choose, present
from kubestray.store.trees import all_of, windowed


@dataclass(frozen=True, slots=True)
class EventStats(Command):
    """The ``eventstats`` command."""

    aggregates: tuple[Aggregate, ...]
    by: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> EventStats:
    """Read the aggregates and the BY fields."""
    found = aggregates(cursor)
    return EventStats(at, found, by_list(cursor))


def plan(command: EventStats, relation: Relation, context: Context) -> Relation:
    """Add the aggregates as fields."""
    relation, values = aggregated(command.aggregates, relation, context)
    keys = [relation.value(name) or NULL for name in command.by]
    made = []
    for name, value in values.items():
        over = Value(value.shape, windowed(value.tree, partition=[key.tree for key in keys]))
        if keys:
            nothing = relation.value(name) or NULL
            over = choose([(all_of([present(key) for key in keys]), over)], nothing)
        made.append((name, context.column(over.shape), over.tree))
    return relation.extended(made)
