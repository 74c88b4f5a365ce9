"""What ``stats``, ``eventstats`` and their kin share: BY fields as keys, aggregates as values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from kubestray.search.aggregates import Sparkline
from kubestray.search.cursor import nearest
from kubestray.search.evaluate import evaluate
from kubestray.search.plan import Column, Filter, Order
from kubestray.search.reductions.base import from_text
from kubestray.search.relation import Context, Relation
from kubestray.search.sparklines import Trend, trend
from kubestray.search.statistics import PER_SPAN, STATISTICS, Rows, Statistic, count_rows, find
from kubestray.search.syntax import Aggregate
from kubestray.search.values import NULL, Shape, Value, as_list, as_number, as_text, present
from kubestray.search.wildcards import fill, parts
from kubestray.store.trees import Tree, all_of, call, number


def keyed(
    relation: Relation, by: Sequence[str], context: Context, *, distinct: bool = False
) -> tuple[Relation, list[Column]]:
    """Return the rows that have all BY fields, one for each value of a multivalue one, with the keys.

    With ``distinct`` a value that a multivalue field repeats counts once. Values that are the same text
    are one key, whether they are numbers or not.
    """
    values = [relation.value(name) or NULL for name in by]
    if values:
        relation = relation.with_node(Filter(relation.node, all_of([present(value) for value in values])))
    keys: list[Column] = []
    for value in values:
        relation, key = _key(value, relation, context, distinct=distinct)
        keys.append(key)
    return relation, keys


def _key(value: Value, relation: Relation, context: Context, *, distinct: bool) -> tuple[Relation, Column]:
    if value.shape in (Shape.NUMBER, Shape.TEXT):
        key = context.column(value.shape)
        # -0 is 0
        tree = call("plus", value.tree, number(0)) if value.shape is Shape.NUMBER else value.tree
        return relation.computed([(key, tree)]), key
    # Each in a step of its own: the engine takes equal array joins of one step for the same.
    listed = call("arrayDistinct", as_list(value)) if distinct else as_list(value)
    single = context.column(Shape.TEXT)
    relation = relation.computed([(single, call("toNullable", call("arrayJoin", listed)))])
    if value.shape is Shape.MULTI:
        return relation, single
    key = context.column(Shape.DYNAMIC)
    return relation.computed([(key, from_text(single.value().tree, Shape.DYNAMIC).tree)]), key


def partitioned(relation: Relation, by: Sequence[str]) -> tuple[list[Tree], Tree]:
    """Return what tells groups of rows apart where rows stay, and the condition that a row is in one."""
    values = [relation.value(name) or NULL for name in by]
    trees = [value.tree if value.shape is not Shape.DYNAMIC else as_list(value) for value in values]
    return trees, all_of([present(value) for value in values])


def natural(relation: Relation, keys: Sequence[Column], context: Context) -> Relation:
    """Return the rows in the order of their keys: numbers by value, then texts by their bytes."""
    order: list[Order] = []
    for key in keys:
        if key.shape is Shape.NUMBER:
            order.append(Order(key))
            continue
        by_number, by_text = context.column(Shape.NUMBER), context.column(Shape.TEXT)
        value = key.value()
        relation = relation.computed([(by_number, as_number(value)), (by_text, as_text(value))])
        order += [Order(by_number), Order(by_text)]
    return Relation(relation.node, relation.fields, tuple(order))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a command wants of its aggregates besides the values themselves.

    ``by`` are fields that wildcards leave out and results must not be named like. ``all_numeric`` makes
    aggregates of numbers null where a value is none, with ``complete`` also where one is lacking. ``seconds``
    is the length of the span of the rows. ``windowed`` tells that rows stay and each gets its aggregates;
    ``trends`` that sparklines can be made.
    """

    by: tuple[str, ...] = ()
    all_numeric: bool = False
    complete: bool = False
    seconds: Tree | None = None
    windowed: bool = False
    trends: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """An aggregate's value under its name; where nothing was aggregated a ``counting`` one is 0."""

    name: str
    value: Value
    counting: bool


def aggregated(
    aggregates: Sequence[Aggregate], relation: Relation, context: Context, wish: Wish
) -> tuple[Relation, list[Made]]:
    """Return the rows, with the columns that the aggregates need, and each aggregate's value."""
    expanded = [one for aggregate in aggregates for one in _expanded(aggregate, relation, wish)]
    wanted = [_unordered(one, relation) for one in expanded]
    for one in wanted:
        if one.name in wish.by:
            raise context.error(one.at, f"{one.name!r} is a BY field, and cannot be the name of a result too")
    arguments: list[Value] = []
    for one in wanted:
        relation, argument = _argument(one, relation, context)
        arguments.append(argument)
    relation, rows = _rows(wanted, relation, context, wish)
    trends = _trends(wanted, rows, relation, context, wish)
    made: dict[str, Made] = {}
    for one, argument in zip(wanted, arguments, strict=True):
        inner = _inner(one)
        value = _value(inner, argument, rows, wish, context)
        counting = inner.argument is None or _statistic(inner, context).counting
        if isinstance(one, Sparkline):
            value, counting = trends[one.span].of(value, counting=counting), False
        made[one.name] = Made(one.name, value, counting)
    return relation, list(made.values())


