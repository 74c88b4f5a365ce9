"""``mstats chart=true``: a table with one column a value of an attribute.

What has no column of its own is measured once more, as one: its mean is not made of means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.grouping import natural
from kubestray.search.measures import METRIC
from kubestray.search.options import flag
from kubestray.search.pivot import Cell, Table, spread
from kubestray.search.pivot_syntax import Pivot, read_limit
from kubestray.search.plan import Attribute, Column, Filter, Measure, Order
from kubestray.search.ranking import series_of
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.statistics import find
from kubestray.search.syntax import Aggregate
from kubestray.search.values import Shape
from kubestray.store.trees import Tree, all_of, call, column, one_of, text

_OPTIONS = ("limit", "agg", "usenull", "useother", "nullstr", "otherstr")
CHART_OPTIONS = r"chart\.(?:" + "|".join(_OPTIONS) + ")"
_ROW, _SERIES = "row", "series"
_COUNTS = ("count", "c", "dc", "distinct_count")


@dataclass(frozen=True, slots=True)
class MetricChart:
    """The options of the table."""

    pivot: Pivot


def read_chart(cursor: Cursor, options: Mapping[str, str]) -> MetricChart:
    """Return the options of the table, from those named ``chart.…``."""
    own = {name: options[f"chart.{name}"] for name in _OPTIONS if f"chart.{name}" in options}
    score = None
    if "agg" in own:
        function = own["agg"].lower().partition("(")[0]
        if find(function) is None:
            raise cursor.error(f"chart.agg={own['agg']} is no aggregate", hint="write chart.agg=max")
        score = Aggregate(0, function, None, function)
    return MetricChart(Pivot((), own, read_limit(cursor, own.get("limit"), score), None))


def charted(
    chart: MetricChart, node: Measure, fields: Mapping[str, Column], context: Context, at: int
) -> Relation:
    """Return the table: a row a bin, or a value of the first attribute, and columns for those of the last."""
    row, split = _axes(node, context, at)
    name = row.name if isinstance(row, Attribute) else "_time"
    if split is None:
        key = row.column if isinstance(row, Attribute) else row
        return Relation(node, {name: key, **fields}, (Order(key),))
    if flag(dict(chart.pivot.options), "usenull", True):
        stand_in = dataclasses.replace(split, fallback=chart.pivot.options.get("nullstr", "NULL"))
        by = tuple(stand_in if one is split else one for one in node.by)
        node, split = dataclasses.replace(node, by=by), stand_in
    table = _table(chart, node, row, split, fields, context)
    result = Relation(
        table.relation.node,
        {name: table.keys[0], **{cell.name: cell.column for cell in table.cells}},
    )
    return natural(result, [table.keys[0]], context)


def _axes(node: Measure, context: Context, at: int) -> tuple[Column | Attribute, Attribute | None]:
    """Return what the rows and what the columns are of."""
    if node.bin:
        if len(node.by) > 1:
            raise context.error(at, "chart=true with a span takes at most one attribute after BY")
        return node.bin, node.by[0] if node.by else None
    if not 1 <= len(node.by) <= 2:
        raise context.error(at, "chart=true without a span takes one or two attributes after BY")
    return node.by[0], node.by[1] if len(node.by) > 1 else None


def _table(
    chart: MetricChart,
    node: Measure,
    row: Column | Attribute,
    split: Attribute,
    fields: Mapping[str, Column],
    context: Context,
) -> Table:
    key = row.column if isinstance(row, Attribute) else row
    nothing = chart.pivot.options.get("nullstr", "NULL")
    all_rows = Relation(node, {_ROW: key, _SERIES: split.column, **fields}, (Order(key),))
    is_null = call("equals", column(split.column.name), text(nothing))
    known = all_rows.with_node(Filter(node, call("not", is_null))) if split.fallback else all_rows
    ranked = (known, split.column, list(fields.values()))
    kept, others, _ = series_of(chart.pivot.choice, ranked, (known, split.column), context)
    names = [*kept]
    shown = [*kept, *([nothing] if split.fallback else [])]
    parts = [all_rows.with_node(Filter(node, one_of(column(split.column.name), map(text, shown))))]
    if others and flag(dict(chart.pivot.options), "useother", True):
        names.append(chart.pivot.options.get("otherstr", "OTHER"))
        parts.append(_others(node, row, split, kept, names[-1], fields, context))
    if split.fallback and context.discover(all_rows.with_node(Filter(node, is_null.copy()))):
        names.append(nothing)
    whole = stacked(parts, context)
    cells = tuple(
        Cell(name, whole.fields[name], counting=_counting(node, column_)) for name, column_ in fields.items()
    )
    table = Table(whole, (whole.fields[_ROW], whole.fields[_SERIES]), cells)
    return spread(chart.pivot, table, names, [row.name if isinstance(row, Attribute) else "_time"], context)


def _counting(node: Measure, made: Column) -> bool:
    functions = {one.column.number: one.function for one in node.aggregates}
    return functions.get(made.number) in _COUNTS


def _others(
    node: Measure,
    row: Column | Attribute,
    split: Attribute,
    kept: list[str],
    name: str,
    fields: Mapping[str, Column],
    context: Context,
) -> Relation:
    """Measure all series that have no column of their own, as one."""
    own: Tree = column("metric") if split.name == METRIC else _value_of(split.name)
    has: list[Tree] = [] if split.name == METRIC else [_has(split.name)]
    rest = all_of(
        [*([node.series] if node.series is not None else []), *has, call("not", one_of(own, map(text, kept)))]
    )
    again = {made.number: context.column(made.shape) for made in fields.values()}
    key = context.column(row.column.shape if isinstance(row, Attribute) else row.shape)
    by = (dataclasses.replace(row, column=key),) if isinstance(row, Attribute) else ()
    measured = tuple(dataclasses.replace(one, column=again[one.column.number]) for one in node.aggregates)
    other = dataclasses.replace(
        node,
        aggregates=measured,
        by=by,
        series=rest,
        bin=None if isinstance(row, Attribute) else key,
    )
    named = context.column(Shape.TEXT)
    relation = Relation(other, {}, (Order(key),)).computed([(named, call("toNullable", text(name)))])
    shown = {_ROW: key, _SERIES: named, **{field: again[made.number] for field, made in fields.items()}}
    return relation.with_fields(shown)


def _value_of(name: str) -> Tree:
    return call("arrayElement", column("attributes"), text(name))


def _has(name: str) -> Tree:
    return call("mapContains", column("attributes"), text(name))
