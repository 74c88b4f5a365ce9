"""``fields [+|-] FIELD …`` keeps only these fields, or drops them with ``-``. Wildcards are known.

``_time`` and ``_raw`` stay unless they are dropped by name.

Example::

    | fields - avg_* stdev_*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.wildcards import parts

# Kept unless they are dropped by name, or by a pattern that starts with an underscore.
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


def by_list(cursor: Cursor) -> tuple[str, ...]:
    """Read the fields after BY, if there are any; wildcards would not say how many there are."""
    if not cursor.keyword("by"):
        return ()
    at = cursor.skip()
    names = field_list(cursor, "after BY")
    if any("*" in name for name in names):
        raise cursor.error("BY takes no wildcards", at)
    return tuple(dict.fromkeys(names))


def plan(command: Fields, relation: Relation, _: Context) -> Relation:
    """Keep or drop the fields; the rows stay."""

    def named(name: str) -> bool:
        return any(parts(pattern, name) is not None for pattern in command.patterns)

    def kept(name: str) -> bool:
        if name in _INTERNAL:
            return not (
                command.drop
                and any(p.startswith("_") and parts(p, name) is not None for p in command.patterns)
            )
        return named(name) != command.drop

    return relation.with_fields({name: column for name, column in relation.fields.items() if kept(name)})
