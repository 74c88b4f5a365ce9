"""``contingency [maxrows=N] [maxcols=N] [usetotal=false] [totalstr=TEXT] FIELD FIELD``
counts the rows for each pair of values.

A row for each value of the first field, a field for each of the second, the most frequent first, and totals
of both called ``TOTAL``. No more than ``maxrows`` and ``maxcols`` values are taken (1000), and of those as
many as it needs for ``minrowcover`` and ``mincolcover`` of all rows (1.0). An empty text is ``EMPTY_STR``.

Example::

    | contingency maxcols=5 host n
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubestray.search.cursor import Cursor
from kubestray.search.given import Row, given_relation
from kubestray.search.grouping import keyed
from kubestray.search.options import flag, read_options, whole
from kubestray.search.plan import Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import Shape
from kubestray.store.trees import aggregate, call

_OPTIONS = ("maxrows", "maxcols", "minrowcover", "mincolcover", "totalstr")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Contingency(Command):
    """The ``contingency`` command; ``most`` and ``cover`` are of rows and columns, ``total`` names totals."""

    fields: tuple[str, str]
    most: tuple[int, int]
    cover: tuple[float, float]
    total: str | None


def parse(cursor: Cursor, at: int) -> Contingency:
    """Read the options and the fields."""
    options: dict[str, str] = {}
    fields: list[str] = []
    while True:
        if read_options(cursor, _OPTIONS, options, ["usetotal"]):
            continue
        if not cursor.at_field():
            break
        fields.append(cursor.field("to count by"))
        cursor.take(",")
    if len(fields) != 2:
        raise cursor.error(f"contingency takes two fields, found {len(fields)}", at)
    rows, columns = (min(whole(cursor, options, name, _MOST) or _MOST, _MOST) for name in _OPTIONS[:2])
    try:
        cover = tuple(float(options.get(name, "1")) for name in _OPTIONS[2:4])
    except ValueError:
        raise cursor.error("minrowcover and mincolcover are numbers up to 1", at) from None
    total = options.get("totalstr", "TOTAL") if flag(options, "usetotal", True) else None
    return Contingency(at, (fields[0], fields[1]), (rows, columns), (cover[0], cover[1]), total)


def plan(command: Contingency, relation: Relation, context: Context) -> Relation:
    """Ask for the counts, and put them into a table."""
    counts = _counts(command, relation, context)
    totals = [Counter[Any](), Counter[Any]()]
    for pair, count in counts.items():
        for side, value in enumerate(pair):
            totals[side][value] += count
    rows, columns = (_chosen(totals[s], command.most[s], command.cover[s]) for s in (0, 1))
    table = [_line(value, row_of(counts, value, columns), command) for value in rows]
    if command.total is not None and rows:
        sums = {column: sum(counts.get((row, column), 0) for row in rows) for column in columns}
        table.append(_line(command.total, sums, command))
    names = [command.fields[0], *map(_name, columns), *([command.total] if command.total is not None else [])]
    return given_relation(table, context, names)


def row_of(counts: Mapping[tuple[Any, Any], int], row: Any, columns: list[Any]) -> dict[Any, int]:
    """Return the counts of one row by columns."""
    return {column: counts.get((row, column), 0) for column in columns}


def _counts(command: Contingency, relation: Relation, context: Context) -> dict[tuple[Any, Any], int]:
    relation, keys = keyed(relation, command.fields, context)
    groups = [context.column(key.shape) for key in keys]
    count = context.column(Shape.NUMBER)
    counted = call("toNullable", call("toFloat64", aggregate("count")))
    made = tuple((group, key.value().tree) for group, key in zip(groups, keys, strict=True))
    node = Grouped(relation.node, made, ((count, counted),))
    found = context.discover(Relation(node, {"row": groups[0], "column": groups[1], "count": count}))
    return {(row["row"], row["column"]): int(row["count"]) for row in found}


def _chosen(totals: Counter[Any], most: int, cover: float) -> list[Any]:
    """Return the most frequent values, as many as are wanted; equally frequent ones by their values."""
    ordered = sorted(totals.items(), key=lambda item: (-item[1], isinstance(item[0], str), item[0]))
    wanted, seen = cover * sum(totals.values()), 0
    chosen: list[Any] = []
    for value, count in ordered[:most]:
        if seen >= wanted:
            break
        chosen.append(value)
        seen += count
    return chosen


def _line(value: Any, counts: Mapping[Any, int], command: Contingency) -> Row:
    row: Row = {command.fields[0]: "EMPTY_STR" if value == "" else value}
    row |= {_name(column): count for column, count in counts.items()}
    return row if command.total is None else {**row, command.total: sum(counts.values())}


def _name(value: Any) -> str:
    return str(value) or "EMPTY_STR"
