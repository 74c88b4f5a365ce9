"""Looks at searches between their runs: at short intervals, most of them only while something is new.

A run every few minutes would make what matters wait. But what was never there before can only be found
after a series has begun, and that is rare and cheap to ask. So a look takes place at a time if a series that
the search reads began within the while before it that its schedule says, and has points since the look
before; or at each time if it says none. This follows from event time, the catalog and the points alone, so a
replay looks when a server did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from kubestray.detect.runner import Times, request_of
from kubestray.detect.scheduler import SECOND_NS, slots
from kubestray.model.content import Content, Looks, Search
from kubestray.model.errors import KubestrayError
from kubestray.pipeline.agenda import scheduled
from kubestray.search.births import Birth, Reading, births, grouped, reading, youngest
from kubestray.search.heard import heard
from kubestray.search.run import Request, source_of
from kubestray.store.points import Span
from kubestray.store.store import Store

LATE_NS = 120 * SECOND_NS
"""How long after its time a new series, or a point of one, may arrive and be looked at when it does."""

_ASKED_NS = 3600 * SECOND_NS
"""Of how long a range points are asked at once."""


@dataclass(slots=True)
class _Known:
    """What a search reads, and the series of it that began: since when each counts as new (ns)."""

    text: str
    reading: Reading | None
    news: dict[int, int] = field(default_factory=dict)


_Points = dict[int, list[tuple[int, bool]]]
"""By series the times (ns, whole seconds) of its points, and whether each was not there the last time."""


class Looking:
    """Tells at which times searches of a content are looked at."""

    def __init__(self, store: Store, content: Content, make: Callable[..., Request]) -> None:
        self._store, self._content, self._make = store, content, make
        self._known: dict[str, _Known] = {}
        self._changes: object = None
        self._youngest: tuple[int, ...] = ()
        self._heard: dict[int, set[int]] | None = None

    def due(self, after: int, until: int) -> list[tuple[Search, int]]:
        """Return what is looked at in ``(after, until]``, and when (ns).

        ``after`` is where the last call ended. Series that arrived since then with an earlier time count as
        new from ``after`` on.
        """
        wanted = [(search, looks) for search in scheduled(self._content) if (looks := self._looks(search))]
        if not any(slots(looks.every * SECOND_NS, after, until) for _, looks in wanted):
            return []
        while_new = [(search, looks) for search, looks in wanted if looks.new_for is not None]
        self._learn(while_new, after)
        points = self._points(while_new, after, until)
        found = []
        for search, looks in wanted:
            times: Iterable[int] = slots(looks.every * SECOND_NS, after, until)
            if looks.new_for is not None:
                times = sorted(_with_news(self._known[search.id].news, points, looks, after, until))
            found += [(search, when) for when in times]
        return found

    def _points(self, wanted: list[tuple[Search, Looks]], after: int, until: int) -> _Points:
        """Find out when series that are new have points: before ``until``, and which came late."""
        new: dict[int, tuple[int, int]] = {}  # between which times a series is new to any search
        for search, looks in wanted:
            for series, since in self._known[search.id].news.items():
                first_time, last_time = new.get(series, (since, 0))
                new[series] = min(first_time, since), max(last_time, since + _new_for(looks))
        known, first = self._heard or {}, self._heard is None
        self._heard = {}
        points: _Points = {}
        for begin in range(max(0, after - LATE_NS), until, _ASKED_NS):
            end = min(begin + _ASKED_NS, until)
            asked = sorted(one for one, (since, last) in new.items() if since < end and last >= begin)
            for series, second in heard(asked, Span(begin, end), self._store.query):
                late = not first and second not in known.get(series, ())
                points.setdefault(series, []).append((second * SECOND_NS, late))
                if second * SECOND_NS >= until - LATE_NS - SECOND_NS:
                    self._heard.setdefault(series, set()).add(second)
        return points

    def _looks(self, search: Search) -> Looks | None:
        schedule = self._content.schedule_of(search)
        return schedule.looks if schedule else None

    def _learn(self, wanted: list[tuple[Search, Looks]], after: int) -> None:
        """Find out what has begun: of a search that is not known, also what is still new."""
        fresh = [(search, looks) for search, looks in wanted if self._is_other(search, after)]
        known = [search for search, _ in wanted if all(search is not other for other, _ in fresh)]
        for search, looks in fresh:
            self._take([search], after - _new_for(looks), 0)
        if known and self._changed(after - LATE_NS):
            self._take(known, after - LATE_NS, after)
        for search, looks in wanted:
            news, oldest = self._known[search.id].news, after - _new_for(looks) - 2 * LATE_NS
            for series in [series for series, since in news.items() if since < oldest]:
                del news[series]

    def _is_other(self, search: Search, now: int) -> bool:
        """Return whether a search is not known, or reads something else than it did; it is known then."""
        request = request_of(search, self._content, Times(now), self._make)
        text = source_of(request).text
        if search.id in self._known and self._known[search.id].text == text:
            return False
        try:
            found = reading(request, self._store.query)
        except KubestrayError:
            found = None  # whoever runs it hears what is wrong with it
        self._known[search.id] = _Known(text, found)
        return True

    def _changed(self, since: int) -> bool:
        """Return whether a series may have begun that is not known of."""
        changes = self._store.changes(("series",))
        if changes is not None and changes == self._changes:
            return False
        found = youngest(since, self._store.query)
        before, self._youngest, self._changes = self._youngest, found, changes
        return found != before and found[0] > 0

    def _take(self, searches: list[Search], since: int, new_from: int) -> None:
        """Take down what has begun since a time (ns); what is not known yet counts from ``new_from`` on."""
        readings = {
            search.id: read for search in searches if (read := self._known[search.id].reading) is not None
        }
        for identity, birth in self._births(readings, since):
            self._known[identity].news.setdefault(birth.series, max(birth.first, new_from))

    def _births(self, readings: dict[str, Reading], since: int) -> Iterator[tuple[str, Birth]]:
        different, whose = grouped(readings)
        naming = self._make("", since, Span()).naming.for_search()
        for place, birth in births(different, since, naming, self._store.query):
            for identity in whose[place]:
                yield identity, birth


def _new_for(looks: Looks) -> int:
    return max(looks.every, looks.new_for or 0) * SECOND_NS


def _with_news(news: dict[int, int], points: _Points, looks: Looks, after: int, until: int) -> set[int]:
    """Return the times in ``(after, until]`` before which something began that is still new and has points.

    A point counts at the first time after it; a late one, if that is over, at the first one that is not.
    """
    every, found = looks.every * SECOND_NS, set()
    soonest = (after // every + 1) * every
    for series, since in news.items():
        for time, late in points.get(series, ()):
            when = (time // every + 1) * every
            if when <= after and late:
                when = soonest
            if max(after, since) < when <= min(until, since + _new_for(looks)):
                found.add(when)
    return found
