"""Lookups as rows, and how rows are joined to them."""

from __future__ import annotations

from kubestray.search.cursor import nearest
from kubestray.search.given import given_relation
from kubestray.search.plan import LookupRows, Order, Rows
from kubestray.search.relation import Context, LookupTable, Relation
from kubestray.search.values import Shape


def find_lookup(name: str, at: int, context: Context) -> LookupTable:
    """Return a lookup by name; an unknown one is an error with the nearest known name."""
    found = context.lookups.find(name) if context.lookups else None
    if found is None:
        known = context.lookups.names() if context.lookups else []
        hint = (
            nearest(name, known) or "define it in a content folder's lookups/, or write it with outputlookup"
        )
        raise context.error(at, f"unknown lookup {name!r}", hint)
    return found


def lookup_relation(table: LookupTable, context: Context) -> Relation:
    """Return the rows of a lookup, in the order in which they were written."""
    if table.rows is not None:
        return given_relation(table.rows, context)
    place = context.column(Shape.NUMBER)
    fields = {name: context.column(shape) for name, shape in table.fields.items()}
    if table.version is None:
        return Relation(Rows((place, *fields.values()), ""), fields, (Order(place),))
    node = LookupRows(table.name, table.version, tuple((c, name) for name, c in fields.items()), place)
    return Relation(node, fields, (Order(place),))
