"""Points of series that are new: asked of as few series as tell when a search is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from kubestray.detect.scheduler import SECOND_NS, slots
from kubestray.model.content import Looks
from kubestray.search.heard import heard
from kubestray.search.run import Query
from kubestray.store.points import Span

LATE_NS = 120 * SECOND_NS
"""How long after its time a new series, or a point of one, may arrive and be looked at when it does."""

_ASKED_NS = 3600 * SECOND_NS
"""Of how long a range points are asked at once."""

_FIRST = 256
"""How many series are asked about first, and then times this at each step: one that has a point in each slot
is enough for a look, and where a whole cluster is new there are a hundred thousand."""

Points = list[tuple[int, bool]]
"""The times (ns, whole seconds) of a series' points, and whether each was not there the last time."""


class Hearing:
    """When series that are new have points, from ``after`` to ``until`` (ns), and which came late.

    ``long`` is how long a series is new to any search. ``before`` is the one of the time before: a point of a
    series that it did not ask about counts as late, so that none is missed.
    """

    def __init__(self, after: int, until: int, long: int, query: Query, before: Hearing | None) -> None:
        self._after, self._until, self._long, self._query = after, until, long, query
        self._known = None if before is None else before._last
        self._last: dict[int, set[int]] = {}
        self._asked: dict[int, int] = {}
        self._points: dict[int, Points] = {}

    def times(self, news: Mapping[int, int], looks: Looks) -> list[int]:
        """Return the times before which something began that is still new and has points.

        ``news`` are the series that are new to a search, and since when (ns).
        """
        possible = slots(looks.every * SECOND_NS, self._after, self._until)
        found: set[int] = set()
        for series in self._growing(news):
            for one in series:
                found |= self._times_of(self._points.get(one, []), news[one], looks)
            if len(found) == len(possible):
                break
        return sorted(found)

    def _growing(self, news: Mapping[int, int]) -> Iterator[list[int]]:
        """Yield series whose points are known: those asked about before, then others, the youngest first."""
        yield [one for one in self._points if one in news]
        rest = (one for one in reversed(news) if one not in self._asked or self._asked[one] > news[one])
        size = _FIRST
        while some := list(islice(rest, size)):
            self._ask({one: news[one] for one in some})
            yield some
            size *= _FIRST

    def _ask(self, since: dict[int, int]) -> None:
        self._asked |= since
        for one in since:
            self._points[one] = []
        for begin in range(max(0, self._after - LATE_NS), self._until, _ASKED_NS):
            end = min(begin + _ASKED_NS, self._until)
            new = sorted(one for one, first in since.items() if first < end and first + self._long >= begin)
            for series, second in heard(new, Span(begin, end), self._query):
                late = self._known is not None and second not in self._known.get(series, ())
                self._points[series].append((second * SECOND_NS, late))
                if second * SECOND_NS >= self._until - LATE_NS - SECOND_NS:
                    self._last.setdefault(series, set()).add(second)

    def _times_of(self, points: Points, since: int, looks: Looks) -> set[int]:
        """Return the times after points of one series.

        A point counts at the first time after it; a late one, if that is over, at the first one that is not.
        """
        every, found = looks.every * SECOND_NS, set()
        soonest = (self._after // every + 1) * every
        for time, late in points:
            when = (time // every + 1) * every
            if when <= self._after and late:
                when = soonest
            if max(self._after, since) < when <= min(self._until, since + new_for(looks)):
                found.add(when)
        return found


def new_for(looks: Looks) -> int:
    """Return how long a series is new to a search that is looked at so (ns)."""
    return max(looks.every, looks.new_for or 0) * SECOND_NS
