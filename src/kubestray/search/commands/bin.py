"""``bin [span=LENGTH] [bins=N] FIELD [AS NAME]`` puts values into bins; ``bucket`` is the same.

For ``_time`` the span is a length of time (``5m``, ``1mon``, ``1w@w1``) and the bin is its start;
for another field a length of time does so too, a number makes bins written ``FROM-TO``, and ``2log10`` bins
that start at 2, 20, 200. Values that are no numbers stay as they are. Days and longer are those of the time
zone of the search; weeks start on Thursday, as the epoch does, and with ``1w@w1`` on Monday.

Without a span it is the smallest power of ten that makes at most ``bins=N`` (100) bins, and at least
``minspan``; ``start`` and ``end`` widen what is counted. Of times it is the shortest of 1, 5, 10, 30
seconds, 1, 5, 10, 30 minutes, 1 hour, 1 day, 1 month. ``aligntime`` is a time at which a bin starts.

Example::

    | bin span=5m _time | stats count BY _time
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.binning import BIN_OPTIONS, binned, chosen_span
from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command

_BINS = 100


@dataclass(frozen=True, slots=True)
class Bin(Command):
    """The ``bin`` command; ``options`` are names and values."""

    field: str
    name: str
    options: tuple[tuple[str, str], ...]


def parse(cursor: Cursor, at: int) -> Bin:
    """Read the options, the field and the name."""
    options: dict[str, str] = {}
    read_options(cursor, BIN_OPTIONS, options)
    field = cursor.field("to put into bins")
    read_options(cursor, BIN_OPTIONS, options)
    name = cursor.field("after AS") if cursor.keyword("as") else field
    read_options(cursor, BIN_OPTIONS, options)
    return Bin(at, field, name, tuple(options.items()))


def plan(command: Bin, relation: Relation, context: Context) -> Relation:
    """Put the values into bins."""
    value = relation.value(command.field)
    if value is None:
        return relation
    span = chosen_span(command.field, value, dict(command.options), relation, context, command.at, _BINS)
    made = binned(value, span) if span else value
    return relation.extended([(command.name, context.column(made.shape), made.tree)])
