"""Lookups as rows, and how rows are joined to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubestray.search.cursor import nearest
from kubestray.search.given import given_relation
from kubestray.search.lookup_files import LookupFileError
from kubestray.search.lookup_store import joined_fields
from kubestray.search.plan import Column, Grouped, Limited, LookupRows, Order, Rows
from kubestray.search.relation import Context, LookupTable, Output, Relation
from kubestray.search.values import NULL, Shape, Value, as_list, as_text, choose
from kubestray.store.trees import aggregate, call, column, lambda_, number

Row = dict[str, Any]

_MOST_MATCHES = 1000


def find_lookup(name: str, at: int, context: Context) -> LookupTable:
    """Return a lookup by name; an unknown one is an error with the nearest known name."""
    try:
        found = _known(name, context)
    except LookupFileError as error:
        raise context.error(
            at, str(error), "put the file there, or write the lookup with outputlookup"
        ) from error
    if found is None:
        known = context.lookups.names() if context.lookups else []
        hint = (
            nearest(name, known) or "define it in a content folder's lookups/, or write it with outputlookup"
        )
        raise context.error(at, f"unknown lookup {name!r}", hint)
    return found


def _known(name: str, context: Context) -> LookupTable | None:
    """Return a lookup by its name, or by that of its file: ``staff.csv`` is ``staff``."""
    if context.lookups is None:
        return None
    plain = name.removesuffix(".gz").removesuffix(".csv")
    for called in dict.fromkeys((name, plain, f"{plain}.csv")):
        if found := context.lookups.find(called):
            return found
    return None


def lookup_relation(table: LookupTable, context: Context) -> Relation:
    """Return the rows of a lookup, in the order in which they were written."""
    if table.rows is not None:
        return given_relation(table.rows, context, table.fields)
    place = context.column(Shape.NUMBER)
    fields = {name: context.column(shape) for name, shape in table.fields.items()}
    if table.version is None:
        return Relation(Rows((place, *fields.values()), ""), fields, (Order(place),))
    node = LookupRows(table.name, table.version, tuple((c, name) for name, c in fields.items()), place)
    return Relation(node, fields, (Order(place),))


def all_matches(
    rows: Relation, by: Sequence[str], shown: Mapping[str, Column], context: Context
) -> tuple[Relation, list[Value]]:
    """Return the lookup with one row for each combination of its keys, and the keys' values.

    The fields have the values of all rows of a combination, the first `_MOST_MATCHES` of them. Where
    combinations are not repeated, as in most lookups, the rows stay as they are.
    """
    keys = [rows.value(name) or NULL for name in by]
    if not _repeats(rows, keys, context):
        return rows.with_fields(shown), keys
    rows, place = rows.ranked(context)
    rows = rows.with_node(Limited(rows.node, rows.order, _MOST_MATCHES, _key_columns(keys)))
    made = {name: _values_of(column.value(), place) for name, column in shown.items()}
    groups = [(context.column(Shape.TEXT), as_text(key)) for key in keys]
    columns = {name: context.column(value.shape) for name, value in made.items()}
    first = context.column(Shape.NUMBER)
    aggregates = [(columns[name], value.tree) for name, value in made.items()]
    node = Grouped(rows.node, tuple(groups), (*aggregates, (first, aggregate("min", place.value().tree))))
    return Relation(node, columns, (Order(first),)), [group.value() for group, _ in groups]


def _key_columns(keys: Sequence[Value]) -> tuple[Column, ...]:
    return tuple(Column(int(key.tree.name.removeprefix("c")), key.shape) for key in keys if key.field)


def _repeats(rows: Relation, keys: Sequence[Value], context: Context) -> bool:
    count, most = context.column(Shape.NUMBER), context.column(Shape.NUMBER)
    groups = tuple((context.column(Shape.TEXT), as_text(key)) for key in keys)
    counted = Grouped(
        rows.node, groups, ((count, call("toNullable", call("toFloat64", aggregate("count")))),)
    )
    asked = Grouped(counted, (), ((most, aggregate("maxOrNull", count.value().tree)),))
    return bool(context.discover(Relation(asked, {"most": most}))[0].get("most", 0) > 1)


def _values_of(value: Value, place: Column) -> Value:
    """Return the values of a group in order: the value itself where the group is one row."""
    pairs = aggregate("groupArray", call("tuple", place.value().tree, as_list(value)))
    ordered = call("arraySort", lambda_("p", call("tupleElement", column("p"), number(1))), pairs)
    lists = call("arrayMap", lambda_("p", call("tupleElement", column("p"), number(2))), ordered)
    several = Value(Shape.MULTI, call("arrayFlatten", lists))
    only = Value(value.shape, aggregate("any", value.tree))
    return choose([(call("equals", aggregate("count"), number(1)), only)], several)


@dataclass(frozen=True, slots=True)
class Writing:
    """How rows are written to a lookup: in place of what it holds or after it.

    Rows are told apart by the field ``key``, if there is one; with ``update`` a row takes the place of the
    one with the same key, else it is left out. With ``even_nothing`` no rows are written too.
    """

    append: bool = False
    key: str | None = None
    update: bool = True
    even_nothing: bool = True


def writing(name: str, relation: Relation, context: Context, how: Writing, at: int) -> Output:
    """Return the rows as what a lookup is to hold; ``at`` is the place of the command in the search."""
    lookups = context.lookups
    if lookups is None:
        raise context.error(at, f"lookups cannot be written here: {name}")
    fields = {field: column.shape for field, column in relation.fields.items()}
    listed = lookups.listed_fields(name)
    if listed and context.switches.kv_fields_list == "on":
        fields = {field: shape for field, shape in fields.items() if field in listed}

    def write(rows: list[Row]) -> None:
        if not rows and not how.even_nothing:
            return
        kept = [{field: value for field, value in row.items() if field in fields} for row in rows]
        before = lookups.find(name) if how.append else None
        if before is None or (before.version is None and not before.filed):
            lookups.write(name, fields, _together([], kept, how))
            return
        earlier = context.discover(lookup_relation(before, context))
        lookups.write(name, joined_fields(before.fields, fields), _together(earlier, kept, how))

    return Output(relation, write)


def _together(earlier: list[Row], later: list[Row], how: Writing) -> list[Row]:
    """Return rows and those after them; of rows with the same key one stays, in the place of the first."""
    if how.key is None:
        return [*earlier, *later]
    rows: list[Row] = []
    places: dict[str, int] = {}
    for row in [*earlier, *later]:
        key = str(row[how.key]) if how.key in row else None
        if key is None or key not in places:
            if key is not None:
                places[key] = len(rows)
            rows.append(row)
        elif how.update:
            rows[places[key]] = row
    return rows
