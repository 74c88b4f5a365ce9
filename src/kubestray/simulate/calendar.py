"""When things change: rollouts, crashes, autoscaling, machines that are replaced.

Every event is drawn from the week or the day it falls in, never from the event before it, so a
calendar is the same whichever range of it is asked for. Times are whole seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubestray.simulate.noise import between, chance, key, pick
from kubestray.simulate.rhythm import DAY, HOUR, WEEK, is_weekend

_MONDAY = 4 * DAY  # 5 January 1970
_ROLLOUT_AT_LEAST = 8  # weeks: images are rebuilt even where nobody changes the code
_MACHINE_EVERY = 3
_CRASHES_A_DAY = 0.02


def rollouts(workload: int, churn: float, begin: int, end: int) -> list[int]:
    """Return the rollouts of a workload in [begin, end), and before them the last one before.

    They happen from Monday to Thursday in working hours, about ``churn`` times a week.
    """
    return _with_last_before(_weekly(workload, churn, _ROLLOUT_AT_LEAST, begin, end, _working_hours), begin)


def replacements(machine: int, slot: int, begin: int, end: int) -> list[int]:
    """Return when a node slot gets a new machine in [begin, end), and before that the last time before.

    Every slot does every third week, one in three each week, in the night to Wednesday.
    """
    return _with_last_before(_weekly(machine, 0.0, _MACHINE_EVERY, begin, end, _maintenance, slot), begin)


def _weekly(
    owner: int,
    churn: float,
    at_least: int,
    begin: int,
    end: int,
    moment: _Moment,
    turn: int | None = None,
) -> Iterator[int]:
    """Yield the weeks' moments; ``turn`` says which weeks are those that are not left to chance."""
    first = (begin - _MONDAY) // WEEK - at_least
    due = pick(owner, at_least) if turn is None else turn % at_least
    for week in range(first, (end - _MONDAY) // WEEK + 1):
        drawn = key(owner, "week", week)
        if chance(drawn) < churn or week % at_least == due:
            second = _MONDAY + week * WEEK + moment(drawn)
            if second < end:
                yield second


class _Moment:
    """When in a week, as seconds since Monday 00:00."""

    def __init__(self, days: tuple[int, ...], first_hour: float, last_hour: float) -> None:
        self._days, self._first, self._last = days, first_hour, last_hour

    def __call__(self, drawn: int) -> int:
        day = self._days[pick(key(drawn, "day"), len(self._days))]
        return day * DAY + int(between(key(drawn, "hour"), self._first, self._last) * HOUR)


_working_hours = _Moment((0, 1, 2, 3), 8.5, 16.5)
_maintenance = _Moment((2,), 0.5, 4.5)


def _with_last_before(times: Iterator[int], begin: int) -> list[int]:
    ordered = sorted(times)
    before = [second for second in ordered if second < begin]
    return before[-1:] + [second for second in ordered if second >= begin]


def crashes(slot: int, begin: int, end: int) -> list[int]:
    """Return when a container of a slot dies and is started again, in [begin, end)."""
    days = range(begin // DAY, end // DAY + 1)
    drawn = [(day, key(slot, "crash", day)) for day in days]
    times = [day * DAY + pick(key(one, "at"), DAY) for day, one in drawn if chance(one) < _CRASHES_A_DAY]
    return [second for second in times if begin <= second < end]


def surges(slot: int, begin: int, end: int) -> list[tuple[int, int]]:
    """Return when an autoscaler keeps an extra replica: from morning to evening on working days."""
    spans = []
    for day in range(begin // DAY - 1, end // DAY + 1):
        if not is_weekend(day * DAY):
            first = day * DAY + int(between(key(slot, "up", day), 8.0, 11.0) * HOUR)
            last = day * DAY + int(between(key(slot, "down", day), 19.5, 22.5) * HOUR)
            spans.append((first, last))
    return [(first, last) for first, last in spans if last > begin and first < end]


def runs(
    job: int, hour: int, minutes: int, begin: int, end: int, clocks: int | None = None
) -> list[tuple[int, int]]:
    """Return when a daily job works: it starts on the hour and takes about ``minutes``.

    From the second ``clocks`` on, local time is an hour ahead: the job starts an hour earlier.
    """
    spans = []
    for day in range(begin // DAY - 1, end // DAY + 1):
        first = day * DAY + hour * HOUR + pick(key(job, "late", day), 25)
        if clocks is not None and first >= clocks:
            first -= HOUR
        length = between(key(job, "length", day), 0.75, 1.35) * minutes * 60
        spans.append((first, first + int(length)))
    return [(first, last) for first, last in spans if last > begin and first < end]
