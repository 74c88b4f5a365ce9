"""``makeresults [count=N]`` makes N rows (1 unless given) that hold nothing but ``_time``, which is now.

Example::

    | makeresults count=3 | streamstats count AS n | eval x = n * n
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Place

_OPTION = r"(count|annotate|splunk_server|splunk_server_group)\s*=\s*(\w+)"
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class MakeResults(Command):
    """The ``makeresults`` command."""

    place: ClassVar = Place.FIRST

    count: int


def parse(cursor: Cursor, at: int) -> MakeResults:
    """Read the number of rows."""
    count = 1
    while found := cursor.match(_OPTION):
        if found[1].lower() == "count":
            if not found[2].isdigit() or int(found[2]) > _MOST:
                raise cursor.error(f"count is a number up to {_MOST}, found {found[2]!r}", at)
            count = int(found[2])
    return MakeResults(at, count)


def plan(command: MakeResults, _: None, context: Context) -> Relation:
    """Make the rows."""
    seconds = context.now // 10**9
    return given_relation([{"_time": seconds}] * command.count, context)
