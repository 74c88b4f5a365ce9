"""``fields [+|-] FIELD …`` keeps only these fields, or drops them with ``-``. Wildcards are known.

``_time`` and ``_raw`` stay unless they are dropped by name, or by a pattern that starts with an underscore:
``fields - _*``. The fields that are kept stay in their order; ``table`` changes it.

Example::

    | fields - avg_* stdev_*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.wildcards import chosen_fields

_INTERNAL = ("_time", "_raw")


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


def plan(command: Fields, relation: Relation, _: Context) -> Relation:
    """Keep or drop the fields; the rows stay."""
    chosen = set(chosen_fields(command.patterns, relation.fields))
    if command.drop:
        kept = [name for name in relation.fields if name not in chosen]
    else:
        kept = [name for name in relation.fields if name in chosen or name in _INTERNAL]
    return relation.with_fields({name: relation.fields[name] for name in kept})
