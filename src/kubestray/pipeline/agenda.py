"""What is due, in the order in which it takes place: runs of schedules, and looks between them.

A run for time T takes place at T and the delay of late points; a look at T takes place at T. Live and in a
replay the order is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kubestray.detect.scheduler import Patience, due, previous
from kubestray.model.content import Content, Detection, Search
from kubestray.pipeline.assessing import is_rule


@dataclass(frozen=True, slots=True)
class Due:
    """A search that is due. Times in nanoseconds: of the schedule, and what ``now`` is to the search.

    A look has ``told_since``: what was told from then on is not told again.
    """

    search: Search
    scheduled: int
    now: int
    told_since: int | None = None


Agenda = list[tuple[int, list[Due]]]
"""What is due by the time (ns) at which it takes place, in order."""


def scheduled(content: Content) -> list[Search]:
    """Return the searches that run by themselves: enabled detections, and baselines, with a schedule."""
    enabled = [d for d in content.detections.values() if d.enabled]
    return [s for s in (*enabled, *content.baselines.values()) if content.schedule_of(s)]


def agenda(
    content: Content,
    after: Callable[[Search], int],
    until: Callable[[int], int],
    patience: Patience,
    looks: Iterable[tuple[Search, int]] = (),
) -> Agenda:
    """Return the runs that are due in ``(after, until]`` of their schedules, and looks at their times (ns).

    ``until`` follows from how long after its time a run takes place. Rules come last, as they look at what
    others gave; they read no points, and wait for none.
    """
    pending: dict[int, list[Due]] = defaultdict(list)
    for search in scheduled(content):
        schedule = content.schedule_of(search)
        assert schedule
        delay = _delay(search, patience)
        for when in due(schedule.cron, after(search), until(delay)):
            place = when + delay
            pending[place].append(Due(search, when, place if _is_rule(search) else when))
    for search, when in looks:
        schedule = content.schedule_of(search)
        assert schedule
        if all(search is not one.search for one in pending[when]):
            pending[when].append(
                Due(search, when, when, previous(schedule.cron, when - _delay(search, patience)))
            )
    return [(place, sorted(pending[place], key=_turn)) for place in sorted(pending)]


def _delay(search: Search, patience: Patience) -> int:
    return patience.delay + patience.spread if _is_rule(search) else patience.delay_of(search.id)


def _is_rule(search: Search) -> bool:
    return isinstance(search, Detection) and is_rule(search)


def _turn(one: Due) -> tuple[bool, str, bool]:
    return _is_rule(one.search), one.search.name, one.told_since is not None
