"""``chart AGGREGATE … [OVER FIELD] [BY FIELD]`` (or ``BY ROWS COLUMNS``) makes a table for a chart.

One row a value of the first field, one column a value of the second. ``limit=N`` (10) bounds the
columns, the others are OTHER (``useother=false`` leaves them out); rows without a value are NULL
(``usenull=false``).

Example::

    | chart count OVER source.workload.name BY protocol
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.pivot import Pivot, fields_of, pivoted, read_options, read_pivot
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL


@dataclass(frozen=True, slots=True)
class Chart(Command):
    """The ``chart`` command."""

    pivot: Pivot
    rows: str
    columns: str | None


def parse(cursor: Cursor, at: int) -> Chart:
    """Read the aggregates and the two fields."""
    pivot = read_pivot(cursor)
    rows = fields_of(cursor, ("over",))
    columns = fields_of(cursor, ("by",))
    if rows is None:
        cursor.take(",")
        rows, columns = columns, cursor.field("of columns") if columns and cursor.at_field() else None
    read_options(cursor, pivot.options)
    if rows is None:
        raise cursor.error("chart needs a field after OVER or BY")
    return Chart(at, pivot, rows, columns)


def plan(command: Chart, relation: Relation, context: Context) -> Relation:
    """Make the table."""
    key = relation.value(command.rows) or NULL
    relation = relation.present_only(key)
    return pivoted(command.pivot, relation, (command.rows, key), command.columns, context)[0]
