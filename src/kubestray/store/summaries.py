"""The rows of summaries, and which hours and days have them: the statements behind `store.summarise`.

An hour's row is the states of its points, by metric and group, counters as increases; a day's is its hours'
merged. The table ``summarised`` notes which hours and days are done, for all metrics or, where points came
late to them, for one again; ``touched`` notes to which hours and metrics points came late, and when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from sqlglot import exp

from kubestray.model.metric import Kind
from kubestray.store.coverage import DAY, HOUR
from kubestray.store.groups import members
from kubestray.store.measuring import points_of
from kubestray.store.point_tables import HOUR_NS, KEPT
from kubestray.store.points import Span
from kubestray.store.states import STATES, to_keep
from kubestray.store.store import Store
from kubestray.store.trees import (
    Tree,
    all_of,
    call,
    column,
    named,
    number,
    one_of,
    over,
    select,
    table,
    text,
    unsigned,
)

ALL = ""
"""What stands for all metrics, in the table ``summarised``."""


def states(
    kinds: dict[str, frozenset[Kind]], first: int, end: int, without: Sequence[str], began: int
) -> exp.Select:
    """Select the rows of ``summaries`` of some hours: states by series, joined to groups, merged."""
    span = Span(first * HOUR_NS, end * HOUR_NS)
    hour = call("intDiv", column("time"), unsigned(HOUR_NS))
    keys = (column("metric"), column("series_id"), column("hour"))
    by_series = (
        select(*keys[:2], named(hour, "hour"), *(named(STATES[name].of_points(), name) for name in KEPT))
        .from_(table(points_of(kinds, span), "points"))
        .group_by(*keys)
    )
    groups = members(without, one_of(column("metric"), map(text, kinds)))
    return (
        select(
            column("metric"),
            named(call("toUInt8", number(HOUR)), "hours"),
            column("hour"),
            column("group_id"),
            *(named(to_keep(name), f"{name}_") for name in KEPT),
            named(unsigned(began), "began"),
        )
        .from_(table(by_series, "states"))
        .join(table(groups, "members"), using=["series_id"], join_type="inner", copy=False)
        .group_by(column("metric"), column("hour"), column("group_id"))
    )


def columns() -> list[str]:
    """Return the columns of the table ``summaries``, in the order in which rows of it are made."""
    return ["metric", "hours", "hour", "group_id", *KEPT, "began"]


def is_length(hours: int) -> Tree:
    """Return the condition on units of so many hours."""
    return call("equals", column("hours"), number(hours))


def of_all(hours: int) -> Tree:
    """Return the condition on notes of units of so many hours that are of all metrics."""
    return all_of([is_length(hours), call("equals", column("metric"), text(ALL))])


def hours_of_all() -> exp.Select:
    """Select the hours that are summarised for all metrics."""
    return select(column("hour"), column("without")).from_("summarised").where(of_all(HOUR))


def summarised_hours(store: Store) -> set[int]:
    """Return the hours that are summarised for all metrics: their points on time are all there."""
    return set(store.query(hours_of_all()).column("hour").to_pylist())


def complete_days() -> exp.Select:
    """Select the days whose hours are all summarised, with when their hours and they themselves were."""
    day = call("intDiv", column("hour"), number(DAY))
    later = call("groupArrayIf", call("tuple", *map(column, ("metric", "hours", "began"))), _of_one())
    return (
        select(
            named(day, "day"),
            named(call("groupUniqArrayArray", column("without")), "lacking"),
            named(call("maxIf", column("began"), of_all(HOUR)), "hours_began"),
            named(call("maxIf", column("began"), of_all(DAY)), "day_began"),
            named(later, "later"),
        )
        .from_("summarised")
        .group_by(day.copy())
        .having(call("equals", call("countIf", of_all(HOUR)), number(DAY)))
    )


def _of_one() -> Tree:
    return call("notEquals", column("metric"), text(ALL))


def stale(row: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the metrics for which a day is older than its hours; None for all, () for none."""
    if row["hours_began"] > row["day_began"]:
        return None
    of_hours: dict[str, int] = defaultdict(int)
    of_day: dict[str, int] = defaultdict(int)
    for metric, hours, began in map(dict.values, row["later"]):
        kept = of_day if hours == DAY else of_hours
        kept[metric] = max(kept[metric], began)
    return tuple(sorted(m for m, began in of_hours.items() if began > max(of_day[m], row["day_began"])))


def merged_day(first: int, metrics: Sequence[str] | None, began: int) -> exp.Select:
    """Select the rows of ``summaries`` of the day that begins with an hour: its hours merged."""
    conditions = [
        is_length(HOUR),
        call("greaterOrEquals", column("hour"), number(first)),
        call("less", column("hour"), number(first + DAY)),
    ]
    if metrics is not None:
        conditions.append(one_of(column("metric"), map(text, metrics)))
    return (
        select(
            column("metric"),
            named(call("toUInt8", number(DAY)), "length"),
            named(call("toUInt32", number(first)), "first"),
            column("group_id"),
            *(named(to_keep(name), f"{name}_") for name in KEPT),
            named(unsigned(began), "began_"),
        )
        .from_("summaries")
        .where(all_of(conditions))
        .group_by(column("metric"), column("group_id"))
    )


def touched_since() -> exp.Select:
    """Select the hours and metrics to which points came since their summary began."""
    began, none = column("began"), call("toUInt64", number(0))
    shown = (column("hour"), column("metric"))
    marks = select(*shown, column("written"), named(none, "began")).from_("touched")
    done = select(*shown, named(none.copy(), "written"), began).from_("summarised")
    done = done.where(is_length(HOUR))
    marked = table(exp.union(marks, done, distinct=False), "noted")
    by_metric = (
        select(
            *shown,
            named(call("max", column("written")), "late"),
            named(call("max", column("began")), "own"),
        )
        .from_(marked)
        .group_by(*shown)
    )
    for_all = over(
        call("maxIf", column("own"), call("equals", column("metric"), text(ALL))),
        partition=[column("hour")],
    )
    both = select(*shown, column("late"), column("own"), named(for_all, "base")).from_(
        table(by_metric, "by_metric")
    )
    since = call("greatest", column("own"), column("base"))
    due = all_of(
        [
            call("greater", column("late"), number(0)),
            call("greaterOrEquals", column("late"), since),
        ]
    )
    return select(*shown).from_(table(both, "both")).where(due)


def noted(
    length: int, hours: Sequence[int], metrics: Sequence[str] | None, without: Sequence[str], began: int
) -> pa.Table:
    """Return the rows of ``summarised`` that say that units are up to date, for these metrics or for all."""
    units = [(hour, metric) for hour in hours for metric in (metrics if metrics is not None else [ALL])]
    return pa.table(
        {
            "hours": pa.array([length] * len(units), pa.uint8()),
            "hour": pa.array([hour for hour, _ in units], pa.uint32()),
            "metric": pa.array([metric for _, metric in units], pa.string()),
            "without": pa.array([sorted(without)] * len(units), pa.list_(pa.string())),
            "began": pa.array([began] * len(units), pa.uint64()),
        }
    )
