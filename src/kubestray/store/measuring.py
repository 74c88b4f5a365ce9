"""Whole metrics, of which summaries and sketches are made: the kinds of their series, and their points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence

from sqlglot import exp

from kubestray.model.metric import Kind
from kubestray.store.coverage import Query
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.points import Selection, Span, measured
from kubestray.store.trees import Tree, all_of, call, column, named, one_of, select, text, unsigned

Names = Collection[str] | Callable[[], Collection[str]]
"""Names, or what finds them out."""


def told(names: Names) -> tuple[str, ...]:
    """Return names, sorted."""
    return tuple(sorted(names() if callable(names) else names))


def kinds_seen(query: Query, span: Span, metrics: Sequence[str] | None) -> dict[str, frozenset[Kind]]:
    """Return the metrics that were seen in a range, with the kinds of their series."""
    conditions: list[Tree] = [
        call("less", column("first_seen"), unsigned(span.latest or 0)),
        # ``last_seen`` may lag by an hour.
        call("greaterOrEquals", column("last_seen"), unsigned(max(0, span.earliest - HOUR_NS))),
    ]
    if metrics is not None:
        conditions.append(one_of(column("metric"), map(text, metrics)))
    tree = (
        select(column("metric"), named(call("groupUniqArray", column("kind")), "kinds"))
        .from_("series")
        .where(all_of(conditions))
        .group_by(column("metric"))
    )
    return {row["metric"]: frozenset(map(Kind, row["kinds"])) for row in query(tree).to_pylist()}


def points_of(kinds: dict[str, frozenset[Kind]], span: Span) -> exp.Query:
    """Select the points of metrics in a range, counters as increases."""
    points = [measured(Selection(names, found, None, span)) for names, found in _alike(kinds)]
    return points[0] if len(points) == 1 else exp.union(*points, distinct=False)


def _alike(kinds: dict[str, frozenset[Kind]]) -> Iterator[tuple[tuple[str, ...], frozenset[Kind]]]:
    """Yield metrics together whose series are read alike: counters, others, and both under one name."""
    ways: dict[tuple[bool, bool], list[str]] = defaultdict(list)
    for metric, found in sorted(kinds.items()):
        ways[Kind.CUMULATIVE in found, bool(found - {Kind.CUMULATIVE})].append(metric)
    for (counters, others), names in ways.items():
        wanted = {Kind.CUMULATIVE} if counters else set()
        yield tuple(names), frozenset(wanted | ({Kind.GAUGE, Kind.DELTA} if others else set()))


def runs(hours: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield hours that follow each other as ranges."""
    start = before = hours[0]
    for hour in hours[1:]:
        if hour != before + 1:
            yield start, before + 1
            start = hour
        before = hour
    yield start, before + 1
