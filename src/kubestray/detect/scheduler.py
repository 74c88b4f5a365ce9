"""When detections are due: cron, in event time, behind a watermark.

A run for time T takes place once the points have come as far as T: the newest point that was stored,
less the time late ones are waited for. Where no points come, the clock moves on by itself, a while
behind. So a run sees the same points whether it is in time, late, or made up for after downtime.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim

SECOND_NS = 10**9


@dataclass(frozen=True, slots=True)
class Patience:
    """How long runs wait, in nanoseconds: for late points, for any points, and how far back they go."""

    lateness: int
    idle: int
    catch_up: int


def watermark(newest: int, clock: int, patience: Patience) -> int:
    """Return the time up to which runs may take place: never ahead of the clock."""
    return min(clock, max(newest - patience.lateness, clock - patience.idle))


def due(cron: str, after: int, until: int) -> Iterator[int]:
    """Yield the times of a cron expression (UTC) in ``(after, until]``, all in nanoseconds."""
    start = datetime.fromtimestamp(after // SECOND_NS, UTC)
    for moment in CronSim(cron, start):
        time = int(moment.timestamp()) * SECOND_NS
        if time > until:
            return
        yield time


def resume_point(last: int | None, started: int, clock: int, patience: Patience) -> tuple[int, int]:
    """Return where a schedule goes on, and how many nanoseconds of downtime are too old to make up for."""
    if last is None:
        return started, 0
    oldest = clock - patience.catch_up
    return max(last, oldest), max(0, oldest - last)
