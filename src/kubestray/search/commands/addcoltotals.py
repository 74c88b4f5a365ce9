"""``addcoltotals [FIELD …] [labelfield=NAME label=TEXT]`` adds a row at the end with the sums of the fields.

Without a list of fields all numbers are added up but those of internal fields like ``_time``; patterns
are known. ``labelfield`` is a field of this row that says ``label`` (``Total`` unless given).

Example::

    | addcoltotals labelfield=host label=all count*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.totals import read_totals, with_column_totals


@dataclass(frozen=True, slots=True)
class AddColTotals(Command):
    """The ``addcoltotals`` command."""

    fields: tuple[str, ...]
    label: tuple[str, str] | None


def parse(cursor: Cursor, at: int) -> AddColTotals:
    """Read the options and the fields, in any order."""
    options: dict[str, str] = {}
    fields = read_totals(cursor, options)
    label = (options["labelfield"], options.get("label", "Total")) if "labelfield" in options else None
    return AddColTotals(at, fields, label)


def plan(command: AddColTotals, relation: Relation, context: Context) -> Relation:
    """Add the row."""
    return with_column_totals(relation, command.fields or ("*",), command.label, context)
