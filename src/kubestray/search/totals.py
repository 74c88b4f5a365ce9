"""Sums over the fields of a row and over the rows of a field: ``addtotals`` and ``addcoltotals``."""

from __future__ import annotations

from collections.abc import Sequence

from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.plan import Column, Filter, Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.values import Shape, as_number
from kubestray.search.wildcards import chosen_fields
from kubestray.store.trees import Tree, aggregate, array, call, column, number, text


def read_totals(
    cursor: Cursor, options: dict[str, str], names: Sequence[str] = (), flags: Sequence[str] = ()
) -> tuple[str, ...]:
    """Read options and names of fields and patterns, in any order."""
    fields: list[str] = []
    while True:
        if read_options(cursor, ["labelfield", "label", *names], options, flags):
            continue
        if not cursor.at_field():
            return tuple(fields)
        fields.append(cursor.field("to add up"))
        cursor.take(",")


def with_row_totals(relation: Relation, patterns: Sequence[str], name: str, context: Context) -> Relation:
    """Return the rows with the sum of their numbers in a field; 0 if there is no number."""
    numbers = [
        call("ifNull", as_number(relation.fields[field].value()), number(0))
        for field in chosen_fields(patterns, relation.fields)
    ]
    total = call("toNullable", call("arraySum", array([*numbers, number(0.0)])))
    return relation.extended([(name, context.column(Shape.NUMBER), total)])


def with_column_totals(
    relation: Relation, patterns: Sequence[str], label: tuple[str, str] | None, context: Context
) -> Relation:
    """Return the rows with one more at the end that has the sums of fields; nothing is added to no rows.

    ``label`` is a field of that row and what it says.
    """
    fields: dict[str, Column] = {}
    sums: list[tuple[Column, Tree]] = []
    for name in chosen_fields(patterns, relation.fields):
        if label is None or name != label[0]:
            fields[name] = context.column(Shape.NUMBER)
            own = as_number(relation.fields[name].value())
            sums.append((fields[name], aggregate("sumKahanOrNull", own)))
    rows = context.column(Shape.NUMBER)
    grouped = Grouped(relation.node, (), (*sums, (rows, aggregate("count"))))
    some = Filter(grouped, call("greater", column(rows.name), number(0)))
    totals = Relation(some, fields)
    if label is not None:
        said = call("toNullable", text(label[1]))
        totals = totals.extended([(label[0], context.column(Shape.TEXT), said)])
    return stacked([relation, totals], context)
