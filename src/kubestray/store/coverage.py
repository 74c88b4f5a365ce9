"""What of a time range is summarised and up to date, and what has to be read from the points.

A unit is an hour or a day (UTC). It answers for a metric if it is summarised, for all metrics or for this
one again, and if no point came late to it since the summary began.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from kubestray.store.answers import NONE_KEPT, Answers
from kubestray.store.point_tables import DAY_NS, HOUR_NS
from kubestray.store.points import Span
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    lambda_,
    named,
    number,
    one_of,
    select,
    table,
    text,
)

_LAST_HOUR = 2**32 - 1

HOUR, DAY = 1, 24
"""The units, by their length in hours."""

_MOST_RANGES = 24
"""Ranges of points that one statement reads apart; beyond that, the longest summarised stretches count."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Units that follow each other: of this length, from one hour up to, not including, another one."""

    hours: int
    first: int
    end: int

    @property
    def span(self) -> Span:
        """The time it takes."""
        return Span(self.first * HOUR_NS, self.end * HOUR_NS)

    def holds(self) -> Tree:
        """Return the condition that a row, by its columns ``hours`` and ``hour``, is of one of the units."""
        return all_of(
            [
                call("equals", column("hours"), number(self.hours)),
                call("greaterOrEquals", column("hour"), number(self.first)),
                call("less", column("hour"), number(self.end)),
            ]
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a range is answered: stretches of summaries, and ranges of points; together they are all of it."""

    summaries: tuple[Stretch, ...]
    points: tuple[Span, ...]


Query = Callable[[exp.Expr], pa.Table]

Fitting = Callable[[tuple[int, int]], set[tuple[int, int]]]
"""Gives the units (length, first hour) between two hours that may be used."""


def coverage(
    span: Span,
    metrics: Collection[str],
    needs: Collection[str],
    query: Query,
    longest: int = DAY,
    answers: Answers = NONE_KEPT,
    fitting: Fitting | None = None,
) -> Coverage:
    """Return how to answer for a range: from days where possible, then hours, then points.

    ``needs`` are attributes that the answer depends on: summaries made without one of them do not serve.
    ``longest`` is the longest unit that may be used, and ``fitting`` tells which may be, where not all may.
    """
    first, end = whole_hours(span)
    if end <= first:
        return Coverage((), (span,))
    may_be = fitting((first, end)) if fitting else None
    if may_be is not None and not may_be:
        return Coverage((), (span,))
    expired = expired_days(query, answers)
    units = _known_units(first, end, metrics, needs, query, expired, answers)
    units = units if may_be is None else units & may_be
    return laid_out({unit for unit in units if unit[0] <= longest}, span, expired)


def laid_out(units: Collection[tuple[int, int]], span: Span, expired: Collection[int]) -> Coverage:
    """Return how a range is answered from units (length, first hour) that say what its points say."""
    first, end = whole_hours(span)
    stretches = _stretches(units, first, end)
    stretches = sorted(sorted(stretches, key=lambda s: s.first - s.end)[:_MOST_RANGES], key=lambda s: s.first)
    points = [*_between(stretches, span), *_since_expiry(stretches, expired)]
    return Coverage(tuple(stretches), tuple(points))


def whole_hours(span: Span) -> tuple[int, int]:
    """Return the first whole hour of a range, and the hour after the last one."""
    return -(-span.earliest // HOUR_NS), _LAST_HOUR if span.latest is None else span.latest // HOUR_NS


def expired_days(query: Query, answers: Answers = NONE_KEPT) -> frozenset[int]:
    """Return the days, counted from the epoch, whose points were dropped."""

    def ask() -> frozenset[int]:
        return frozenset(query(select(column("day")).from_("expired")).column("day").to_pylist())

    return answers.get(("expired",), "expired", ask)


def _known_units(
    first: int,
    end: int,
    metrics: Collection[str],
    needs: Collection[str],
    query: Query,
    expired: frozenset[int],
    answers: Answers,
) -> set[tuple[int, int]]:
    """Return what `clean_units` does: those of all times are kept, where answers can be."""
    tables = ("summarised", "touched")
    if not answers.lasting(tables):
        return clean_units(first, end, metrics, needs, query, expired)

    def ask() -> list[tuple[int, int]]:
        return sorted(clean_units(0, _LAST_HOUR, metrics, needs, query, expired))

    key = ("units", frozenset(metrics), frozenset(needs), expired)
    units = answers.get(tables, key, ask)
    return {unit for unit in units if first <= unit[1] and unit[1] + unit[0] <= end}


def unanswered(coverage: Coverage | None, span: Span, expired: Collection[int]) -> list[int]:
    """Return the expired days of a range of which summaries do not answer for all that the range takes."""
    end = None if span.latest is None else -(-span.latest // DAY_NS)
    days = {day for day in expired if day >= span.earliest // DAY_NS and (end is None or day < end)}
    stretches = [(one.first * HOUR_NS, one.end * HOUR_NS) for one in (coverage.summaries if coverage else ())]
    lacking = []
    for day in sorted(days):
        start, stop = max(span.earliest, day * DAY_NS), (day + 1) * DAY_NS
        stop = stop if span.latest is None else min(stop, span.latest)
        answered = sum(max(0, min(stop, last) - max(start, first)) for first, last in stretches)
        if answered < stop - start:
            lacking.append(day)
    return lacking


def cut_off(coverage: Coverage | None, span: Span, expired: Collection[int], behind: int) -> dict[int, Span]:
    """Return the expired days in which points are looked for that lie up to ``behind`` nanoseconds before
    those that are read, each with the range of the next day that needs them.
    """
    found = {}
    for day in expired:
        border = (day + 1) * DAY_NS
        needing = Span(border, border + behind)
        if day + 1 not in expired and any(
            one.earliest < border + behind and (one.latest is None or one.latest > border)
            for one in (coverage.points if coverage else (span,))
        ):
            found[day] = needing
    return found


def _since_expiry(stretches: Iterable[Stretch], expired: Collection[int]) -> Iterable[Span]:
    """Yield the ranges of summaries whose points were dropped: what is there came later, and counts."""
    for stretch in stretches:
        at: Span | None = None
        for day in range(stretch.first // DAY, -(-stretch.end // DAY)):
            first, end = max(stretch.first, day * DAY), min(stretch.end, (day + 1) * DAY)
            if day not in expired:
                continue
            span = Span(first * HOUR_NS, end * HOUR_NS)
            if at and at.latest == span.earliest:
                at = Span(at.earliest, span.latest)
                continue
            if at:
                yield at
            at = span
        if at:
            yield at


def clean_units(
    first: int,
    end: int,
    metrics: Collection[str],
    needs: Collection[str],
    query: Query,
    expired: Collection[int] = (),
) -> set[tuple[int, int]]:
    """Return the units (length, first hour) between two hours whose summaries are what the points say.

    Of days that have expired they are what the points said: what came since is not in them.
    """
    inside = [
        call("greaterOrEquals", column("hour"), number(first)),
        call("less", column("hour"), number(end)),
    ]
    whole = [*inside, call("lessOrEquals", call("plus", column("hour"), column("hours")), number(end))]
    concerned = one_of(column("metric"), map(text, ("", *sorted(metrics))))
    lacking = call("hasAny", column("without"), call("array", *map(text, sorted(needs))))
    made = select(
        *(column(name) for name in ("hours", "hour", "metric", "began")),
        named(call("toUInt64", number(0)), "written"),
        named(lacking if needs else exp.false(), "lacks"),
    )
    made = made.from_("summarised").where(all_of([*whole, concerned]))
    touched = [_touched(length, inside, metrics, expired) for length in (HOUR, DAY)]
    noted = table(exp.union(made, *touched, distinct=False), "noted")
    by_metric = (
        select(
            *(column(name) for name in ("hours", "hour", "metric")),
            *(named(call("max", column(name)), f"last_{name}") for name in ("began", "written", "lacks")),
        )
        .from_(noted)
        .group_by(column("hours"), column("hour"), column("metric"))
    )
    everything = call("equals", column("metric"), text(""))
    base = call("maxIf", column("last_began"), everything)
    pairs = call("groupArray", call("tuple", column("last_written"), column("last_began")))
    later = call("greatest", call("tupleElement", column("p"), number(2)), column("base"))
    stale = call("greaterOrEquals", call("tupleElement", column("p"), number(1)), later)
    units = (
        select(column("hours"), column("hour"), named(base, "base"), named(pairs, "pairs"))
        .from_(table(by_metric, "by_metric"))
        .group_by(column("hours"), column("hour"))
        .having(call("not", call("max", column("last_lacks"))))
    )
    clean = all_of(
        [
            call("greater", column("base"), number(0)),
            call("not", call("arrayExists", lambda_("p", stale), column("pairs"))),
        ]
    )
    found = query(select(column("hours"), column("hour")).from_(table(units, "units")).where(clean))
    return set(zip(found.column("hours").to_pylist(), found.column("hour").to_pylist(), strict=True))


def _touched(
    length: int, inside: Sequence[Tree], metrics: Collection[str], expired: Collection[int]
) -> exp.Select:
    """Select the units of a length to which points of these metrics came late."""
    start = call("multiply", call("intDiv", column("hour"), number(length)), number(length))
    gone = one_of(call("intDiv", column("hour"), number(DAY)), map(number, sorted(expired)))
    return (
        select(
            named(call("toUInt8", number(length)), "hours"),
            named(call("toUInt32", start), "unit"),
            column("metric"),
            named(call("toUInt64", number(0)), "began"),
            column("written"),
            named(exp.false(), "lacks"),
        )
        .from_("touched")
        .where(all_of([*inside, one_of(column("metric"), map(text, sorted(metrics))), call("not", gone)]))
    )


def _stretches(units: Collection[tuple[int, int]], first: int, end: int) -> list[Stretch]:
    """Join units to stretches, a day before its hours."""
    found: list[Stretch] = []
    at = first
    for start, length in sorted(((hour, length) for length, hour in units), key=lambda u: (u[0], -u[1])):
        if start < at or start + length > end:
            continue  # a day has answered for this hour
        at = start + length
        if found and found[-1].end == start and found[-1].hours == length:
            found[-1] = Stretch(length, found[-1].first, at)
        else:
            found.append(Stretch(length, start, at))
    return found


def _between(stretches: Iterable[Stretch], span: Span) -> Iterable[Span]:
    """Yield what of a range lies outside of the stretches."""
    at = span.earliest
    for stretch in stretches:
        if stretch.span.earliest > at:
            yield Span(at, stretch.span.earliest)
        at = stretch.end * HOUR_NS
    if span.latest is None or span.latest > at:
        yield Span(at, span.latest)
