"""``makecontinuous [FIELD] [span=SPAN] [bins=N] [start=N] [end=N]`` fills the gaps between values.

The field, ``_time`` unless given, is put into bins: its value becomes the start of the bin. Then there is
a row for each bin that no row is in, which has nothing but the field. Without ``span`` it is chosen so
that there are at most ``bins`` (100). ``start`` and ``end`` are the first and the last bin, if the values
do not go that far. The rows are ordered by the field.

Example::

    | stats count BY _time | makecontinuous _time span=10m
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from kubestray.search.binning import BIN_OPTIONS, TIME, bounds, chosen_span, extent, extent_of_times
from kubestray.search.cursor import Cursor
from kubestray.search.given import given_relation
from kubestray.search.options import read_options
from kubestray.search.plan import Filter, Grouped, Order
from kubestray.search.relation import Context, Relation
from kubestray.search.spans import LogSpan, NumberSpan, TimeSpan
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Command
from kubestray.search.values import Shape, Value, as_number, choose, looks_numeric
from kubestray.store.trees import all_of, call, number

_BINS = 100
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class MakeContinuous(Command):
    """The ``makecontinuous`` command; ``options`` are names and values."""

    field: str
    options: tuple[tuple[str, str], ...]


def parse(cursor: Cursor, at: int) -> MakeContinuous:
    """Read the field and the options, in any order."""
    options: dict[str, str] = {}
    read_options(cursor, BIN_OPTIONS, options)
    field = cursor.field("to fill the gaps of") if cursor.at_field() else TIME
    read_options(cursor, BIN_OPTIONS, options)
    return MakeContinuous(at, field, tuple(options.items()))


def plan(command: MakeContinuous, relation: Relation, context: Context) -> Relation:
    """Put the values into bins, ask which bins there are, and add rows for the others."""
    options = dict(command.options)
    value = relation.value(command.field)
    if value is None:
        return relation
    low, high = bounds(options, context, command.at)
    relation = _inside(relation, value, low, high)
    span = chosen_span(command.field, value, options, relation, context, command.at, _BINS)
    ends = extent_of_times if isinstance(span, TimeSpan) else extent
    first, last = ends(as_number(value), relation, context)
    if span is None or first is None or last is None:
        return relation
    if isinstance(span, LogSpan):
        raise context.error(command.at, "makecontinuous takes no logarithmic span")
    start = Value(Shape.NUMBER, span.start(as_number(value)))
    binned = choose([(looks_numeric(value), start)], value)
    made = context.column(binned.shape)
    relation = relation.extended([(command.field, made, binned.tree)])
    bins = list(itertools.islice(_starts(span, first if low is None else low, last, high), _MOST + 1))
    if len(bins) > _MOST:
        raise context.error(command.at, f"this makes more than {_MOST} rows", "take a longer span")
    known = _known(relation, made.value(), context)
    missing = [{command.field: start} for start in bins if start not in known]
    filled = stacked([relation, given_relation(missing, context, [command.field])], context)
    key = context.column(Shape.NUMBER)
    ordered = filled.computed([(key, as_number(filled.fields[command.field].value()))])
    return Relation(ordered.node, ordered.fields, (Order(key), *filled.order))


def _inside(relation: Relation, value: Value, low: float | None, high: float | None) -> Relation:
    """Return the rows whose values are between two ends, if they are given."""
    own = as_number(value)
    wanted = [call("greaterOrEquals", own, number(low))] if low is not None else []
    wanted += [call("lessOrEquals", own, number(high))] if high is not None else []
    return relation.with_node(Filter(relation.node, all_of(wanted))) if wanted else relation


def _starts(span: TimeSpan | NumberSpan, first: float, last: float, end: float | None) -> Iterator[float]:
    """Yield the starts of the bins, up to that of the last value or to an end that is given."""
    if isinstance(span, TimeSpan):
        starts = span.starts(first, max(last, end or last))
    else:
        size = float(span.size)
        places = range(math.floor(first / size), math.floor(max(last, end or last) / size) + 1)
        starts = (float(Decimal(place) * span.size) for place in places)
    for start in starts:
        if end is None or start < end or start <= last:
            yield start


def _known(relation: Relation, value: Value, context: Context) -> set[float]:
    """Ask which bins have rows."""
    key = context.column(Shape.NUMBER)
    distinct = Grouped(relation.node, ((key, as_number(value)),), ())
    return {row["bin"] for row in context.discover(Relation(distinct, {"bin": key})) if "bin" in row}
