"""Looks at searches between their runs: at short intervals, most of them only while something is new.

A run every few minutes would make what matters wait. But what was never there before can only be found
after a series has begun, and that is rare and cheap to ask. So a look takes place at a time if a series that
the search reads began within the while before it that its schedule says, and has points since the look
before; or at each time if it says none. This follows from event time, the catalog and the points alone, so a
replay looks when a server did.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from kubestray.detect.runner import Times, request_of
from kubestray.detect.scheduler import SECOND_NS, slots
from kubestray.model.content import Content, Looks, Search
from kubestray.model.errors import KubestrayError
from kubestray.pipeline.agenda import scheduled
from kubestray.pipeline.hearing import LATE_NS, Hearing, new_for
from kubestray.search.births import Birth, Reading, births, grouped, reading, youngest
from kubestray.search.kept import Kept
from kubestray.search.run import Request, source_of
from kubestray.store.points import Span
from kubestray.store.store import Store


@dataclass(slots=True)
class _Known:
    """What a search reads, and the series of it that began: since when each counts as new (ns)."""

    text: str
    reading: Reading | None
    news: dict[int, int] = field(default_factory=dict)


class Looking:
    """Tells at which times searches of a content are looked at.

    ``kept`` has answers of the catalog, which whoever runs the searches wants as well.
    """

    def __init__(
        self, store: Store, content: Content, make: Callable[..., Request], kept: Kept | None = None
    ) -> None:
        self._store, self._content, self._make, self._kept = store, content, make, kept
        self._known: dict[str, _Known] = {}
        self._changes: object = None
        self._youngest: tuple[int, ...] = ()
        self._hearing: Hearing | None = None

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
        long = max((new_for(looks) for _, looks in while_new), default=0)
        self._hearing = hearing = Hearing(after, until, long, self._store.query, self._hearing)
        found = []
        for search, looks in wanted:
            times: Iterable[int] = slots(looks.every * SECOND_NS, after, until)
            if looks.new_for is not None:
                times = hearing.times(self._known[search.id].news, looks)
            found += [(search, when) for when in times]
        return found

    def _looks(self, search: Search) -> Looks | None:
        schedule = self._content.schedule_of(search)
        return schedule.looks if schedule else None

    def _learn(self, wanted: list[tuple[Search, Looks]], after: int) -> None:
        """Find out what has begun: of a search that is not known, also what is still new."""
        fresh = [(search, looks) for search, looks in wanted if self._is_other(search, after)]
        known = [search for search, _ in wanted if all(search is not other for other, _ in fresh)]
        self._take_fresh(fresh, after)
        if known and self._changed(after - LATE_NS):
            self._take(known, after - LATE_NS, after)
        for search, looks in wanted:
            news, oldest = self._known[search.id].news, after - new_for(looks) - 2 * LATE_NS
            for series in [series for series, since in news.items() if since < oldest]:
                del news[series]

    def _is_other(self, search: Search, now: int) -> bool:
        """Return whether a search is not known, or reads something else than it did; it is known then."""
        request = request_of(search, self._content, Times(now), self._make)
        text = source_of(request).text
        if search.id in self._known and self._known[search.id].text == text:
            return False
        try:
            found = reading(dataclasses.replace(request, kept=self._kept), self._store.query)
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

    def _take_fresh(self, fresh: list[tuple[Search, Looks]], after: int) -> None:
        """Learn of the series that are still new to searches that were not known."""
        since: dict[int, list[Search]] = defaultdict(list)
        for search, looks in fresh:
            since[after - new_for(looks)].append(search)
        # Where nothing has begun at all, which is most of the time, one question answers for all of them.
        if since and youngest(min(since), self._store.query)[0]:
            for begin, searches in since.items():
                self._take(searches, begin, 0)

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
