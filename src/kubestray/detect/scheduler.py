"""When detections are due: cron, and looks in between, in event time, behind a watermark.

Event time has come as far as the newest point that was stored, less the while that late ones are waited for.
Where no points come, the clock moves it on, a while behind. A run for time T takes place when event time has
come to T and a delay, so that late points are in it; a look at T takes place at T. Everything has its place
in event time, so a run sees the same points, and comes after the same others, whether it is in time, late,
made up for after downtime, or replayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim

SECOND_NS = 10**9


@dataclass(frozen=True, slots=True)
class Patience:
    """How long runs and looks wait, in nanoseconds.

    ``lateness``: a run for late points behind the newest one; ``idle``: for any points; ``catch_up``: how far
    back runs go; ``settle``: a look for late points; ``spread``: over how long the runs of one time take
    place, so that looks need not wait for all of them.
    """

    lateness: int
    idle: int
    catch_up: int
    settle: int = 0
    spread: int = 0

    @property
    def delay(self) -> int:
        """How long after its time a run has its place in event time, at the least."""
        return max(0, min(self.lateness, self.idle) - self.settle)

    def delay_of(self, identity: str) -> int:
        """How long after its time a run of a search has its place: each search has a share of the spread."""
        share = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4], "big") / 2**32
        return self.delay + int(share * self.spread) // SECOND_NS * SECOND_NS


AT_ONCE = Patience(0, 0, 0)
"""Waits for nothing: what is due takes place at its time."""


def watermark(newest: int, clock: int, patience: Patience) -> int:
    """Return how far event time has come: never ahead of the clock."""
    return min(clock, max(newest - patience.settle, clock - patience.idle + patience.delay))


def slots(every: int, after: int, until: int) -> range:
    """Return the multiples of a length of time in ``(after, until]``, all in nanoseconds."""
    return range((after // every + 1) * every, until + 1, every)


def due(cron: str, after: int, until: int) -> Iterator[int]:
    """Yield the times of a cron expression (UTC) in ``(after, until]``, all in nanoseconds."""
    start = datetime.fromtimestamp(after // SECOND_NS, UTC)
    for moment in CronSim(cron, start):
        time = int(moment.timestamp()) * SECOND_NS
        if time > until:
            return
        yield time


def previous(cron: str, until: int) -> int:
    """Return the last time of a cron expression (UTC) up to a time, both in nanoseconds."""
    moment = datetime.fromtimestamp(until // SECOND_NS + 1, UTC)
    return int(next(CronSim(cron, moment, reverse=True)).timestamp()) * SECOND_NS


def resume_point(last: int | None, started: int, clock: int, patience: Patience) -> tuple[int, int]:
    """Return where a schedule goes on, and how many nanoseconds of downtime are too old to make up for."""
    if last is None:
        return started, 0
    oldest = clock - patience.catch_up
    return max(last, oldest), max(0, oldest - last)
