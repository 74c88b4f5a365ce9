"""``chart AGGREGATE … [OVER FIELD] [BY FIELD]`` (or ``BY ROWS COLUMNS``) makes a table for a chart.

One row a value of the first field, one column a value of the second; without fields one row. After the
first field stand the options of ``bin`` for it (``span=10``, ``bins=20``), after the second those for it.
Rows of bins of equal length are there even if nothing falls into them (``cont=false`` leaves them out);
``start`` and ``end`` leave out what lies beyond.

``limit=N`` (10), ``limit=bottomN`` and ``where max in top5``, ``where avg > 3`` after the second field choose
the columns, by the sum of each (``agg=max``: by its largest value); the others are OTHER
(``useother=false`` leaves them out, ``otherstr`` names them); rows without a value are NULL
(``usenull=false``, ``nullstr``). With several aggregates a column is named ``AGGREGATE: VALUE``; ``sep`` and
``format="$AGG$ of $VAL$"`` change that. The columns are in lexicographic order.

An aggregate may be ``eval(…)`` over aggregates: ``eval(avg(size) / max(delay))``.

Example::

    | chart count OVER source.workload.name BY protocol
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.binning import binned, bounds, chosen_span, extent, extent_of_times
from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.grouping import Wish, keyed, natural
from kubestray.search.joining import join_first
from kubestray.search.pivot import Table, filled, pivoted, shown
from kubestray.search.pivot_syntax import Axis, Pivot, Reader
from kubestray.search.plan import Column, Filter, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.spans import NumberSpan, Span, TimeSpan
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, as_number
from kubestray.store.trees import all_of, call, number

_BINS = 300
_MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Chart(Command):
    """The ``chart`` command."""

    pivot: Pivot
    rows: Axis | None


def parse(cursor: Cursor, at: int) -> Chart:
    """Read the options, the aggregates and the two fields."""
    reader = Reader(cursor)
    bins: dict[str, str] = {}
    reader.read_options(bins)
    reader.read_aggregates()
    reader.read_options(bins)
    rows = reader.axis("after OVER") if cursor.keyword("over") else None
    columns = None
    if cursor.keyword("by"):
        first = reader.axis("after BY")
        cursor.take(",")
        if rows is not None:
            columns = first
        else:
            rows = first
            columns = _second(cursor, reader)
        reader.read_choice(columns)
    reader.read_options(bins)
    if rows is not None:
        rows.bins.update(bins)
    return Chart(at, reader.pivot(columns), rows)


def _second(cursor: Cursor, reader: Reader) -> Axis | None:
    if not cursor.at_field() or cursor.peek_word() == "where":
        return None
    return reader.axis("of columns")


def plan(command: Chart, relation: Relation, context: Context) -> Relation:
    """Make the table."""
    wish = Wish((command.rows.field,) if command.rows else (), trends=command.pivot.columns is None)
    if command.rows is None:
        table = pivoted(command.pivot, relation, [], context, command.at, wish)
        fields = {cell.name: cell.column for cell in table.cells}
        return Relation(table.relation.node, fields)
    name = command.rows.field
    relation, span = _rows(command.rows, relation, context, command.at)
    relation, key, starts = _keys(command, span, relation, context)
    table = pivoted(command.pivot, relation, [key, *starts], context, command.at, wish)
    result = shown(table, name, table.keys[0])
    if starts:
        result = Relation(result.node, result.fields, (Order(table.keys[1]), Order(table.keys[0])))
    else:
        result = natural(result, [table.keys[0]], context)
    if span is None or not command.pivot.flag("cont", True):
        return result
    return _continued(command, table, result, relation.value(name) or NULL, (relation, span), context)


def _rows(axis: Axis, relation: Relation, context: Context, at: int) -> tuple[Relation, Span | None]:
    """Return the rows that are wanted, and the bins of their values if there are any."""
    value = relation.value(axis.field) or NULL
    relation = relation.present_only(value)
    if not axis.bins:
        return relation, None
    low, high = bounds(axis.bins, context, at)
    within = [
        call(function, as_number(value), number(bound))
        for function, bound in (("greaterOrEquals", low), ("lessOrEquals", high))
        if bound is not None
    ]
    if within:
        relation = relation.with_node(Filter(relation.node, all_of(within)))
    return relation, chosen_span(axis.field, value, axis.bins, relation, context, at, _BINS)


def _keys(
    command: Chart, span: Span | None, relation: Relation, context: Context
) -> tuple[Relation, Column, list[Column]]:
    """Return the rows with what their row of the table is called, and what orders that if not the name."""
    assert command.rows
    value = relation.value(command.rows.field) or NULL
    if span is None:
        relation, (key,) = keyed(relation, [command.rows.field], context, distinct=command.pivot.distinct)
        return relation, key, []
    label = binned(value, span)
    key, start = context.column(label.shape), context.column(Shape.NUMBER)
    relation = relation.computed([(key, label.tree), (start, span.start(as_number(value)))])
    return relation, key, [start]


def _continued(
    command: Chart,
    table: Table,
    result: Relation,
    value: Value,
    binned_rows: tuple[Relation, Span],
    context: Context,
) -> Relation:
    """Return a row for each bin of equal length between the first and the last, if all values are numbers."""
    rows, span = binned_rows
    assert command.rows
    ends = extent_of_times if isinstance(span, TimeSpan) else extent
    first, last = ends(as_number(value), rows, context)
    if value.shape is not Shape.NUMBER or first is None or last is None:
        return result
    if not isinstance(span, NumberSpan | TimeSpan):
        return result
    if span.count(first, last) > _MOST_ROWS:
        raise context.error(
            command.at, f"this makes {span.count(first, last)} rows", "cont=false leaves gaps"
        )
    name = command.rows.field
    labels = span.labels(first, last) if isinstance(span, NumberSpan) else list(span.starts(first, last))
    whole = given_relation([{name: label} for label in labels], context)
    cells = result.with_fields({cell.name: cell.column for cell in table.cells})
    joined = join_first(whole, cells, [(name, result.value(name))], context, outer=True, overwrite=True)
    return filled(table, joined, context)
