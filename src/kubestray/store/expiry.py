"""Drops points and summaries that have expired: points a whole day at a time, summaries 31 days at a time."""

from __future__ import annotations

import logging
from datetime import date, timedelta

import pyarrow as pa

from kubestray.model.counted import counted
from kubestray.store.coverage import DAY, clean_units, expired_days
from kubestray.store.point_tables import DAY_NS, HOUR_NS, MONTH
from kubestray.store.store import Store
from kubestray.store.trees import Tree, call, column, named, select, unsigned

logger = logging.getLogger(__name__)

_OF_MONTHS = (
    *("summarised", "touched", "summaries", "sketched", "sketches"),
    *("accelerations", "accelerated"),
)
"""What is dropped a month at a time: what says that something is there before it."""


def expire(store: Store, before: int) -> list[int]:
    """Drop the days of points that lie wholly before a time (ns); return them, counted from the epoch.

    A day that is not summarised yet stays until it is. Only the server does this, and no table has a TTL:
    old files can be ingested and studied.
    """
    past = _days(store, before // DAY_NS)
    dropped = _finished(store, past)
    kept = [day for day in past if day not in dropped]
    for day in dropped:
        store.record("expired", pa.table({"day": pa.array([day], pa.uint32()), "dropped": [store.stamp()]}))
        _drop(store, "samples", day)
    if dropped:
        logger.info(
            "dropped %s of points before %s, which have expired",
            counted(len(dropped), "day"),
            _date(dropped[-1] + 1),
        )
    if kept:
        have = counted(len(kept), "day of points has", "days of points have")
        logger.info("%s expired, and will be dropped when all is summarised", have)
    return dropped


def expire_summaries(store: Store, before: int) -> list[int]:
    """Drop the months (of 31 days) of summaries that lie wholly before a time (ns); return their numbers."""
    month = call("intDiv", column("hour"), unsigned(MONTH))
    past = call("less", month, unsigned(before // (MONTH * HOUR_NS)))
    tree = select(named(month.copy(), "month")).distinct().from_("summarised").where(past)
    months = sorted(store.query(tree).column("month").to_pylist())
    for number in months:
        for name in _OF_MONTHS:
            _drop(store, name, number)
    return months


def expire_profiles(store: Store, before: int) -> int:
    """Drop the profiles that have learned nothing since a time (ns): of searches that no longer run, or
    were changed. Return how many rows there were.
    """
    past = call("less", column("until"), unsigned(max(0, before) // 10**9))
    tree = select(named(call("count"), "rows")).from_("profiles").where(past)
    rows = int(store.query(tree).column("rows").to_pylist()[0])
    if rows:
        store.delete("profiles", past.copy())
    return rows


def _drop(store: Store, name: str, partition: int) -> None:
    on = f" ON CLUSTER {store.layout.cluster}" if store.layout.cluster else ""
    store.engine.execute(f"ALTER TABLE {name}_local{on} DROP PARTITION {int(partition)}")


def _finished(store: Store, days: list[int]) -> list[int]:
    """Return the days whose hours are all summarised as their points are, or that were dropped before."""
    if not days:
        return []
    metrics = store.query(select(column("metric")).distinct().from_("series")).column("metric").to_pylist()
    before = expired_days(store.query)
    units = clean_units(days[0] * DAY, (days[-1] + 1) * DAY, metrics, (), store.query)
    return [day for day in days if day in before or all((1, day * DAY + n) in units for n in range(DAY))]


def _date(day: int) -> str:
    """Return a day counted from the epoch as a date, or the count where the calendar ends."""
    try:
        return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    except OverflowError:
        return f"day {day}"


def _days(store: Store, end: int) -> list[int]:
    """Return the days before ``end`` that hold points."""
    day: Tree = call("intDiv", column("time"), unsigned(DAY_NS))
    tree = (
        select(named(day, "day"))
        .distinct()
        .from_("samples")
        .where(call("less", column("time"), unsigned(max(0, end) * DAY_NS)))
    )
    return sorted(store.query(tree).column("day").to_pylist())
