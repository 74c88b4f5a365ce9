"""Sketches: how many points of a metric and group lie where, so that percentiles need not read them all.

Kept of an hour or a day are the places (`store.places`) at which there are points, as the *gaps* between them
(the first is counted from zero), and the *counts* of their points. Places are the same everywhere: sketches
of hours, days, groups and shards merge without loss, by adding up counts. Which metrics have sketches is
asked when hours are summarised: the sketches of an hour are made with its summaries, and are as up to date as
these are. Why not the engine's own: `docs/decisions/0036-sketches.md`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable

from sqlglot import exp

from kubestray.store.answers import Answers
from kubestray.store.coverage import Query, Stretch
from kubestray.store.places import count_of, element, place, place_of
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    lambda_,
    named,
    number,
    one_of,
    over,
    select,
    table,
    text,
    unnested,
    unsigned,
)

Unit = tuple[int, int, str]
"""A length in hours, the first hour since the epoch, and a metric."""

COLUMNS = ("metric", "hours", "hour", "group_id", "gaps", "counts", "began")
"""Those of the table, in its order."""


def elements() -> Tree:
    """Return the elements of a row of ``sketches``, as an array."""
    one = lambda_("p n", element(column("p"), column("n")))
    return call("arrayMap", one, call("arrayCumSum", column("gaps")), column("counts"))


def of_points(points: exp.Query, members: exp.Query, began: int) -> exp.Select:
    """Select the rows of ``sketches`` of the hours that points lie in.

    ``points`` has metric, series_id, time and value, ``members`` the group_id of each series_id.
    """
    hour = call("toUInt32", call("intDiv", column("time"), unsigned(HOUR_NS)))
    shown = (
        column("metric"),
        column("group_id"),
        named(hour, "hour"),
        named(place(column("value")), "place"),
    )
    placed = (
        select(*shown)
        .from_(table(points, "points"))
        .join(table(members, "members"), using=["series_id"], join_type="inner", copy=False)
    )
    return _rows(placed, call("count"), 1, began)


def of_hours(first: int, hours: int, metrics: Collection[str], began: int) -> exp.Select:
    """Select the rows of ``sketches`` of a unit that is so long, merged from its hours."""
    inside = [
        Stretch(1, first, first + hours).holds(),
        one_of(column("metric"), map(text, sorted(metrics))),
    ]
    places = [named(call("arrayCumSum", column("gaps")), "place"), named(column("counts"), "n")]
    kept = select(*map(column, ("metric", "group_id", "place", "n"))).from_("sketches")
    kept = unnested(kept, places).where(all_of(inside))
    placed = select(exp.Star(), named(call("toUInt32", number(first)), "hour")).from_(table(kept, "kept"))
    return _rows(placed, call("sum", column("n")), hours, began)


def _rows(placed: exp.Select, count: Tree, hours: int, began: int) -> exp.Select:
    """Select rows of ``sketches`` from rows of metric, group_id, hour and place, which ``count`` counts."""
    # A group is of one metric: it is found sooner by numbers alone.
    metric = named(call("any", column("metric")), "of_metric")
    keys = ("group_id", "hour", "place")
    counted = select(metric, *map(column, keys), named(count, "points")).from_(table(placed, "placed"))
    counted = counted.group_by(*map(column, keys))
    ordered = call("arraySort", call("groupArray", element(column("place"), column("points"))))
    metric = named(call("any", column("of_metric")), "metric")
    found = select(metric, *map(column, keys[:2]), named(ordered, "found")).from_(table(counted, "counted"))
    found = found.group_by(*map(column, keys[:2]))
    places = call("arrayMap", lambda_("x", place_of(column("x"))), column("found"))
    gaps = call("arrayPopFront", call("arrayDifference", call("arrayPushFront", places, number(0))))
    return select(
        column("metric"),
        named(call("toUInt8", number(hours)), "length"),
        *map(column, ("hour", "group_id")),
        named(call("arrayMap", lambda_("x", call("toInt32", column("x"))), gaps), "gaps"),
        named(call("arrayMap", lambda_("x", count_of(column("x"))), column("found")), "counts"),
        named(unsigned(began), "began"),
    ).from_(table(found, "found_places"))


def matching(patterns: Collection[str], metrics: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics that are named; ``*`` stands for any characters."""
    named_so = [re.compile(".*".join(map(re.escape, one.split("*"))), re.DOTALL) for one in patterns]
    return tuple(sorted(name for name in metrics if any(one.fullmatch(name) for one in named_so)))


def current(metrics: Collection[str], query: Query, between: tuple[int, int] | None = None) -> set[Unit]:
    """Return the units of these metrics whose sketches were made when their summaries were, or later.

    ``between`` are two hours that they have to lie between. Whether a point came late to such a unit the
    summaries tell (`coverage.clean_units`).
    """
    inside: list[Tree] = []
    if between:
        first, end = map(number, between)
        last_hour = call("plus", column("hour"), column("hours"))
        inside += [
            call("greaterOrEquals", column("hour"), first),
            call("lessOrEquals", last_hour, end),
        ]
    shown = [column(name) for name in ("hours", "hour", "metric")]
    names = [text(name) for name in sorted(metrics)]
    none = call("toUInt64", number(0))
    made = select(*shown, named(column("began"), "made"), named(none, "drawn")).from_("summarised")
    made = made.where(all_of([*inside, one_of(column("metric"), [text(""), *names])]))
    drawn = select(*shown, named(none.copy(), "made"), named(column("began"), "drawn")).from_("sketched")
    drawn = drawn.where(all_of([*inside, one_of(column("metric"), names)]))
    last = [named(call("max", column(name)), f"last_{name}") for name in ("made", "drawn")]
    by_metric = select(*shown, *last).from_(table(exp.union(made, drawn, distinct=False), "noted"))
    of_all = call("maxIf", column("last_made"), call("equals", column("metric"), text("")))
    base = over(of_all, partition=[column("hours"), column("hour")])
    both = select(*shown, *(column(f"last_{name}") for name in ("made", "drawn")), named(base, "base"))
    both = both.from_(table(by_metric.group_by(*shown), "by_metric"))
    since = call("greatest", column("last_made"), column("base"))
    fresh = [
        call("greater", column("last_drawn"), number(0)),
        call("greaterOrEquals", column("last_drawn"), since),
    ]
    found = query(select(*shown).from_(table(both, "both")).where(all_of(fresh)))
    hours, hour, metric = (found.column(name).to_pylist() for name in ("hours", "hour", "metric"))
    return set(zip(hours, hour, metric, strict=True))


def sketched(
    metrics: Collection[str], between: tuple[int, int], query: Query, answers: Answers
) -> set[tuple[int, int]]:
    """Return the units (length, first hour) between two hours that have sketches of all of these metrics."""
    tables, wanted = ("summarised", "sketched"), frozenset(metrics)
    # Those of all times are kept, where answers can be.
    within = None if answers.lasting(tables) else between
    drawn = answers.get(tables, ("sketched", wanted), lambda: current(wanted, query, within))
    known = Counter((hours, hour) for hours, hour, _ in drawn)
    return {unit for unit, count in known.items() if count == len(wanted)}
