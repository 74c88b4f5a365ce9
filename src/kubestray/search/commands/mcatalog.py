"""``mcatalog values(FIELD) [AS NAME] … [WHERE CLAUSE] [BY FIELD …]`` lists metrics and their attributes.

A FIELD is ``metric_name``, ``_dims`` (the names of the attributes), ``index``, or an attribute; the
result is all its values, sorted. The clause is that of ``mstats``: ``index``, ``metric_name``, attributes
with wildcards, ``earliest``, ``latest``. It is answered from the catalog, which knows to the hour when a
series was seen, and reads no point. A series that lacks a BY attribute is in no row.

Example::

    | mcatalog values(metric_name) AS metrics values(_dims) WHERE index=* BY k8s.cluster.name
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kubestray.search.aggregates import aggregates, by_fields
from kubestray.search.catalog import Dimensions, StoreCatalog
from kubestray.search.clauses import clause
from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.relation import Context, Relation
from kubestray.search.series import scope
from kubestray.search.syntax import Clause, Command, Place

_LACKING = r"(prestats|append)\s*="
_OWN = ("metric_name", "_dims", "index")


@dataclass(frozen=True, slots=True)
class MCatalog(Command):
    """The ``mcatalog`` command: the names of the results with the fields that they list."""

    place: ClassVar = Place.FIRST

    lists: tuple[tuple[str, str], ...]
    clause: Clause | None
    by: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> MCatalog:
    """Read the lists, the clause and the fields."""
    _refuse_lacking(cursor)
    lists: list[tuple[str, str]] = []
    for one in aggregates(cursor):
        if one.function != "values" or not isinstance(one.argument, str) or "*" in one.argument:
            raise cursor.error("mcatalog knows values(FIELD)", one.at, "for example values(metric_name)")
        lists.append((one.name, one.argument))
    _refuse_lacking(cursor)
    condition = clause(cursor, _at_by) if cursor.keyword("where") else None
    cursor.match(r"group(?=by\b)")  # GROUPBY is BY
    by = by_fields(cursor)
    if "_dims" in by:
        raise cursor.error("_dims cannot stand after BY", at)
    return MCatalog(at, tuple(lists), condition, by)


def _refuse_lacking(cursor: Cursor) -> None:
    if lacking := cursor.match(_LACKING):
        raise cursor.error(f"mcatalog option {lacking[1]!r} is known in SPL but not supported here")


def _at_by(cursor: Cursor) -> bool:
    return cursor.peek_word() in ("by", "groupby")


def plan(command: MCatalog, _: None, context: Context) -> Relation:
    """Ask the catalog, and group what it says."""
    selected = scope(command.clause, context)
    wanted = dict.fromkeys((*command.by, *(field for _, field in command.lists)))
    names = [name for name in wanted if name not in _OWN]
    found: list[Dimensions] = []
    if isinstance(context.catalog, StoreCatalog):  # a check without data has another one
        found = context.catalog.dimensions(names, selected.series, selected.span)
    groups: dict[tuple[str, ...], list[Dimensions]] = {}
    for one in found:
        keys = [_values(one, name, context) for name in command.by]
        if all(keys):
            groups.setdefault(tuple(key[0] for key in keys), []).append(one)
    rows = [
        {**dict(zip(command.by, key, strict=True)), **_listed(command, group, context)}
        for key, group in sorted(groups.items())
    ]
    return given_relation(rows, context, [*command.by, *(name for name, _ in command.lists)])


def _values(one: Dimensions, name: str, context: Context) -> Sequence[str]:
    """Return the values that some series have of a field."""
    if name == "metric_name":
        return [one.metric]
    if name == "_dims":
        return one.names
    if name == "index":
        return context.metric_indexes[:1]
    value = one.values[name]
    return [] if value is None else [value]


def _listed(command: MCatalog, group: list[Dimensions], context: Context) -> dict[str, Any]:
    """Return the values of the fields that are listed, each once and sorted."""
    return {
        name: sorted({value for one in group for value in _values(one, field, context)})
        for name, field in command.lists
    }
