"""``rare [N] FIELD … [BY FIELD …]`` counts combinations of values and shows the N least frequent.

The options are those of ``top``. Of equally frequent values the first in lexicographic order comes first.

Example::

    | rare process.executable.path
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.frequency import Frequency, parse_frequency, plan_frequency
from kubestray.search.relation import Context, Relation


@dataclass(frozen=True, slots=True)
class Rare(Frequency):
    """The ``rare`` command."""

    most = False


def parse(cursor: Cursor, at: int) -> Frequency:
    """Read the number, the fields and the options."""
    return parse_frequency(cursor, at, Rare)


def plan(command: Frequency, relation: Relation, context: Context) -> Relation:
    """Count, least frequent first."""
    return plan_frequency(command, relation, context)
