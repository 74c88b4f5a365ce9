"""``top [N] FIELD … [BY FIELD …]`` counts combinations of values and shows the N most frequent (10).

Each row has the fields, ``count`` and ``percent`` (of all rows of its BY group, with six decimals).
``limit=N`` is N, and 0 shows all. ``useother=true`` adds a row for all others, named OTHER or
``otherstr=NAME``. ``showcount=false``, ``showperc=false``, ``countfield=NAME`` and ``percentfield=NAME``
change the two results. Of equally frequent values the last in lexicographic order comes first.

Example::

    | top 5 source.process.name BY source.workload.name
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.frequency import Frequency, parse_frequency, plan_frequency
from kubestray.search.relation import Context, Relation


@dataclass(frozen=True, slots=True)
class Top(Frequency):
    """The ``top`` command."""

    most = True


def parse(cursor: Cursor, at: int) -> Frequency:
    """Read the number, the fields and the options."""
    return parse_frequency(cursor, at, Top)


def plan(command: Frequency, relation: Relation, context: Context) -> Relation:
    """Count, most frequent first."""
    return plan_frequency(command, relation, context)
