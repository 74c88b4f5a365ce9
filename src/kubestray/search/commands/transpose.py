"""``transpose [N] [column_name=NAME] [header_field=FIELD] [include_empty=false]`` turns rows into columns.

Each field becomes a row: its name in ``column``, or in what ``column_name`` says, then its values in the
first N rows (5 unless given, 0: all) as ``row 1``, ``row 2``, … With ``header_field`` the columns are
called by the values of a field, which then makes no row itself. ``include_empty=false`` leaves out fields
without any value in these rows.

Example::

    | transpose 0 column_name=what header_field=host
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.options import flag, read_options
from kubestray.search.plan import Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Transpose(Command):
    """The ``transpose`` command."""

    rows: int
    name: str
    header: str | None
    include_empty: bool


def parse(cursor: Cursor, at: int) -> Transpose:
    """Read the number of rows and the options, in any order."""
    options: dict[str, str] = {}
    rows = 5
    while True:
        if found := cursor.match(r"(?:int\s*=\s*)?(\d+)\b"):
            rows = int(found[1])
        elif not read_options(cursor, ["column_name", "header_field"], options, ["include_empty"]):
            break
    if rows > _MOST:
        raise cursor.error(f"at most {_MOST} rows become columns, found {rows}", at)
    empty = flag(options, "include_empty", True)
    return Transpose(at, rows, options.get("column_name", "column"), options.get("header_field"), empty)


def plan(command: Transpose, relation: Relation, context: Context) -> Relation:
    """Run what there is so far, as the fields of the result are its values."""
    most = command.rows or _MOST + 1
    rows = context.discover(relation.with_node(Limited(relation.node, relation.order, most)))
    if len(rows) > _MOST:
        raise context.error(command.at, f"these are more than {_MOST} rows", "name how many are wanted")
    headers = [_header(command, row, index) for index, row in enumerate(rows, 1)]
    made: list[dict[str, Any]] = []
    for field in relation.fields if rows else ():
        values = [row.get(field) for row in rows]
        if field != command.header and (command.include_empty or any(v is not None for v in values)):
            made.append({command.name: field, **dict(zip(headers, values, strict=True))})
    return given_relation(made, context, [command.name, *headers])


def _header(command: Transpose, row: dict[str, Any], index: int) -> str:
    """Return what the column of a row is called."""
    value = row.get(command.header) if command.header is not None else None
    if value is None:
        return f"row {index}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
