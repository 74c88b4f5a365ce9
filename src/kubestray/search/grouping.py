"""What ``stats``, ``eventstats`` and their kin share: BY fields as keys, aggregates as values."""

from __future__ import annotations

from kubestray.search.cursor import nearest
from kubestray.search.evaluate import evaluate
from kubestray.search.plan import Assignment, Column, Filter
from kubestray.search.relation import Context, Relation
from kubestray.search.statistics import STATISTICS, Rows, count_rows
from kubestray.search.syntax import Aggregate
from kubestray.search.values import NULL, Shape, Value, as_number, present
from kubestray.search.wildcards import fill, parts
from kubestray.store.trees import Tree, all_of, call, number


def keyed(relation: Relation, by: tuple[str, ...], context: Context) -> tuple[Relation, list[Column]]:
    """Return the rows that have all BY fields, one for each value of a multivalue one, with the keys."""
    values = [relation.value(name) or NULL for name in by]
    if values:
        relation = relation.with_node(Filter(relation.node, all_of([present(value) for value in values])))
    keys: list[Column] = []
    assignments: list[Assignment] = []
    for value in values:
        single = value.shape is not Shape.MULTI
        key = context.column(value.shape if single else Shape.TEXT)
        keys.append(key)
        tree = value.tree if single else call("toNullable", call("arrayJoin", value.tree))
        if value.shape is Shape.NUMBER:
            tree = call("plus", tree, number(0))  # -0 is 0
        assignments.append((key, tree))
    return relation.computed(assignments), keys


def aggregated(
    aggregates: tuple[Aggregate, ...], relation: Relation, context: Context
) -> tuple[Relation, dict[str, Value]]:
    """Return the rows, with the columns that the aggregates need, and each aggregate's value."""
    wanted = [one for aggregate in aggregates for one in _expanded(aggregate, relation)]
    arguments: list[Value] = []
    for one in wanted:
        relation, argument = _argument(one, relation, context)
        arguments.append(argument)
    rank: Tree | None = None
    if any(_is_ordered(one) for one in wanted):
        relation, place = relation.ranked(context)
        rank = place.value().tree
    time = relation.value("_time")
    rows = Rows(context.switches, rank, as_number(time) if time else None)
    values = [_value(one, argument, rows, context) for one, argument in zip(wanted, arguments, strict=True)]
    return relation, {one.name: value for one, value in zip(wanted, values, strict=True)}


def _argument(aggregate: Aggregate, relation: Relation, context: Context) -> tuple[Relation, Value]:
    if aggregate.argument is None or isinstance(aggregate.argument, str):
        return relation, relation.value(aggregate.argument or "") or NULL
    return evaluate(aggregate.argument, relation, context)


def _is_ordered(aggregate: Aggregate) -> bool:
    statistic = STATISTICS.get(aggregate.function)
    return statistic is not None and statistic.ordered


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


def _value(aggregate: Aggregate, argument: Value, rows: Rows, context: Context) -> Value:
    if aggregate.argument is None:
        if aggregate.function not in ("count", "c"):
            raise context.error(aggregate.at, f"{aggregate.function}() needs a field")
        return count_rows()
    statistic = STATISTICS.get(aggregate.function)
    if statistic is None:
        raise context.error(
            aggregate.at,
            f"unknown aggregate {aggregate.function}()",
            nearest(aggregate.function, STATISTICS) or "docs/spl.md lists the aggregates",
        )
    return statistic.build(argument, rows)
