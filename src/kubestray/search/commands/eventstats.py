"""``eventstats AGGREGATE [AS NAME] … [BY FIELD …]`` adds the aggregates of its group to each row.

The aggregates are those of ``stats``; the rows and their order stay. A row without one of the BY fields gets
no value. ``allnum=true`` gives none to a group in which a value is no number, or lacking.

Example::

    | eventstats avg(count) AS usual BY host | where count > 2 * usual
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.aggregates import Style, aggregates, by_fields
from kubestray.search.cursor import Cursor
from kubestray.search.grouping import Wish, aggregated, partitioned
from kubestray.search.options import flag, read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Aggregate, Command
from kubestray.search.values import NULL, Value, choose
from kubestray.store.trees import windowed


@dataclass(frozen=True, slots=True)
class EventStats(Command):
    """The ``eventstats`` command."""

    aggregates: tuple[Aggregate, ...]
    by: tuple[str, ...]
    all_numeric: bool


def parse(cursor: Cursor, at: int) -> EventStats:
    """Read the option, the aggregates and the BY fields."""
    options: dict[str, str] = {}
    read_options(cursor, (), options, ("allnum",))
    found = aggregates(cursor, Style(implied=True))
    by = by_fields(cursor, lambda cursor: read_options(cursor, (), options, ("allnum",)))
    return EventStats(at, found, by, flag(options, "allnum", False))


def plan(command: EventStats, relation: Relation, context: Context) -> Relation:
    """Add the aggregates as fields."""
    wish = Wish(command.by, command.all_numeric, complete=True, windowed=True)
    relation, found = aggregated(command.aggregates, relation, context, wish)
    groups, grouped = partitioned(relation, command.by)
    made = []
    for one in found:
        over = Value(one.value.shape, windowed(one.value.tree, partition=groups))
        if command.by:
            over = choose([(grouped.copy(), over)], relation.value(one.name) or NULL)
        made.append((one.name, context.column(over.shape), over.tree))
    return relation.extended(made)
