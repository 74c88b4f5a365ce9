"""``table FIELD …`` keeps only these fields, in this order. Wildcards are known.

Example::

    | table _time host tcp.*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.wildcards import parts


@dataclass(frozen=True, slots=True)
class Table(Command):
    """The ``table`` command."""

    patterns: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> Table:
    """Read the names."""
    return Table(at, field_list(cursor, "to show"))


def plan(command: Table, relation: Relation, _: Context) -> Relation:
    """Keep the fields, in the order of the command."""
    order = [n for pattern in command.patterns for n in relation.fields if parts(pattern, n) is not None]
    return relation.with_fields({name: relation.fields[name] for name in order})
