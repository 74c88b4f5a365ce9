"""``stats AGGREGATE [AS NAME] … [BY FIELD …]`` makes one row a group of rows.

Rows without one of the BY fields belong to no group. Without BY there is one row, also when there
was none before. The result is ordered by the BY fields.

Example::

    | stats count(anomalies) AS count values(anomalies) AS anomalies BY k8s.cluster.name
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.aggregates import aggregates
from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor, nearest
from kubestray.search.evaluate import evaluate
from kubestray.search.plan import Assignment, Column, Filter, Grouped, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.statistics import STATISTICS
from kubestray.search.syntax import Aggregate, Command
from kubestray.search.values import NULL, Shape, Value, present
from kubestray.search.wildcards import fill, parts
from kubestray.store.trees import all_of, call


@dataclass(frozen=True, slots=True)
class Stats(Command):
    """The ``stats`` command."""

    aggregates: tuple[Aggregate, ...]
    by: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> Stats:
    """Read the aggregates and the BY fields."""
    found = aggregates(cursor)
    by = field_list(cursor, "after BY") if cursor.keyword("by") else ()
    return Stats(at, found, by)


def plan(command: Stats, relation: Relation | None, context: Context) -> Relation:
    """Group the rows."""
    if relation is None:
        raise context.error(command.at, "stats has no rows to work on", "start the search with | mstats")
    relation, keys = _keyed(relation, command.by, context)
    made: dict[str, tuple[Column, Value]] = {}
    for aggregate in command.aggregates:
        for one in _expanded(aggregate, relation):
            value = _aggregated(one, relation, context)
            made[one.name] = (context.column(value.shape), value)
    groups: list[tuple[str, Column]] = [
        (name, context.column(key.shape)) for name, key in zip(command.by, keys, strict=True)
    ]
    grouped = Grouped(
        relation.node,
        tuple((group, key.value().tree) for (_, group), key in zip(groups, keys, strict=True)),
        tuple((column, value.tree) for column, value in made.values()),
    )
    fields = {**dict(groups), **{name: column for name, (column, _) in made.items()}}
    return Relation(grouped, fields, tuple(Order(group) for _, group in groups))


def _keyed(relation: Relation, by: tuple[str, ...], context: Context) -> tuple[Relation, list[Column]]:
    """Return the rows that have all BY fields, one for each value of a multivalue one, with the keys."""
    values = [relation.value(name) or NULL for name in by]
    if values:
        condition = all_of([present(value) for value in values])
        relation = relation.with_node(Filter(relation.node, condition))
    keys: list[Column] = []
    assignments: list[Assignment] = []
    for value in values:
        single = value.shape is not Shape.MULTI
        tree = value.tree if single else call("toNullable", call("arrayJoin", value.tree))
        key = context.column(value.shape if single else Shape.TEXT)
        keys.append(key)
        assignments.append((key, tree))
    return relation.computed(assignments), keys


def _expanded(aggregate: Aggregate, relation: Relation) -> list[Aggregate]:
    """Return one aggregate for each field that a pattern matches."""
    pattern = aggregate.argument
    if not isinstance(pattern, str) or "*" not in pattern:
        return [aggregate]
    named = aggregate.name if "*" in aggregate.name else f"{aggregate.function}({pattern})"
    return [
        Aggregate(aggregate.at, aggregate.function, name, fill(named, found))
        for name in relation.fields
        if (found := parts(pattern, name)) is not None
    ]


def _aggregated(aggregate: Aggregate, relation: Relation, context: Context) -> Value:
    if aggregate.argument is None:
        if aggregate.function not in ("count", "c"):
            raise context.error(aggregate.at, f"{aggregate.function}() needs a field")
        return Value(Shape.NUMBER, call("toNullable", call("toFloat64", call("count"))))
    statistic = STATISTICS.get(aggregate.function)
    if statistic is None:
        raise context.error(
            aggregate.at,
            f"unknown aggregate {aggregate.function}()",
            nearest(aggregate.function, STATISTICS) or "docs/spl.md lists the aggregates",
        )
    if isinstance(aggregate.argument, str):
        value = relation.value(aggregate.argument) or NULL
    else:
        value = evaluate(aggregate.argument, relation, context)
    return statistic.build(value, context.switches)
