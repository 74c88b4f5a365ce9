"""``eventcount [index=NAME] … [summarize=false]`` tells how many events there are in indexes.

Of all times, whatever range the search has. Without a name it is the index ``main``; ``*`` is a wildcard.
With ``summarize=false`` there is a row for each index, with ``count`` and ``index``.

Example::

    | eventcount summarize=false index=*
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.cursor import Cursor
from kubestray.search.given import Row, given_relation
from kubestray.search.options import flag, read_options
from kubestray.search.plan import Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Place
from kubestray.search.values import Shape
from kubestray.search.wildcards import parts
from kubestray.store.points import Span
from kubestray.store.trees import aggregate, call

_INDEX = r"index\s*=\s*"
_LACKING = r"(report_size|list_vix|list_federated_remote)\s*="


@dataclass(frozen=True, slots=True)
class EventCount(Command):
    """The ``eventcount`` command."""

    place: ClassVar = Place.FIRST

    indexes: tuple[str, ...]
    summarize: bool


def parse(cursor: Cursor, at: int) -> EventCount:
    """Read the indexes and the option."""
    indexes: list[str] = []
    options: dict[str, str] = {}
    while (found := cursor.match(_INDEX)) or read_options(cursor, (), options, ["summarize"]):
        if found:
            indexes.append(cursor.field("of an index"))
    if lacking := cursor.match(_LACKING):
        raise cursor.error(f"eventcount option {lacking[1]!r} is known in SPL but not supported here")
    return EventCount(at, tuple(indexes) or ("main",), flag(options, "summarize", True))


def plan(command: EventCount, _: None, context: Context) -> Relation:
    """Count the events of each index."""
    known = [*context.indexes, *(context.events.names() if context.events else [])]
    wanted = [
        name
        for name in dict.fromkeys(known)
        if any(parts(pattern.lower(), name.lower()) is not None for pattern in command.indexes)
    ]
    counts = {name: _count(name, context) for name in sorted(wanted)}
    if command.summarize:
        return given_relation([{"count": sum(counts.values())}], context)
    rows: list[Row] = [{"count": count, "index": name} for name, count in counts.items()]
    return given_relation(rows, context, ["count", "index"])


def _count(name: str, context: Context) -> int:
    if name in context.indexes:
        return len(context.indexes[name])
    assert context.events
    events = context.events.relation(name, Span(), context)
    count = context.column(Shape.NUMBER)
    counted = call("toNullable", call("toFloat64", aggregate("count")))
    (row,) = context.discover(Relation(Grouped(events.node, (), ((count, counted),)), {"count": count}))
    return int(row["count"])
