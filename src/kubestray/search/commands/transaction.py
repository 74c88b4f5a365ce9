"""``transaction [FIELD …] [maxspan=TIME] [maxpause=TIME] [startswith=FILTER] [endswith=FILTER]`` joins rows.

It makes one row of those that have the same values in all FIELDs to one row, as long as no time between
two of them is above ``maxpause``, none between the first and the last above ``maxspan``, and there are at
most ``maxevents`` (1000). A row that lacks some of the fields goes with those that share one of the
others; a row that has none of them is in no transaction. A FILTER is ``"words"``, ``(field=value)`` or
``eval(condition)``; a transaction that lacks the start or the end is left out, unless
``keepevicted=true``, and then has 0 in ``closed_txn``.

The result has ``_time``, that of the oldest row, ``duration`` in seconds, ``eventcount``, and of each
field all values that differ, in the order of their characters; with ``mvlist=true`` all values in the
order of time. ``_raw`` is a line each. The newest transaction comes first. Rows without ``_time`` are in
none. All rows are read while the search is planned, so there may be 200000. ``delim`` changes nothing, as
values stay apart, nor do ``maxopentxn`` and ``maxopenevents``.

Example::

    | transaction host maxpause=5m startswith="login" endswith=eval(action="logout")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubestray.search.clauses import clause
from kubestray.search.cursor import Cursor
from kubestray.search.evaluate import condition
from kubestray.search.expressions import expression
from kubestray.search.given import given_relation
from kubestray.search.matching import matches
from kubestray.search.options import flag, read_options, whole
from kubestray.search.plan import Column, Limited
from kubestray.search.relation import Context, Relation
from kubestray.search.source import Source
from kubestray.search.spans import TimeSpan, parse_span
from kubestray.search.syntax import Clause, Command, Expression, Node
from kubestray.search.transactions import Event, Group, Row, Rules, grouped
from kubestray.search.values import Shape, as_number
from kubestray.store.trees import Tree, call, number

_OPTIONS = ["fields", "maxspan", "maxpause", "maxevents", "delim", "nullstr", "maxopentxn", "maxopenevents"]
_FLAGS = ["connected", "keepevicted", "mvlist", "mvraw"]
_LACKING = r"(keeporphans|unifyends|name)\s*="
_ENDS = r"(startswith|endswith)\s*=\s*"
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """Which rows a transaction starts or ends with: those of a clause, or of a condition."""

    clause: Clause | None
    condition: Expression | None = None


@dataclass(frozen=True, slots=True)
class Transaction(Command):
    """The ``transaction`` command."""

    rules: Rules
    start: Filter | None
    end: Filter | None
    keep_evicted: bool
    listed: bool
    listed_raw: bool
    null: str


def parse(cursor: Cursor, at: int) -> Transaction:
    """Read the fields, the options and the filters, in any order."""
    options: dict[str, str] = {}
    filters: dict[str, Filter] = {}
    fields: list[str] = []
    while True:
        if lacking := cursor.match(_LACKING):
            raise cursor.error(f"transaction option {lacking[1]!r} is known in SPL but not supported here")
        if found := cursor.match(_ENDS):
            filters[found[1].lower()] = _filter(cursor)
        elif not read_options(cursor, _OPTIONS, options, _FLAGS):
            if not cursor.at_field():
                break
            fields.append(cursor.field("that rows of one transaction share"))
            cursor.take(",")
    rules = Rules(
        (*options.get("fields", "").replace(",", " ").split(), *fields),
        _seconds(cursor, options, "maxspan"),
        _seconds(cursor, options, "maxpause"),
        whole(cursor, options, "maxevents", 1000) or 1,
        "startswith" in filters,
        "endswith" in filters,
        flag(options, "connected", True),
    )
    start, end = filters.get("startswith"), filters.get("endswith")
    keep, listed, raw = (flag(options, name, False) for name in ("keepevicted", "mvlist", "mvraw"))
    return Transaction(at, rules, start, end, keep, listed, raw, options.get("nullstr", "NULL"))


def _filter(cursor: Cursor) -> Filter:
    """Read ``eval(condition)``, ``(clause)`` or a clause in quotes."""
    start = cursor.skip()
    if cursor.match(r"eval\s*\("):
        found = Filter(start, None, expression(cursor))
        cursor.expect(")", "to close eval(")
        return found
    if cursor.take("("):
        found = Filter(start, clause(cursor))
        cursor.expect(")", "to close the filter")
        return found
    quoted = cursor.quoted('"')
    written = quoted if quoted is not None else cursor.field("or text to look for")
    inner = Cursor(Source(written, []), lambda nested: nested.subsearch("within a filter"))
    return Filter(start, clause(inner))


def _seconds(cursor: Cursor, options: dict[str, str], name: str) -> float | None:
    written = options.get(name)
    if written is None or written == "-1":
        return None
    span = parse_span(written if not written.isdecimal() else f"{written}s")
    if not isinstance(span, TimeSpan):
        raise cursor.error(f"{name}={written} is no length of time", hint="write 30s, 5m, 1h or 1d")
    return span.about


def plan(command: Transaction, relation: Relation, context: Context) -> Relation:
    """Run what there is so far, and join its rows."""
    shown = list(relation.fields)
    marks = [context.column(Shape.NUMBER) for _ in range(2)]
    for mark, wanted in zip(marks, (command.start, command.end), strict=True):
        relation, tree = _holds(wanted, relation, context)
        relation = relation.computed([(mark, call("toNullable", call("toFloat64", tree)))])
    found = grouped(_events(relation, marks, command, context), command.rules)
    kept = [one for one in found if one.complete or command.keep_evicted]
    names = [*shown, "duration", "eventcount", "closed_txn"]
    return given_relation([_joined(one, shown, command) for one in kept], context, names)


def _holds(wanted: Filter | None, relation: Relation, context: Context) -> tuple[Relation, Tree]:
    """Return the condition that a row is one that a filter lets through."""
    if wanted is None:
        return relation, number(0)
    if wanted.condition is not None:
        relation, tree = condition(wanted.condition, relation, context)
        return relation, call("ifNull", tree, number(0))
    assert wanted.clause
    return relation, matches(wanted.clause, relation, context)


def _events(relation: Relation, marks: list[Column], command: Transaction, context: Context) -> list[Event]:
    """Ask for the rows that have a time."""
    time = relation.value("_time")
    if time is None:
        raise context.error(command.at, "transaction needs _time", "give mstats a span, for example span=1m")
    seconds = context.column(Shape.NUMBER)
    relation = relation.computed([(seconds, as_number(time))]).present_only(seconds.value())
    fields = {f"field {name}": made for name, made in relation.fields.items()}
    asked = relation.with_fields({**fields, "start": marks[0], "end": marks[1], "time": seconds})
    rows = context.discover(asked.with_node(Limited(asked.node, asked.order, _MOST + 1)))
    if len(rows) > _MOST:
        raise context.error(command.at, f"these are more than {_MOST} rows", "search for fewer first")
    return [
        Event(
            row["time"],
            {name[len("field ") :]: value for name, value in row.items() if name.startswith("field ")},
            bool(row["start"]),
            bool(row["end"]),
        )
        for row in rows
    ]


def _joined(group: Group, shown: list[str], command: Transaction) -> Row:
    """Return a transaction as one row."""
    rows = [event.row for event in reversed(group.events)]
    oldest, newest = group.events[-1].time, group.events[0].time
    row: Row = {name: _values(name, rows, command) for name in shown if name != "_time"}
    row |= {"_time": oldest, "duration": newest - oldest, "eventcount": len(rows)}
    return {**row, "closed_txn": int(group.closed)}


def _values(name: str, rows: list[Row], command: Transaction) -> Any:
    """Return the values of a field over all rows."""
    if all(name not in row for row in rows):
        return None
    if name == "_raw":
        lines = [str(row[name]) for row in rows if name in row]
        return lines if command.listed_raw else "\n".join(lines)
    found = [row.get(name, command.null if command.listed else None) for row in rows]
    items = [item for value in found for item in (value if isinstance(value, list) else [value])]
    if command.listed:
        return items
    distinct = {str(item): item for item in items if item is not None}
    return [distinct[text] for text in sorted(distinct)]
