"""``rename OLD AS NEW, …`` renames fields; a ``*`` on each side renames many.

A name with spaces stands in quotes. One renaming is done after the other. A field that does not exist
leaves the rows as they are, except that a field already called NEW is taken away, as in Splunk. A ``*`` at
the start of OLD leaves internal fields like ``_time`` alone.

Example::

    | rename k8s.cluster.name AS host, avg_* AS usual_*
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Node
from kubestray.search.wildcards import field_parts, fill


@dataclass(frozen=True, slots=True)
class Pair(Node):
    """One ``old AS new``."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """The ``rename`` command."""

    pairs: tuple[Pair, ...]


def parse(cursor: Cursor, at: int) -> Rename:
    """Read the pairs."""
    pairs = [_pair(cursor)]
    while cursor.take(",") or cursor.at_field():
        pairs.append(_pair(cursor))
    return Rename(at, tuple(pairs))


def _pair(cursor: Cursor) -> Pair:
    at = cursor.skip()
    old = cursor.field("to rename")
    if not cursor.keyword("as"):
        raise cursor.error(f"expected AS after {old!r}, found {cursor.found()}")
    new = cursor.field("as the new name")
    if old.count("*") != new.count("*"):
        raise cursor.error("both sides of AS need the same wildcards", at)
    return Pair(at, old, new)


def plan(command: Rename, relation: Relation, _: Context) -> Relation:
    """Rename the fields; the rows stay."""
    fields = dict(relation.fields)
    for pair in command.pairs:
        stars = {name: field_parts(pair.old, name) for name in fields}
        targets = {name: fill(pair.new, found) for name, found in stars.items() if found is not None}
        if "*" not in pair.old and pair.old not in fields:
            fields.pop(pair.new, None)
        for new in targets.values():
            if new not in targets:
                fields.pop(new, None)
        fields = {targets.get(name, name): column for name, column in fields.items()}
    return relation.with_fields(fields)
