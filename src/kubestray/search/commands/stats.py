"""``stats AGGREGATE [AS NAME] … [BY FIELD …]`` makes one row a group of rows.

Rows without one of the BY fields belong to no group. Without BY there is one row, also when there
was none before. The result is ordered by the BY fields. In an aggregate, ``eval(EXPRESSION)`` stands
for a computed value, and a pattern for every field that matches.

Example::

    | stats count(anomalies) AS count values(anomalies) AS anomalies BY k8s.cluster.name
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.aggregates import aggregates
from kubestray.search.commands.fields import by_list
from kubestray.search.cursor import Cursor
from kubestray.search.grouping import aggregated, keyed
from kubestray.search.plan import Grouped, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Aggregate, Command


@dataclass(frozen=True, slots=True)
class Stats(Command):
    """The ``stats`` command."""

    aggregates: tuple[Aggregate, ...]
    by: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> Stats:
    """Read the aggregates and the BY fields."""
    found = aggregates(cursor)
    by = by_list(cursor)
    return Stats(at, found, by)


def plan(command: Stats, relation: Relation, context: Context) -> Relation:
    """Group the rows."""
    relation, values = aggregated(command.aggregates, relation, context)
    relation, keys = keyed(relation, command.by, context)
    groups = {name: context.column(key.shape) for name, key in zip(command.by, keys, strict=True)}
    made = {name: context.column(value.shape) for name, value in values.items()}
    node = Grouped(
        relation.node,
        tuple((group, key.value().tree) for group, key in zip(groups.values(), keys, strict=True)),
        tuple((made[name], value.tree) for name, value in values.items()),
    )
    return Relation(node, {**groups, **made}, tuple(Order(group) for group in groups.values()))
