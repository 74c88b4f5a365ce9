"""``return [N] [FIELD] [ALIAS=FIELD] [$FIELD] …`` hands the first N rows to the search around it.

Without N it is one row. The result is one row with the field ``search``: ``FIELD`` gives
``FIELD="value"``, ``ALIAS=FIELD`` the same under another name, ``$FIELD`` the bare value; several rows are
joined by OR, equal ones are written once. A bare value is read as it stands, so a text that should stay a
text needs quotes of its own. Without rows there is nothing to say, and the search around it is not
narrowed.

Example::

    | makeresults | eval limit = 5 | return limit
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.relation import Context, Relation
from kubestray.search.subsearches import quoted, quoted_name
from kubestray.search.syntax import Command, Node
from kubestray.search.truncation import first


@dataclass(frozen=True, slots=True)
class Part(Node):
    """One field to return: under a name, or as its bare value with None."""

    field: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Return(Command):
    """The ``return`` command."""

    count: int
    parts: tuple[Part, ...]


def parse(cursor: Cursor, at: int) -> Return:
    """Read the number of rows and the fields."""
    found = cursor.match(r"(\d+)(?=\s|$|\])")
    parts: list[Part] = []
    while cursor.at_field():
        parts.append(_part(cursor))
        cursor.take(",")
    return Return(at, int(found[1]) if found else 1, tuple(parts))


def _part(cursor: Cursor) -> Part:
    at = cursor.skip()
    if cursor.take("$"):
        return Part(at, cursor.field("after $").removesuffix("$"), None)
    name = cursor.field("to return")
    return Part(at, cursor.field("after =") if cursor.take("=") else name, name)


def plan(command: Return, relation: Relation, context: Context) -> Relation:
    """Run what comes before, and write its first rows."""
    rows = context.discover(first(relation, max(command.count, 1)))
    written = dict.fromkeys(text for row in rows if (text := _row(row, command.parts)))
    lines = list(written)
    text = lines[0] if len(lines) == 1 else " OR ".join(f"({line})" for line in lines)
    return given_relation([{"search": text}], context)


def _row(row: Mapping[str, Any], parts: tuple[Part, ...]) -> str:
    wanted = parts or tuple(Part(0, name, name) for name in row if not name.startswith("_"))
    shown = []
    for part in wanted:
        if part.field in row:
            value = row[part.field]
            text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            shown.append(text if part.name is None else f"{quoted_name(part.name)}={quoted(text)}")
    return " ".join(shown)
