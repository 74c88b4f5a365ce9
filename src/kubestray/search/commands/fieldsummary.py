"""``fieldsummary [maxvals=N] [FIELD …]`` makes a row of each field that says what is in it.

``count`` is how many rows have it, ``distinct_count`` how many values there are, ``numeric_count`` how many
are numbers; ``max``, ``mean``, ``min`` and ``stdev`` are of these. ``values`` is a JSON array of the N most
frequent values (100 unless given, 0: all), each as ``{"value":TEXT,"count":N}``. ``is_exact`` is 0 where
there are more than N values.
Splunk estimates ``distinct_count`` where ``is_exact`` is 0; here it is exact all the same.
Fields without any value make no row, nor do internal fields like ``_time`` unless they are named. Patterns
are known. The rows are ordered by the names.

Example::

    | fieldsummary maxvals=10 host tcp.*
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.functions.json_values import dumped
from kubestray.search.given import given_relation
from kubestray.search.options import read_options, whole
from kubestray.search.plan import Column, Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.statistics import STATISTICS, Rows
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, Value, as_list, as_number, present
from kubestray.search.wildcards import chosen_fields
from kubestray.store.trees import Tree, aggregate, array, call, column, lambda_, number

_NUMBERS = ("max", "mean", "min", "stdev")
_COLUMNS = (
    *(
        "field",
        "count",
        "distinct_count",
        "is_exact",
        "max",
        "mean",
        "min",
        "numeric_count",
        "stdev",
        "values",
    ),
)


@dataclass(frozen=True, slots=True)
class FieldSummary(Command):
    """The ``fieldsummary`` command."""

    most: int
    fields: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> FieldSummary:
    """Read how many values are wanted and the fields."""
    options: dict[str, str] = {}
    read_options(cursor, ["maxvals"], options)
    fields = field_list(cursor, "to sum up") if cursor.at_field() else ("*",)
    read_options(cursor, ["maxvals"], options)
    return FieldSummary(at, whole(cursor, options, "maxvals", 100), fields)


def plan(command: FieldSummary, relation: Relation, context: Context) -> Relation:
    """Ask for everything in one go, then make a row of each field."""
    names = sorted(chosen_fields(command.fields, relation.fields))
    made: list[tuple[Column, Tree]] = []
    shown: dict[str, Column] = {}
    for index, name in enumerate(names):
        for what, value in _measures(relation.fields[name].value(), command.most, context).items():
            shown[f"{index} {what}"] = context.column(value.shape)
            made.append((shown[f"{index} {what}"], value.tree))
    (row,) = context.discover(Relation(Grouped(relation.node, (), tuple(made)), shown)) if names else ({},)
    rows = [_row(name, index, row, command.most) for index, name in enumerate(names)]
    return given_relation([row for row in rows if row["count"]], context, _COLUMNS)


def _measures(value: Value, most: int, context: Context) -> dict[str, Value]:
    """Return the aggregates of one field; its values with their counts as texts by turns."""
    numeric = Value(Shape.NUMBER, as_number(value))
    rows = Rows(context.switches)
    found = {what: STATISTICS[what].build(numeric, rows) for what in _NUMBERS}
    found["count"] = _count(aggregate("countIf", present(value)))
    found["numeric_count"] = _count(aggregate("countIf", present(numeric)))
    found["distinct_count"] = STATISTICS["dc"].build(value, rows)
    ones = call("arrayMap", lambda_("x", call("toUInt64", number(1))), as_list(value))
    counts = aggregate("sumMap", as_list(value), ones)
    keys, amounts = (call("tupleElement", counts.copy(), number(index)) for index in (1, 2))
    pairs = call("arrayZip", keys, amounts)
    rarest = lambda_("p", call("tuple", call("negate", call("toInt64", _part(2))), _part(1)))
    ordered = call("arraySort", rarest, pairs)
    if most:
        ordered = call("arraySlice", ordered, number(1), number(most))
    texts = lambda_("p", array([_part(1), call("toString", _part(2))]))
    found["values"] = Value(Shape.MULTI, call("arrayFlatten", call("arrayMap", texts, ordered)))
    return found


def _part(index: int) -> Tree:
    return call("tupleElement", column("p"), number(index))


def _count(tree: Tree) -> Value:
    return Value(Shape.NUMBER, call("toNullable", call("toFloat64", tree)))


def _row(name: str, index: int, found: dict[str, Any], most: int) -> dict[str, Any]:
    row = {what: found.get(f"{index} {what}") for what in _COLUMNS}
    values = row["values"] if isinstance(row["values"], list) else []
    pairs = zip(values[::2], values[1::2], strict=True)
    listed = [{"value": value, "count": int(count)} for value, count in pairs]
    exact = not most or (row["distinct_count"] or 0) <= most
    return {**row, "field": name, "is_exact": int(exact), "values": dumped(listed)}
