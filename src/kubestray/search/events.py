"""Events in the store: the risk events of detections (``index=risk``), and what searches have collected."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from kubestray.search.identity import steady
from kubestray.search.plan import Column, Events, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.values import Shape
from kubestray.store.points import Span
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    named,
    select,
    table,
    text,
    unsigned,
)

Row = dict[str, Any]
Query = Callable[[exp.Expr], pa.Table]
Record = Callable[[str, pa.Table], None]

RISK = "risk"
_OWN = {RISK: "risk"}  # index: the table that is this index

_NUMBERS = {"Int64", "UInt64", "Double"}


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """The indexes of events of a store."""

    query: Query
    record: Record

    def names(self) -> list[str]:
        """Return the names of all indexes."""
        found = self.query(select(column("index_name")).distinct().from_("events"))
        return sorted({*_OWN, *found.column("index_name").to_pylist()})

    def relation(self, index: str, span: Span, context: Context) -> Relation:
        """Return the events of an index, the newest first, with every field that one of them has."""
        name, within = (_OWN[index], None) if index in _OWN else ("events", index)
        found, place = context.column(Shape.NUMBER), context.column(Shape.TEXT)
        shapes = self._fields(name, within, span)
        fields = {field: context.column(shape) for field, shape in shapes.items() if field != "_time"}
        node = Events(name, within, span, tuple((c, field) for field, c in fields.items()), found, place)
        return Relation(node, {"_time": found, **fields}, (Order(found, descending=True), Order(place)))

    def _fields(self, name: str, within: str | None, span: Span) -> dict[str, Shape]:
        keys = call("arrayJoin", call("JSONExtractKeys", column("fields")))
        rows = select(column("fields"), named(keys, "key")).from_(name).where(chosen(within, span))
        kind = call("toString", call("JSONType", column("fields"), column("key")))
        kinds = named(call("groupUniqArray", kind), "kinds")
        tree = select(column("key"), kinds).from_(table(rows, "keys")).group_by(column("key"))
        found = self.query(tree.order_by(column("key"))).to_pylist()
        return {row["key"]: _shape(set(row["kinds"])) for row in found}

    def collect(self, index: str, rows: Sequence[Row], now: int) -> None:
        """Add rows to an index; the same rows of a search for the same ``now`` (ns) are added once."""
        seen: dict[str, int] = {}
        events = list(_identified(rows, seen, now))
        recorded = time.time_ns()
        made = {
            "index_name": pa.array([index] * len(events), pa.string()),
            "id": pa.array([key for key, _, _ in events], pa.string()),
            "time": pa.array([moment for _, moment, _ in events], pa.uint64()),
            "fields": pa.array([written for _, _, written in events], pa.string()),
            "recorded": pa.array([recorded] * len(events), pa.uint64()),
        }
        self.record("events", pa.table(made))


def _identified(rows: Sequence[Row], seen: dict[str, int], now: int) -> Iterator[tuple[str, int, str]]:
    """Yield identity, time and fields of each row; equal rows are told apart by their number."""
    for row in rows:
        written = json.dumps(row, sort_keys=True, ensure_ascii=False)
        same = json.dumps(steady(row), sort_keys=True, ensure_ascii=False)
        seen[same] = seen.get(same, 0) + 1
        identity = json.dumps([now, seen[same], same], ensure_ascii=False)
        at = row.get("_time")
        moment = int(at * 1e9) if isinstance(at, int | float) and at >= 0 else now
        yield hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32], moment, written


def chosen(within: str | None, span: Span) -> Tree:
    """Return the condition that an event is of an index and a time range."""
    wanted: list[Tree] = []
    if within is not None:
        wanted.append(exp.EQ(this=column("index_name"), expression=text(within)))
    if span.earliest:
        wanted.append(exp.GTE(this=column("time"), expression=unsigned(span.earliest)))
    if span.latest is not None:
        wanted.append(exp.LT(this=column("time"), expression=unsigned(span.latest)))
    return all_of(wanted)


def _shape(kinds: set[str]) -> Shape:
    kinds = kinds - {"Null"}
    if kinds and kinds <= _NUMBERS:
        return Shape.NUMBER
    if not kinds & _NUMBERS:
        return Shape.MULTI if "Array" in kinds else Shape.TEXT
    return Shape.DYNAMIC


def field_of(made: Column, field: str) -> Tree:
    """Return a field of an event's JSON in the shape of its column."""
    place = [column("fields"), text(field)]
    own = call("JSONExtract", *place, text("Nullable(Float64)"))
    kind = call("toString", call("JSONType", *(p.copy() for p in place)))
    as_it_is = call(
        "multiIf",
        call("equals", kind, text("String")),
        call("JSONExtract", *place, text("Nullable(String)")),
        call("in", kind.copy(), call("tuple", text("Null"), text(""))),
        call("CAST", exp.Null(), text("Nullable(String)")),
        call("toNullable", call("JSONExtractRaw", *place)),
    )
    several = call(
        "multiIf",
        call("equals", kind.copy(), text("Array")),
        call("JSONExtract", *place, text("Array(String)")),
        call("isNull", as_it_is),
        call("CAST", call("array"), text("Array(String)")),
        call("array", call("assumeNotNull", as_it_is.copy())),
    )
    is_number = call("in", kind.copy(), call("tuple", *(text(n) for n in sorted(_NUMBERS))))
    match made.shape:
        case Shape.NUMBER:
            return own
        case Shape.TEXT:
            return as_it_is
        case Shape.MULTI:
            return several
        case _:
            none = call("CAST", call("array"), text("Array(String)"))
            number = call("if", is_number, own, call("CAST", exp.Null(), text("Nullable(Float64)")))
            return call("tuple", number, call("if", is_number.copy(), none, several))
