"""OTLP files → store."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kubestray.model.metric import Batch
from kubestray.receive.files import find_files, read_files
from kubestray.receive.points import Bounds
from kubestray.store.coverage import expired_days
from kubestray.store.point_tables import DAY_NS
from kubestray.store.socket import SocketEngine
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

_POINTS_PER_WRITE = 500_000
MANY_POINTS = 2_000_000
"""From how many points on an ingest summarises them."""


@dataclass(slots=True)
class Taken:
    """What was read from files: counts of files, data points and series, and what went wrong."""

    files: int = 0
    data_points: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    series: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    expired: int = 0
    """Points of days whose points the store has dropped: they count beside the summaries of those days."""

    def as_json(self) -> dict[str, Any]:
        """Return the counts in the shape that ``kubestray ingest`` prints."""
        return {
            "files": self.files,
            "data_points": self.data_points,
            "rejected": self.rejected.total(),
            "series": len(self.series),
        }


def summarise(
    store: Store,
    taken: Taken,
    without: Callable[[], Sequence[str]],
    sketched: Callable[[], Sequence[str]] = tuple,
    accelerate: Callable[[], object] = lambda: None,
) -> None:
    """Summarise what is due after many points were taken in; few of them are read as quickly without.

    ``without`` and ``sketched`` are as for `Summariser`; ``accelerate`` keeps the statistics of searches
    after that. Where another process serves the store, that one does it.
    """
    if taken.data_points >= MANY_POINTS and not isinstance(store.engine, SocketEngine):
        Summariser(store, without, sketched).catch_up()
        accelerate()


def ingest(store: Store, paths: Sequence[str], *, progress: bool = False) -> Taken:
    """Read files into the store; what is broken is told, everything else is kept."""
    files = list(find_files(paths))
    taken = Taken(len(files))
    waiting: list[Batch] = []
    points = 0
    dropped = np.array(sorted(expired_days(store.query)), dtype=np.uint64)

    def write() -> None:
        batch = Batch.concat(waiting)
        taken.expired += int(np.isin(batch.time // np.uint64(DAY_NS), dropped).sum())
        store.append(batch)

    with _bar(progress) as show:
        for message in read_files(files, Bounds.everything()):
            if message.decoded is None:
                taken.problems.append(str(message))
                continue
            taken.data_points += message.decoded.data_points
            taken.rejected += message.decoded.rejected
            taken.series.update(message.decoded.batch.series_id.tolist())
            waiting.append(message.decoded.batch)
            points += len(message.decoded.batch)
            if points >= _POINTS_PER_WRITE:
                write()
                waiting, points = [], 0
            show(taken)
        write()
    return taken


@contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[Taken], None]]:
    """Show what has been read so far, if asked to and on a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading")
        yield lambda taken: bar.update(
            task, description=f"{taken.data_points:,} data points of {len(taken.series):,} series"
        )
