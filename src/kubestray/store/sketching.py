"""Makes sketches: of hours from their points, when they are summarised, and of days from their hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import pyarrow as pa

from kubestray.store import sketches
from kubestray.store.coverage import DAY, HOUR, Stretch
from kubestray.store.groups import members
from kubestray.store.measuring import Names, kinds_seen, points_of, runs, told
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.trees import Tree, all_of, call, column, named, one_of, select, text

_MOST_POINTS = 4_000_000
"""Points that one statement makes sketches of, more or less; an hour is the least."""


class Sketcher:
    """Makes the sketches of a store; ``sketched`` gives the metrics that have them, by name or with ``*``."""

    def __init__(self, store: Store, sketched: Names) -> None:
        self._store = store
        self._asked_sketched = sketched

    @cached_property
    def _patterns(self) -> tuple[str, ...]:
        return told(self._asked_sketched)

    def _sketched(self) -> tuple[str, ...]:
        """Return the metrics that have sketches, of those that there are."""
        if not self._patterns:
            return ()
        there = self._store.query(select(column("metric")).distinct().from_("series"))
        return sketches.matching(self._patterns, there.column("metric").to_pylist())

    def undrawn(self, done: Iterable[int]) -> Iterator[tuple[int, str]]:
        """Yield the hours that are summarised, each with a metric that was not to have sketches then."""
        hours = list(done)
        wanted = self._sketched() if hours else ()
        drawn = sketches.current(wanted, self._store.query) if wanted else set()
        yield from ((hour, one) for hour in hours for one in wanted if (HOUR, hour, one) not in drawn)

    def draw(
        self, hours: Sequence[int], metrics: Sequence[str] | None, without: Sequence[str], began: int
    ) -> None:
        """Make the sketches of hours, of these metrics or of all that have them, and note them.

        The summaries of the hours have to be there.
        """
        wanted = [one for one in self._sketched() if metrics is None or one in metrics]
        for first, end in runs(hours) if wanted else ():
            kinds = kinds_seen(self._store.query, Span(first * HOUR_NS, end * HOUR_NS), wanted)
            if not kinds:
                continue
            at_once = self._at_once(Stretch(HOUR, first, end), kinds)
            for start in range(first, end, at_once):
                span = Span(start * HOUR_NS, min(start + at_once, end) * HOUR_NS)
                made = sketches.of_points(points_of(kinds, span), members(without, _of(kinds)), began)
                self._store.fill("sketches", sketches.COLUMNS, made)
        self._note([(HOUR, hour, metric) for hour in hours for metric in wanted], began)

    def _at_once(self, hours: Stretch, metrics: Iterable[str]) -> int:
        """Return of how many hours sketches are made at once: places and counts take memory."""
        points = select(named(call("countMerge", column("n")), "points")).from_("summaries")
        found = self._store.query(points.where(all_of([hours.holds(), _of(metrics)])))
        there = int(found.column("points").to_pylist()[0])
        return max(1, (hours.end - hours.first) * _MOST_POINTS // max(1, there))

    def merge_day(self, first: int, metrics: Sequence[str] | None, began: int) -> None:
        """Merge the sketches of a day, of the metrics that have them for each of its hours."""
        wanted = [one for one in self._sketched() if metrics is None or one in metrics]
        drawn = sketches.current(wanted, self._store.query, (first, first + DAY)) if wanted else set()
        whole = [m for m in wanted if all((HOUR, first + n, m) in drawn for n in range(DAY))]
        if whole:
            self._store.fill("sketches", sketches.COLUMNS, sketches.of_hours(first, DAY, whole, began))
            self._note([(DAY, first, metric) for metric in whole], began)

    def _note(self, units: Sequence[sketches.Unit], began: int) -> None:
        """Note that there are sketches; also of metrics without a point there."""
        self._store.record(
            "sketched",
            pa.table(
                {
                    "hours": pa.array([hours for hours, _, _ in units], pa.uint8()),
                    "hour": pa.array([hour for _, hour, _ in units], pa.uint32()),
                    "metric": pa.array([metric for _, _, metric in units], pa.string()),
                    "began": pa.array([began] * len(units), pa.uint64()),
                }
            ),
        )


def _of(metrics: Iterable[str]) -> Tree:
    return one_of(column("metric"), map(text, metrics))
