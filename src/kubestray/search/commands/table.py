"""``table FIELD …`` keeps only these fields, in this order. Wildcards are known.

A field that there is not is a column without values. Internal fields like ``_time`` are in ``*`` here too.

Example::

    | table _time host tcp.*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.commands.fields import field_list
from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL
from kubestray.search.wildcards import parts


@dataclass(frozen=True, slots=True)
class Table(Command):
    """The ``table`` command."""

    patterns: tuple[str, ...]


def parse(cursor: Cursor, at: int) -> Table:
    """Read the names."""
    return Table(at, field_list(cursor, "to show"))


def plan(command: Table, relation: Relation, context: Context) -> Relation:
    """Keep the fields, in the order of the command."""
    lacking = [name for name in command.patterns if "*" not in name and name not in relation.fields]
    made = [(name, context.column(NULL.shape), NULL.tree) for name in dict.fromkeys(lacking)]
    relation = relation.extended(made)
    order = [n for pattern in command.patterns for n in relation.fields if parts(pattern, n) is not None]
    return relation.with_fields({name: relation.fields[name] for name in order})
