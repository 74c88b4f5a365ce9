"""What of the searches that are accelerated is kept, and for which hours and days it is up to date.

The last statistics of such a search are kept as states of each hour, and of each day (UTC) merged from its
hours: a row for each group of the statistics and each number that they are made of (its *item*). A unit
answers if no point of the search's metrics came late to it since it was begun.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from kubestray.store.coverage import DAY, HOUR, Coverage, Query, expired_days, laid_out, whole_hours
from kubestray.store.point_tables import ACCELERATED
from kubestray.store.points import Span
from kubestray.store.states import to_keep
from kubestray.store.store import Store
from kubestray.store.trees import (
    Tree,
    all_of,
    any_of,
    call,
    column,
    in_query,
    named,
    number,
    one_of,
    select,
    text,
    unsigned,
)

Unit = tuple[int, int]
"""A length in hours, and the first hour since the epoch."""


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a search that say what its points say, and when the work on each began.

    Of days that have expired they are what the points said.
    """

    began: dict[Unit, int]
    stale_days: frozenset[int]
    """The first hours of days that are merged and not up to date."""
    expired: frozenset[int]

    def coverage(self, span: Span) -> Coverage:
        """Return how a range is answered: from days where possible, then hours, then points."""
        return laid_out(self.began, span, self.expired)


def up_to_date(search: int, metrics: Collection[str], span: Span, query: Query) -> Units:
    """Return the units of a search within a range."""
    first, end = whole_hours(span)
    expired = expired_days(query)
    if end <= first:
        return Units({}, frozenset(), expired)
    inside = [
        call("greaterOrEquals", column("hour"), number(first)),
        call("less", column("hour"), number(end)),
    ]
    made = select(*map(column, ("hours", "hour", "began"))).from_("accelerations")
    found = query(made.where(all_of([_of(search), *inside]))).to_pylist()
    late = _late(metrics, inside, query) if found else {}
    begun = {(row["hours"], row["hour"]): row["began"] for row in found}
    fresh = {
        (hours, hour): began
        for (hours, hour), began in begun.items()
        if hour + hours <= end
        and not any(
            late.get(one, -1) >= began for one in range(hour, hour + hours) if one // DAY not in expired
        )
    }
    stale = frozenset(hour for hours, hour in begun if hours == DAY and (hours, hour) not in fresh)
    return Units(fresh, stale, expired)


def _late(metrics: Collection[str], inside: list[Tree], query: Query) -> dict[int, int]:
    """Return the hours to which points of some metrics came late, and when they last did."""
    written = named(call("max", column("written")), "last")
    named_so = one_of(column("metric"), map(text, sorted(metrics)))
    tree = select(column("hour"), written).from_("touched").where(all_of([*inside, named_so]))
    return {row["hour"]: row["last"] for row in query(tree.group_by(column("hour"))).to_pylist()}


def kept_states(search: int, coverage: Coverage) -> Tree:
    """Return the condition on the table ``accelerated`` that holds for what answers."""
    stretches = [stretch.holds() for stretch in coverage.summaries]
    # When points came late there are rows of earlier times too, until the day is merged.
    unit = tuple(map(column, ("hours", "hour", "began")))
    return all_of([_of(search), any_of(stretches), in_query(call("tuple", *unit), _current(search))])


def _of(search: int) -> Tree:
    return call("equals", column("search"), unsigned(search))


def columns() -> list[str]:
    """Return the columns of the table ``accelerated``, in the order in which rows of states are made."""
    return ["search", "hours", "hour", "keys", "item", *ACCELERATED, "began"]


def merge_day(store: Store, search: int, day: int, *, again: bool) -> None:
    """Merge the hours of a day (since the epoch), all of which are there and up to date.

    If it is merged ``again``, because points came late, the states of before go.
    """
    began = store.stamp()
    hours = [_of(search), call("equals", column("hours"), number(HOUR)), *_within(day)]
    unit = tuple(map(column, ("hours", "hour", "began")))
    rows = (
        select(
            named(unsigned(search), "of"),
            named(call("toUInt8", number(DAY)), "length"),
            named(call("toUInt32", number(day * DAY)), "first"),
            *map(column, ("keys", "item")),
            *(named(to_keep(name), f"{name}_") for name in ACCELERATED),
            named(unsigned(began), "began_"),
        )
        .from_("accelerated")
        .where(all_of([*hours, in_query(call("tuple", *unit), _current(search))]))
        .group_by(column("keys"), column("item"))
    )
    store.fill("accelerated", columns(), rows)
    note(store, search, DAY, [day * DAY], began)
    if again:
        unit = tuple(map(column, ("hours", "hour", "began")))
        current = in_query(call("tuple", *unit), _current(search))
        store.delete("accelerated", all_of([_of(search), *_within(day), call("not", current)]))


def _current(search: int) -> exp.Select:
    """Select the units of a search that are noted, as they were noted last."""
    return select(*map(column, ("hours", "hour", "began"))).from_("accelerations").where(_of(search))


def _within(day: int) -> list[Tree]:
    return [
        call("greaterOrEquals", column("hour"), number(day * DAY)),
        call("less", column("hour"), number((day + 1) * DAY)),
    ]


def note(store: Store, search: int, length: int, hours: Iterable[int], began: int) -> None:
    """Note that units are done: from then on they answer."""
    listed = sorted(hours)
    store.record(
        "accelerations",
        pa.table(
            {
                "search": pa.array([search] * len(listed), pa.uint64()),
                "hours": pa.array([length] * len(listed), pa.uint8()),
                "hour": pa.array(listed, pa.uint32()),
                "began": pa.array([began] * len(listed), pa.uint64()),
            }
        ),
    )
