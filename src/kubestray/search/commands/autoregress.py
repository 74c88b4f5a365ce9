"""``autoregress FIELD [AS NAME] [p=N]`` copies a field's value from the row before, or N rows before.

The copy is called ``FIELD_pN`` unless AS names it. ``p=M-N`` makes a copy from each of the rows M to N
before; then there is no AS.

Example::

    | autoregress count p=1-3
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.running import before
from kubestray.search.syntax import Command

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Autoregress(Command):
    """The ``autoregress`` command: the copies by how many rows they come from before, with their names."""

    field: str
    copies: tuple[tuple[int, str], ...]


def parse(cursor: Cursor, at: int) -> Autoregress:
    """Read the field, the name of the copy and how many rows to go back."""
    options: dict[str, str] = {}
    read_options(cursor, ["p"], options)
    field = cursor.field("to copy")
    name = cursor.field("after AS") if cursor.keyword("as") else None
    read_options(cursor, ["p"], options)
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", options.get("p", "1"))
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= _MOST:
        raise cursor.error(f"p={options.get('p')} is no number of rows", hint="write p=2 or p=1-3")
    if name is not None and first != last:
        raise cursor.error("several copies cannot have one name", hint="leave AS out")
    return Autoregress(
        at, field, tuple((rows, name or f"{field}_p{rows}") for rows in range(first, last + 1))
    )


def plan(command: Autoregress, relation: Relation, context: Context) -> Relation:
    """Add the copies."""
    ranked, _ = relation.ranked(context)
    value = ranked.value(command.field)
    if value is None:
        return relation
    made = [
        (name, context.column(value.shape), before(ranked, value, rows).tree) for rows, name in command.copies
    ]
    return ranked.extended(made)
