"""``addtotals [FIELD …] [fieldname=NAME] [row=false] [col=true] [labelfield=NAME label=TEXT]`` adds sums.

Each row gets the sum of its numbers as ``Total``, or as what ``fieldname`` says. Without a list of fields
it is over all of them but internal ones like ``_time``; patterns are known. A text that reads as a number
is one, and what is no number counts nothing. With ``col=true`` there is one more row at the end with the
sums of the columns, that of the totals among them; ``labelfield`` is a field of this row, and says
``label`` (``Total`` unless given).

Example::

    | addtotals col=true labelfield=host label=all fieldname=sum count*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.options import flag
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.totals import read_totals, with_column_totals, with_row_totals


@dataclass(frozen=True, slots=True)
class AddTotals(Command):
    """The ``addtotals`` command."""

    fields: tuple[str, ...]
    name: str
    rows: bool
    columns: bool
    label: tuple[str, str] | None


def parse(cursor: Cursor, at: int) -> AddTotals:
    """Read the options and the fields, in any order."""
    options: dict[str, str] = {}
    fields = read_totals(cursor, options, ["fieldname"], ["row", "col"])
    label = (options["labelfield"], options.get("label", "Total")) if "labelfield" in options else None
    rows, columns = flag(options, "row", True), flag(options, "col", False)
    return AddTotals(at, fields, options.get("fieldname", "Total"), rows, columns, label)


def plan(command: AddTotals, relation: Relation, context: Context) -> Relation:
    """Add the sums."""
    patterns = command.fields or ("*",)
    if command.rows:
        relation = with_row_totals(relation, patterns, command.name, context)
        patterns = (*patterns, command.name)
    if command.columns:
        relation = with_column_totals(relation, patterns, command.label, context)
    return relation
