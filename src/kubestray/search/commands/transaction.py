"""``transaction [FIELD …] [maxspan=TIME] [maxpause=TIME] [startswith=FILTER] [endswith=FILTER]`` joins rows.

It makes one row of those that have the same values in all FIELDs to one row, as long as no time between
two of them is above ``maxpause``, none between the first and the last above ``maxspan``, and there are at
most ``maxevents`` (1000). A row that lacks some of the fields goes with those that share one of the
others; a row that has none of them is in no transaction. A FILTER is ``"words"``, ``(field=value)`` or
``eval(condition)``; a transaction that lacks the start or the end is left out, unless
``keepevicted=true``, and then has 0 in ``closed_txn``.

The result has ``_time``, that of the oldest row, ``duration`` in seconds, ``eventcount``, and of each
field all values that differ, in the order of their characters; with ``mvlist=true`` all values in the
order of time, with ``mvlist="FIELD, FIELD"`` so of these fields. ``keeporphans=true`` keeps rows that
have none of the FIELDs as they are, with 1 in ``_txn_orphan``. ``_raw`` is a line each. The newest
transaction comes first. Rows without ``_time`` are in none. All rows are read while the search is
planned, so there may be 200000. ``delim`` changes nothing, as values stay apart, nor do ``maxopentxn``
and ``maxopenevents``.

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
from kubestray.search.wildcards import parts
from kubestray.store.trees import Tree, call, number

_OPTIONS = ["fields", "maxspan", "maxpause", "maxevents", "delim", "nullstr", "maxopentxn", "maxopenevents"]
_FLAGS = ["connected", "keepevicted", "keeporphans", "mvraw", "unifyends"]
_LACKING = r"(name\s*=|unifyends\s*=\s*(?:f|false|0)\b)"
_LISTED = r"mvlist\s*=\s*"
_ORPHAN = "_txn_orphan"
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
    keep_orphans: bool
    listed: tuple[str, ...]
    """Patterns of the fields of which all values are kept in order."""
    listed_raw: bool
    null: str


def parse(cursor: Cursor, at: int) -> Transaction:
    """Read the fields, the options and the filters, in any order."""
    options: dict[str, str] = {}
    filters: dict[str, Filter] = {}
    fields: list[str] = []
    listed: tuple[str, ...] = ()
    while True:
        if lacking := cursor.match(_LACKING):
            message = f"transaction option {lacking[1].rstrip(' =')!r} is known in SPL but not supported here"
            raise cursor.error(message)
        if cursor.match(_LISTED):
            listed = _listed(cursor)
        elif found := cursor.match(_ENDS):
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
    keep, orphans, raw = (flag(options, name, False) for name in ("keepevicted", "keeporphans", "mvraw"))
    null = options.get("nullstr", "NULL")
    return Transaction(at, rules, start, end, keep, orphans, listed, raw, null)


def _listed(cursor: Cursor) -> tuple[str, ...]:
    """Read ``true``, ``false`` or the names of fields."""
    quoted = cursor.quoted()
    found = cursor.match(r"[^\s|\]]+") if quoted is None else None
    written = quoted if quoted is not None else found[0] if found else ""
    if written.lower() in ("t", "true", "1"):
        return ("*",)
    return () if written.lower() in ("f", "false", "0") else tuple(written.replace(",", " ").split())


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
    events = _events(relation, marks, command, context)
    kept = [one for one in grouped(events, command.rules) if one.complete or command.keep_evicted]
    rows = [_joined(one, shown, command) for one in kept]
    names = [*shown, "duration", "eventcount", "closed_txn"]
    if command.keep_orphans:
        rows += [{**event.row, _ORPHAN: 1} for event in events if _is_orphan(event, command)]
        rows.sort(key=lambda row: -row["_time"])
        names.append(_ORPHAN)
    return given_relation(rows, context, names)


def _is_orphan(event: Event, command: Transaction) -> bool:
    """Whether a row has none of the fields of transactions, and so is in none."""
    return bool(command.rules.fields) and not any(name in event.row for name in command.rules.fields)


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
    listed = any(parts(pattern, name) is not None for pattern in command.listed)
    found = [row.get(name, command.null if listed else None) for row in rows]
    items = [item for value in found for item in (value if isinstance(value, list) else [value])]
    if listed:
        return items
    distinct = {str(item): item for item in items if item is not None}
    return [distinct[text] for text in sorted(distinct)]
