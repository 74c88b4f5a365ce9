"""Statements over rows that are no metrics: given ones, those of lookups, and stored events."""

from __future__ import annotations

from sqlglot import exp

from kubestray.search.columns import TYPES, nothing
from kubestray.search.events import chosen, field_of
from kubestray.search.plan import Column, Events, LookupRows, Rows
from kubestray.search.values import Shape
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    either,
    named,
    null,
    number,
    select,
    text,
    unsigned,
)


def given_rows(node: Rows) -> exp.Query:
    """Read given rows; the structure names our columns, the rows are one literal."""
    if not node.json:
        return nothing(list(node.columns))
    structure = ", ".join(f"{c.name} {TYPES[c.shape]}" for c in node.columns)
    return select(exp.Star()).from_(call("format", text("JSONEachRow"), text(structure), text(node.json)))


def lookup_rows(node: LookupRows) -> exp.Query:
    """Read a version of a stored lookup, with the place of each row in it."""
    shown = [named(_lookup_value(made, field), made.name) for made, field in node.columns]
    place = named(call("toNullable", call("toFloat64", column("place"))), node.place.name)
    wanted = [
        exp.EQ(this=column("name"), expression=text(node.name)),
        exp.EQ(this=column("version"), expression=unsigned(node.version)),
    ]
    return select(*shown, place).from_("lookup_rows").where(all_of(wanted))


def _lookup_value(made: Column, field: str) -> Tree:
    """Return a field of a lookup's row: numbers and texts are kept apart (`store.schema`)."""
    own, texts = column("numbers"), call("arrayElement", column("texts"), text(field))
    has = call("mapContains", own, text(field))
    own_value = either(has, call("toNullable", call("arrayElement", own, text(field))), null())
    if made.shape is Shape.NUMBER:
        return own_value
    if made.shape is Shape.TEXT:
        first = call("toNullable", call("arrayElement", texts, number(1)))
        return either(call("notEmpty", texts), first, null())
    return texts if made.shape is Shape.MULTI else call("tuple", own_value, texts)


def stored_events(node: Events) -> exp.Query:
    """Read stored events of an index and a range of time, with their time in seconds and their id."""
    shown = [named(field_of(made, name), made.name) for made, name in node.columns]
    moment = named(call("toNullable", call("divide", column("time"), number(1e9))), node.time.name)
    key = named(call("toNullable", column("id")), node.id.name)
    return select(moment, key, *shown).from_(node.table).where(chosen(node.index, node.span))
