"""Runs a detection or a baseline once: its window, its search, its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubestray.model.content import Content, Schedule, Search
from kubestray.model.errors import KubestrayError
from kubestray.search.run import Query, Request, Result, run_search
from kubestray.search.source import Macro
from kubestray.search.times import BadTime, parse_time
from kubestray.store.points import Span

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave; ``window`` in nanoseconds; ``error`` is None if it worked."""

    search: Search
    window: tuple[int, int]
    now: int
    rows: list[Row] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    annotations: list[str] = field(default_factory=list)
    error: str | None = None
    failure: KubestrayError | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """When a run takes place, and what it is told to look at instead of its own window."""

    now: int
    earliest: str | None = None
    latest: str | None = None


MakeRequest = Callable[..., Request]
"""Makes a search request of a text, now and a span, with the settings that hold for all searches."""


def run_once(search: Search, content: Content, times: Times, query: Query, make: MakeRequest) -> Outcome:
    """Run one search of the content; an error of ours is part of the outcome, not an exception."""
    window = (0, times.now)
    try:
        window = window_of(content.schedule_of(search), times)
        request = make(
            search.search, times.now, Span(*window), macros=macros_of(content), path=search.path, dollars=True
        )
        result: Result = run_search(request, query)
    except KubestrayError as error:
        return Outcome(search, window, times.now, error=str(error), failure=error)
    notes = [str(annotation) for annotation in result.annotations]
    return Outcome(search, window, times.now, result.rows, result.fields, notes)


def window_of(schedule: Schedule | None, times: Times) -> tuple[int, int]:
    """Return the window in nanoseconds: what was asked for, else the schedule's, else all time up to now."""
    earliest = times.earliest or (schedule.earliest if schedule else "0")
    latest = times.latest or (schedule.latest if schedule else "now")
    try:
        return parse_time(earliest, times.now), parse_time(latest, times.now)
    except BadTime as error:
        raise KubestrayError(str(error)) from error


def macros_of(content: Content) -> Callable[[str, int], Macro | None]:
    """Return the macro look-up of a content."""

    def find(name: str, count: int) -> Macro | None:
        found = content.macros.get((name, count))
        return Macro(found.name, found.definition, found.arguments, found.path) if found else None

    return find
