"""``format [maxresults=N] [mvsep=TEXT] [emptystr=TEXT] ["(" "(" "AND" ")" "OR" ")"]`` makes a clause.

The result is one row with the field ``search``: ``( ( host="a" AND user="b" ) OR ( … ) )``, the fields in
alphabetical order, without internal ones (``_time``) and null ones; for no rows it is ``NOT ( )``. A field
called ``search`` or ``query`` is taken as it is. Quotes within a value are escaped. Every subsearch in a
clause ends with this unless it says something else. The six texts are what stands before and after all
rows and each row, and between columns and rows: all six or none are given.

Example::

    | stats count BY host | fields host | format
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.relation import Context, Relation
from kubestray.search.subsearches import Style, formatted
from kubestray.search.syntax import Command
from kubestray.search.truncation import first

_OPTION = r"(mvsep|maxresults|emptystr)\s*=\s*"
_NAMES = {"mvsep": "between_values", "emptystr": "empty"}
_AROUND = ("row_prefix", "column_prefix", "column_separator", "column_end", "row_separator", "row_end")


@dataclass(frozen=True, slots=True)
class Format(Command):
    """The ``format`` command."""

    style: Style
    most: int


def parse(cursor: Cursor, at: int) -> Format:
    """Read the options and the six texts, in any order."""
    style, most = Style(), 0
    around: list[str] = []
    while True:
        if found := cursor.match(_OPTION):
            name, value = found[1].lower(), cursor.field("as the option's value")
            if name in _NAMES:
                style = dataclasses.replace(style, **{_NAMES[name]: value})
            elif value.isdigit():
                most = int(value)
            else:
                raise cursor.error(f"maxresults={value} is no number of rows", found.start())
        elif (text := cursor.quoted()) is not None:
            around.append(text)
        else:
            break
    if around and len(around) != len(_AROUND):
        raise cursor.error(f"format takes six texts or none, found {len(around)}", at)
    return Format(at, dataclasses.replace(style, **dict(zip(_AROUND, around, strict=False))), most)


def plan(command: Format, relation: Relation, context: Context) -> Relation:
    """Run what comes before, and write its rows."""
    rows = context.discover(first(relation, command.most))
    return given_relation([{"search": formatted(rows, command.style)}], context)
