"""Tables with one column a value: what ``chart`` and ``timechart`` share.

Which columns there are depends on the rows, so the values are asked for while the search is planned.
Beyond the limit (10) the values with the smallest totals are put together as OTHER; rows without a
value are NULL.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kubestray.search.aggregates import Formula
from kubestray.search.binning import binned, chosen_span
from kubestray.search.evaluate import evaluate
from kubestray.search.grouping import Wish, aggregated
from kubestray.search.pivot_syntax import Pivot
from kubestray.search.plan import Column, Filter, Grouped
from kubestray.search.ranking import series_of
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Aggregate
from kubestray.search.values import (
    NULL,
    Shape,
    Value,
    as_list,
    as_text,
    choose,
    constant,
    is_literal_null,
    present,
)
from kubestray.store.trees import Tree, aggregate, call, either, is_null, lambda_, null, number, one_of, text
from kubestray.store.trees import column as column_named

_BINS = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """An aggregate of each row of a table; where there is nothing a ``counting`` one is 0."""

    name: str
    column: Column
    counting: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its rows, the columns that tell the rows apart, and the cells."""

    relation: Relation
    keys: tuple[Column, ...]
    cells: tuple[Cell, ...]

    @property
    def counts(self) -> list[str]:
        """The names of the cells that are 0 where there is nothing."""
        return [cell.name for cell in self.cells if cell.counting]


def pivoted(
    pivot: Pivot, relation: Relation, keys: Sequence[Column], context: Context, at: int, wish: Wish
) -> Table:
    """Return one row for each combination of the keys, which are columns of the rows."""
    if pivot.columns is None:
        return _cells(pivot.aggregates, relation, keys, context, wish)
    relation, series = _series(pivot, relation, context, at)
    if not pivot.flag("usenull", True):
        relation = relation.present_only(series.value())
    asked = _cells(pivot.aggregates, relation, [*keys, series], context, wish)
    values = [cell.column for cell in asked.cells]
    ranked = (asked.relation, asked.keys[-1], values)
    kept, others, nulls = series_of(pivot.choice, ranked, (relation, series), context)
    relation, series, names = _named(pivot, relation, series, kept, others, nulls, context)
    cells = _cells(pivot.aggregates, relation, [*keys, series], context, wish)
    return spread(pivot, cells, names, wish.by, context)


def _cells(
    aggregates: Sequence[Aggregate],
    relation: Relation,
    keys: Sequence[Column],
    context: Context,
    wish: Wish,
) -> Table:
    """Return the aggregates for each combination of the keys."""
    parts = [part for one in aggregates for part in (one.parts if isinstance(one, Formula) else (one,))]
    relation, made = aggregated(parts, relation, context, wish)
    groups = tuple(context.column(key.shape) for key in keys)
    columns = {one.name: context.column(one.value.shape) for one in made}
    node = Grouped(
        relation.node,
        tuple((group, key.value().tree) for group, key in zip(groups, keys, strict=True)),
        (
            *((columns[one.name], one.value.tree) for one in made),
            (context.column(Shape.NUMBER), aggregate("count")),
        ),
    )
    grouped = Relation(node, columns)
    hidden = {part.name for one in aggregates if isinstance(one, Formula) for part in one.parts}
    shown = {one.name for one in aggregates if not isinstance(one, Formula)}
    cells = [
        Cell(one.name, columns[one.name], one.counting)
        for one in made
        if one.name not in hidden or one.name in shown
    ]
    for one in aggregates:
        if isinstance(one, Formula):
            assert one.argument is not None
            assert not isinstance(one.argument, str)
            grouped, value = evaluate(one.argument, grouped, context)
            result = context.column(value.shape)
            grouped = grouped.computed([(result, value.tree)])
            cells.append(Cell(one.name, result, counting=False))
    return Table(grouped, groups, tuple(cells))


