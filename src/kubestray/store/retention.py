"""Drops points that have expired, a whole day at a time."""

from __future__ import annotations

import logging
from datetime import date, timedelta

from kubestray.store.schema import DAY_NS
from kubestray.store.store import Store
from kubestray.store.trees import Tree, call, column, named, select, unsigned

logger = logging.getLogger(__name__)


def expire(store: Store, before: int) -> list[int]:
    """Drop the days that lie wholly before a time (ns); return them, counted from the epoch.

    Only the server does this, and no table has a TTL: old files can be ingested and studied.
    """
    dropped = _days(store, before // DAY_NS)
    on = f" ON CLUSTER {store.layout.cluster}" if store.layout.cluster else ""
    for day in dropped:
        store.engine.execute(f"ALTER TABLE samples_local{on} DROP PARTITION {int(day)}")
    if dropped:
        logger.info(
            "dropped %d days of points before %s, which have expired", len(dropped), _date(dropped[-1] + 1)
        )
    return dropped


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
