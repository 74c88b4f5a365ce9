"""``fields [+|-] FIELD …`` keeps only these fields, or drops them with ``-``. Wildcards are known.

Example::

    | fields - avg_* stdev_*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.wildcards import parts


@dataclass(frozen=True, slots=True)
class Fields(Command):
    """The ``fields`` command."""

    patterns: tuple[str, ...]
    drop: bool


def parse(cursor: Cursor, at: int) -> Fields:
    """Read the sign and the names."""
    drop = cursor.take("-")
    cursor.take("+")
    return Fields(at, field_list(cursor, "to keep or drop"), drop)


def field_list(cursor: Cursor, purpose: str) -> tuple[str, ...]:
    """Read names separated by spaces or commas; at least one."""
    names = [cursor.field(purpose)]
    while cursor.take(",") or cursor.at_field():
        names.append(cursor.field(purpose))
    return tuple(names)


def plan(command: Fields, relation: Relation | None, context: Context) -> Relation:
    """Keep or drop the fields; the rows stay."""
    if relation is None:
        raise context.error(command.at, "fields has no rows to work on", "start the search with | mstats")

    def named(name: str) -> bool:
        return any(parts(pattern, name) is not None for pattern in command.patterns)

    return relation.with_fields({n: c for n, c in relation.fields.items() if named(n) != command.drop})