def _series(pivot: Pivot, relation: Relation, context: Context, at: int) -> tuple[Relation, Column]:
    """Return the rows with the text of the value that tells their column; null without one."""
    assert pivot.columns
    value = relation.value(pivot.columns.field) or NULL
    if pivot.columns.bins:
        span = chosen_span(pivot.columns.field, value, pivot.columns.bins, relation, context, at, _BINS)
        value = binned(value, span) if span else value
    series = context.column(Shape.TEXT)
    if value.shape in (Shape.NUMBER, Shape.TEXT) or is_literal_null(value):
        return relation.computed([(series, as_text(value))]), series
    listed = call("arrayDistinct", as_list(value)) if pivot.distinct else as_list(value)
    texts = call("arrayMap", lambda_("x", call("toNullable", column_named("x"))), listed)
    some = either(call("empty", listed.copy()), call("array", null()), texts)
    return relation.computed([(series, call("arrayJoin", some))]), series


def _named(
    pivot: Pivot,
    relation: Relation,
    series: Column,
    kept: list[str],
    others: bool,
    nulls: bool,
    context: Context,
) -> tuple[Relation, Column, list[str]]:
    """Return the rows that have a column, the column's name among them, and all names in order."""
    other, nothing = pivot.options.get("otherstr", "OTHER"), pivot.options.get("nullstr", "NULL")
    own = series.value()
    is_kept = one_of(own.tree, map(text, kept))
    if others and not pivot.flag("useother", True):
        shown = call("or", is_null(own.tree), call("ifNull", is_kept.copy(), number(0)))
        relation, others = relation.with_node(Filter(relation.node, shown)), False
    named = choose(
        [(is_null(own.tree), _literal(nothing)), (is_kept, own)], _literal(other) if others else own
    )
    result = context.column(Shape.TEXT)
    names = [*kept, *([other] if others else []), *([nothing] if nulls else [])]
    return relation.computed([(result, named.tree)]), result, list(dict.fromkeys(names))


def spread(
    pivot: Pivot, table: Table, names: Sequence[str], taken: Collection[str], context: Context
) -> Table:
    """Return a table with a column for each name: the last key of the rows becomes columns."""
    series = table.keys[-1]
    keys = tuple(context.column(key.shape) for key in table.keys[:-1])
    made: list[tuple[Column, Tree]] = []
    cells: dict[str, Cell] = {}
    several = len(table.cells) > 1
    for cell in table.cells:
        for name in names:
            column = context.column(cell.column.shape)
            made.append((column, _picked(cell, series, name)))
            shown = pivot.named(cell.name, name, several=several, taken=taken)
            cells[shown] = Cell(shown, column, cell.counting)
    groups = tuple((key, own.value().tree) for key, own in zip(keys, table.keys[:-1], strict=True))
    made.append((context.column(Shape.NUMBER), aggregate("count")))
    node = Grouped(table.relation.node, groups, tuple(made))
    return Table(Relation(node, {}), keys, tuple(cells.values()))


def _picked(cell: Cell, series: Column, name: str) -> Tree:
    """Return a cell of the one row that has the name."""
    null_too = "OrNull" if cell.column.shape in (Shape.NUMBER, Shape.TEXT) else ""
    is_it = call("equals", series.value().tree, text(name))
    found = call(f"any{null_too}If", cell.column.value().tree, is_it)
    return call("ifNull", found, number(0.0)) if cell.counting else found


def filled(table: Table, relation: Relation, context: Context) -> Relation:
    """Return rows in which a count that is missing is 0."""
    made = []
    for name in table.counts:
        value = relation.value(name)
        assert value
        zero = Value(Shape.NUMBER, constant(0))
        whole = choose([(present(value), value)], zero)
        made.append((name, context.column(whole.shape), whole.tree))
    return relation.extended(made)


def shown(table: Table, name: str, key: Column) -> Relation:
    """Return the rows with their fields: what the rows are of, and the cells."""
    fields = {name: key, **{cell.name: cell.column for cell in table.cells}}
    return dataclasses.replace(table.relation, fields=fields)


def _literal(value: str) -> Value:
    return Value(Shape.TEXT, call("toNullable", text(value)))