def _inner(aggregate: Aggregate) -> Aggregate:
    return aggregate.inner if isinstance(aggregate, Sparkline) else aggregate


def _rows(
    wanted: Sequence[Aggregate], relation: Relation, context: Context, wish: Wish
) -> tuple[Relation, Rows]:
    """Return the rows with their places, if an aggregate asks for those, and what aggregates may ask for."""
    rank: Tree | None = None
    if any(_statistic(_inner(one), context).ordered for one in wanted):
        relation, place = relation.ranked(context)
        rank = place.value().tree
    time = relation.value("_time")
    moment = as_number(time) if time else None
    return relation, Rows(context.switches, rank, moment, wish.seconds, wish.windowed)


def _trends(
    wanted: Sequence[Aggregate], rows: Rows, relation: Relation, context: Context, wish: Wish
) -> dict[str | None, Trend]:
    """Return the bins of the sparklines, by their spans."""
    trends: dict[str | None, Trend] = {}
    for one in wanted:
        if isinstance(one, Sparkline):
            if not wish.trends:
                raise context.error(one.at, "sparkline() is for stats and chart only")
            trends.setdefault(one.span, trend(one.span, rows.time, relation, context, one.at))
    return trends


def _argument(aggregate: Aggregate, relation: Relation, context: Context) -> tuple[Relation, Value]:
    """Return what is aggregated; what is computed becomes a column, for it is written several times."""
    if aggregate.argument is None or isinstance(aggregate.argument, str):
        return relation, relation.value(aggregate.argument or "") or NULL
    relation, value = evaluate(aggregate.argument, relation, context)
    if value.shape is Shape.BOOLEAN:
        if _inner(aggregate).function in ("count", "c"):
            return relation, value
        value = Value(Shape.NUMBER, call("toNullable", as_number(value)))
    if isinstance(value.tree, exp.Column):
        return relation, value
    column = context.column(value.shape)
    return relation.computed([(column, value.tree)]), column.value()


def _statistic(aggregate: Aggregate, context: Context) -> Statistic:
    statistic = find(aggregate.function) or PER_SPAN.get(aggregate.function)
    if statistic is None:
        raise context.error(
            aggregate.at,
            f"unknown aggregate {aggregate.function}()",
            nearest(aggregate.function, STATISTICS) or "docs/spl.md lists the aggregates",
        )
    return statistic


def _expanded(aggregate: Aggregate, relation: Relation, wish: Wish) -> list[Aggregate]:
    """Return one aggregate for each field that a pattern matches.

    Fields that start with an underscore match only patterns that do.
    """
    pattern = aggregate.argument
    if not isinstance(pattern, str) or "*" not in pattern or isinstance(aggregate, Sparkline):
        return [aggregate]
    named = aggregate.name if "*" in aggregate.name else f"{aggregate.function}({pattern})"
    return [
        Aggregate(aggregate.at, aggregate.function, name, fill(named, found))
        for name in relation.fields
        if (found := parts(pattern, name)) is not None
        and name not in wish.by
        and (pattern.startswith("_") or not name.startswith("_"))
    ]


_END_OF_TIMES = {"earliest": "min", "latest": "max"}


def _unordered(aggregate: Aggregate, relation: Relation) -> Aggregate:
    """Return the latest of the times as what it is, their maximum: that needs no row's place in the order.

    Giving millions of rows their places takes longer than all the rest, and most of the memory.
    """
    time = relation.value("_time") if aggregate.argument == "_time" else None
    if time is None or time.shape is not Shape.NUMBER or aggregate.function not in _END_OF_TIMES:
        return aggregate
    return dataclasses.replace(aggregate, function=_END_OF_TIMES[aggregate.function])


def _value(aggregate: Aggregate, argument: Value, rows: Rows, wish: Wish, context: Context) -> Value:
    if aggregate.argument is None:
        if aggregate.function not in ("count", "c"):
            raise context.error(aggregate.at, f"{aggregate.function}() needs a field")
        return count_rows()
    statistic = _statistic(aggregate, context)
    if aggregate.function in PER_SPAN and rows.seconds is None:
        raise context.error(aggregate.at, f"{aggregate.function}() is for timechart only")
    return statistic.of(argument, rows, all_numeric=wish.all_numeric, complete=wish.complete)
