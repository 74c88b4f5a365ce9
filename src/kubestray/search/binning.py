"""Putting values into bins: what ``bin``, ``chart`` and ``timechart`` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kubestray.search.moments import with_a_year
from kubestray.search.plan import Grouped
from kubestray.search.relation import Context, Relation
from kubestray.search.spans import (
    LogSpan,
    NumberSpan,
    Span,
    TimeSpan,
    automatic_number,
    automatic_time,
    parse_span,
)
from kubestray.search.times import SECOND_NS, BadTime, parse_time
from kubestray.search.values import Shape, Value, as_number, choose, looks_numeric
from kubestray.store.trees import Tree, aggregate

BIN_OPTIONS = ("span", "bins", "minspan", "start", "end", "aligntime")
TIME = "_time"


def binned(value: Value, span: Span) -> Value:
    """Return the bin of a value: the start of a time's, ``FROM-TO`` of a number's; other values stay."""
    own = as_number(value)
    if isinstance(span, TimeSpan):
        made = Value(Shape.NUMBER, span.start(own))
    else:
        made = Value(Shape.TEXT, span.label(own))
    if value.shape is Shape.NUMBER:
        return made
    return choose([(looks_numeric(value), made)], value)


def chosen_span(
    name: str,
    value: Value,
    options: Mapping[str, str],
    relation: Relation,
    context: Context,
    at: int,
    bins: int,
) -> Span | None:
    """Return the span that the options ask for, or one that makes at most so many bins of the values.

    None if there is no number among the values.
    """
    if "span" in options:
        return aligned(written_span(name, options, context, at), options, context, at)
    ends = extent_of_times if name == TIME else extent
    first, last = ends(as_number(value), relation, context)
    if first is None or last is None:
        return None
    bins = _whole("bins", options, bins, context, at)
    if name == TIME:
        span = automatic_time(first, last, bins, least(options, context, at), context.timezone)
        return aligned(span, options, context, at)
    first = min(first, _number("start", options, first, context, at))
    last = max(last, _number("end", options, last, context, at))
    return automatic_number(first, last, bins, least(options, context, at))


def written_span(name: str, options: Mapping[str, str], context: Context, at: int) -> Span:
    """Return the span that the options name; for times a number is seconds."""
    found = parse_span(options["span"], context.timezone)
    if name == TIME and isinstance(found, NumberSpan):
        found = TimeSpan(float(found.size))
    if found is None or (name == TIME and isinstance(found, LogSpan)):
        hint = "write span=5m" if name == TIME else "write span=10, span=5m or span=2log10"
        what = "length of time" if name == TIME else "length of a bin"
        raise context.error(at, f"span={options['span']} is not a {what}", hint)
    return found


def aligned(span: Span, options: Mapping[str, str], context: Context, at: int) -> Span:
    """Return the span with its bins where ``aligntime`` wants them; days and longer stay as they are."""
    if "aligntime" not in options or not isinstance(span, TimeSpan) or span.calendar:
        return span
    return replace(span, align=_moment(options["aligntime"], context, at) / SECOND_NS)


def _moment(written: str, context: Context, at: int) -> int:
    if written.lower() == "earliest":
        return context.span.earliest
    if written.lower() == "latest":
        return context.now if context.span.latest is None else context.span.latest
    try:
        return parse_time(written, context.now, context.timezone)
    except BadTime as error:
        raise context.error(at, f"aligntime: {error}") from error


def least(options: Mapping[str, str], context: Context, at: int) -> float:
    """Return the smallest bin that ``minspan`` lets through; 0 for any."""
    if "minspan" not in options:
        return 0.0
    found = parse_span(options["minspan"])
    if isinstance(found, TimeSpan):
        return found.about
    if isinstance(found, NumberSpan):
        return float(found.size)
    raise context.error(at, f"minspan={options['minspan']} is not a length of a bin", "write minspan=5m")


def _whole(name: str, options: Mapping[str, str], default: int, context: Context, at: int) -> int:
    written = options.get(name, str(default))
    if not written.isdecimal() or int(written) < 1:
        raise context.error(at, f"{name}={written} is no whole number above 0")
    return int(written)


def _number(name: str, options: Mapping[str, str], default: float, context: Context, at: int) -> float:
    try:
        return float(options.get(name, default))
    except ValueError:
        raise context.error(at, f"{name}={options[name]} is no number") from None


def bounds(options: Mapping[str, str], context: Context, at: int) -> tuple[float | None, float | None]:
    """Return the numbers that ``start`` and ``end`` name."""
    return tuple(  # type: ignore[return-value]
        _number(name, options, 0.0, context, at) if name in options else None for name in ("start", "end")
    )


def number_of_bins(options: Mapping[str, str], default: int, context: Context, at: int) -> int:
    """Return how many bins there may be."""
    return _whole("bins", options, default, context, at)


def extent_of_times(time: Tree, relation: Relation, context: Context) -> tuple[float | None, float | None]:
    """Ask for the first and the last time, in seconds, of the years 1 to 9999: others are in no bin."""
    return extent(with_a_year(time), relation, context)


def extent(value: Tree, relation: Relation, context: Context) -> tuple[float | None, float | None]:
    """Ask for the smallest and the largest number among the rows."""
    columns = [context.column(Shape.NUMBER) for _ in range(2)]
    ends = [aggregate(name, value.copy()) for name in ("minOrNull", "maxOrNull")]
    node = Grouped(relation.node, (), tuple(zip(columns, ends, strict=True)))
    row = context.discover(Relation(node, dict(zip(("first", "last"), columns, strict=True))))[0]
    return row.get("first"), row.get("last")
