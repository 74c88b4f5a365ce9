"""Events that belong together, one after the other in time: what ``transaction`` does with rows.

The events are taken from the newest to the oldest, as Splunk does: what a transaction ends with is met first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds a transaction together; times are in seconds, 0 and None are no limit."""

    fields: tuple[str, ...] = ()
    span: float | None = None
    pause: float | None = None
    most: int = 1000
    starts: bool = False
    ends: bool = False
    connected: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """A row with its time, and whether a transaction starts or ends with it."""

    time: float
    row: Row
    starts: bool
    ends: bool


@dataclass(slots=True)
class Group:
    """Events of one transaction, the newest first; ``values`` are those of the fields that they share."""

    events: list[Event]
    values: dict[str, Any]
    complete: bool = False
    """Whether it has the start and the end that are asked for, or a limit has closed it."""
    closed: bool = False
    number: int = field(default=0)


def grouped(events: Iterable[Event], rules: Rules) -> list[Group]:
    """Return the transactions, the newest first. Events that have none of the fields are in none."""
    return _Grouping(rules).run(sorted(events, key=lambda event: -event.time))


class _Grouping:
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._done: list[Group] = []
        self._open: dict[int, Group] = {}
        self._by_value: dict[tuple[str, Any], dict[int, Group]] = {}

    def run(self, events: Sequence[Event]) -> list[Group]:
        for event in events:
            values = {name: _key(event.row[name]) for name in self._rules.fields if name in event.row}
            if values or not self._rules.fields:
                self._take(event, values)
        for transaction in list(self._open.values()):
            self._close(transaction, by_limit=False)
        return sorted(self._done, key=lambda one: (-one.events[-1].time, one.number))

    def _take(self, event: Event, values: dict[str, Any]) -> None:
        """Add an event to the transaction that it fits, or open one."""
        found = self._fitting(values)
        if found and self._too_far(found, event):
            self._close(found, by_limit=True)
            found = None
        if found and self._rules.ends and event.ends:
            self._close(found, by_limit=False)
            found = None
        if found is None:
            found = Group([], {}, number=len(self._done) + len(self._open))
            self._open[found.number] = found
        found.events.append(event)
        for pair in values.items():
            found.values[pair[0]] = pair[1]
            self._by_value.setdefault(pair, {})[found.number] = found
        if self._rules.starts and event.starts:
            self._close(found, by_limit=False)
        elif len(found.events) >= self._rules.most:
            self._close(found, by_limit=True)

    def _fitting(self, values: dict[str, Any]) -> Group | None:
        """Return the open transaction that shares a value with an event and contradicts none."""
        if not values or not self._rules.connected:
            near: Iterable[Group] = self._open.values()
        else:
            near = {n: t for pair in values.items() for n, t in self._by_value.get(pair, {}).items()}.values()
        fitting = [
            t for t in near if all(t.values.get(name, value) == value for name, value in values.items())
        ]
        return max(fitting, key=lambda t: t.number, default=None)

    def _too_far(self, found: Group, event: Event) -> bool:
        newest, oldest = found.events[0].time, found.events[-1].time
        span, pause = self._rules.span, self._rules.pause
        return (span is not None and newest - event.time > span) or (
            pause is not None and oldest - event.time > pause
        )

    def _close(self, found: Group, *, by_limit: bool) -> None:
        started = not self._rules.starts or found.events[-1].starts
        ended = not self._rules.ends or found.events[0].ends
        found.complete = started and ended
        found.closed = found.complete and (by_limit or self._rules.starts or self._rules.ends)
        self._done.append(found)
        del self._open[found.number]
        for pair in found.values.items():
            self._by_value[pair].pop(found.number, None)


def _key(value: Any) -> Any:
    """Return a value as what others are compared with: by its text."""
    return tuple(value) if isinstance(value, list) else str(value)
