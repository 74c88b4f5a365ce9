"""``inputlookup [append=true] [start=N] [max=N] NAME [where CLAUSE]`` gives the rows of a lookup.

``append=true`` puts them after the rows there are. The clause is that of ``search``: ``kind=pod*``
without regard to case, ``count>100``, AND, OR, NOT. ``start`` leaves out the first N rows, ``max`` takes
no more than N; both count the rows that the clause lets through. ``strict`` changes nothing: an unknown
lookup is always an error.

Example::

    | inputlookup k8s_process_resource_baseline where count<100
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kubestray.search.clauses import clause
from kubestray.search.cursor import Cursor
from kubestray.search.lookups import find_lookup, lookup_relation
from kubestray.search.matching import matches
from kubestray.search.options import flag, read_options, whole
from kubestray.search.plan import Filter, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Clause, Command, Pipeline, Place
from kubestray.store.trees import call, column, number

_NAMED = r"(inputlookup|savedsearch|datamodel)\s*:\s*"
_OPTIONS, _FLAGS = ("start", "max"), ("append", "strict")


@dataclass(frozen=True, slots=True)
class InputLookup(Command):
    """The ``inputlookup`` command; at most ``most`` rows after the first ``start``, all with 0."""

    place: ClassVar = Place.ANYWHERE

    lookup: str
    append: bool = False
    start: int = 0
    most: int = 0
    clause: Clause | None = None


def parse(cursor: Cursor, at: int) -> InputLookup:
    """Read the options, the name and the clause."""
    options: dict[str, str] = {}
    read_options(cursor, _OPTIONS, options, _FLAGS)
    name = cursor.field("of a lookup")
    read_options(cursor, _OPTIONS, options, _FLAGS)
    wanted = clause(cursor) if cursor.keyword("where") else None
    start, most = whole(cursor, options, "start", 0), whole(cursor, options, "max", 0)
    return InputLookup(at, name, flag(options, "append", False), start, most, wanted)


def plan(command: InputLookup, relation: Relation | None, context: Context) -> Relation:
    """Give the rows."""
    if relation is not None and not command.append:
        raise context.error(
            command.at, "inputlookup must be the first command of a search", "or say append=true"
        )
    rows = lookup_relation(find_lookup(command.lookup, command.at, context), context)
    if command.clause is not None:
        rows = rows.with_node(Filter(rows.node, matches(command.clause, rows, context)))
    if command.start:
        rows, place = rows.ranked(context)
        rows = rows.with_node(Filter(rows.node, call("greater", column(place.name), number(command.start))))
    if command.most:
        rows = rows.with_node(Limited(rows.node, rows.order, command.most))
    return rows if relation is None else stacked([relation, rows], context)


def at_dataset(cursor: Cursor) -> bool:
    """Whether what ``join`` and ``union`` take comes next: a subsearch, or a lookup by its name."""
    return cursor.looking_at("[") or cursor.match(rf"(?={_NAMED})") is not None


def read_dataset(cursor: Cursor, purpose: str) -> Pipeline:
    """Read ``[ commands ]`` or ``inputlookup:NAME``."""
    at = cursor.skip()
    found = cursor.match(_NAMED)
    if not found:
        return cursor.subsearch(purpose)
    if found[1].lower() != "inputlookup":
        message = f"{found[1]} as a dataset is known in SPL but not supported here"
        raise cursor.error(message, at, "write a subsearch in brackets")
    return Pipeline(at, (InputLookup(at, cursor.field("of a lookup")),))
