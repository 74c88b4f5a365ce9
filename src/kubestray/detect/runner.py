"""Runs a detection or a baseline once: its window, its search, its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kubestray.model.content import Content, Schedule, Search
from kubestray.model.errors import KubestrayError, Position, SearchError
from kubestray.search.held_back import held_back
from kubestray.search.run import Query, Request, Result, run_search
from kubestray.search.source import KnownMacros, Macro
from kubestray.search.times import BadTime, parse_time
from kubestray.store.points import Span

Row = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave; ``window`` in nanoseconds; ``error`` is None if it worked.

    ``keys`` are the fields that tell the rows apart; None where the search does not say.
    """

    search: Search
    window: tuple[int, int]
    now: int
    rows: list[Row] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    keys: tuple[str, ...] | None = None
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

    def asked(request: Request, outcome: Outcome) -> Outcome:
        result: Result = run_search(request, query)
        notes = [str(annotation) for annotation in result.annotations]
        return dataclasses.replace(
            outcome, rows=result.rows, fields=result.fields, keys=result.keys, annotations=notes
        )

    return _outcome(search, content, times, make, asked)


def held_once(
    search: Search, content: Content, times: Times, query: Query, make: MakeRequest
) -> Outcome | None:
    """Return the alarms that a search has held back, as rows; None if it holds none back."""

    def asked(request: Request, outcome: Outcome) -> Outcome | None:
        rows = held_back(request, query)
        if rows is None:
            return None
        fields = list(dict.fromkeys(name for row in rows for name in row))
        return dataclasses.replace(outcome, rows=rows, fields=fields)

    return _outcome(search, content, times, make, asked)


def _outcome(
    search: Search,
    content: Content,
    times: Times,
    make: MakeRequest,
    asked: Callable[[Request, Outcome], T],
) -> T | Outcome:
    """Return what was ``asked`` of the request of a search, or what went wrong."""
    window = (0, times.now)
    try:
        request = request_of(search, content, times, make)
        window = (request.span.earliest, request.span.latest or times.now)
        return asked(request, Outcome(search, window, times.now))
    except SearchError as told:
        placed = _in_file(told, search)
        return Outcome(search, window, times.now, error=str(placed), failure=placed)
    except KubestrayError as error:
        return Outcome(search, window, times.now, error=str(error), failure=error)


def request_of(search: Search, content: Content, times: Times, make: MakeRequest) -> Request:
    """Return the request that a run of a search is."""
    request = make(
        search.search, times.now, Span(), macros=macros_of(content), path=search.path, dollars=True
    )
    window = window_of(content.schedule_of(search), times, request.timezone)
    return dataclasses.replace(request, span=Span(*window))


def window_of(schedule: Schedule | None, times: Times, zone: str) -> tuple[int, int]:
    """Return the window in nanoseconds: what was asked for, else the schedule's, else all time up to now."""
    earliest = times.earliest or (schedule.earliest if schedule else "0")
    latest = times.latest or (schedule.latest if schedule else "now")
    try:
        return parse_time(earliest, times.now, zone), parse_time(latest, times.now, zone)
    except BadTime as error:
        raise KubestrayError(str(error)) from error


def macros_of(content: Content) -> KnownMacros:
    """Return the macro look-up of a content: its macros, and parameters that none replaces."""
    searches = (*content.baselines.values(), *content.detections.values())
    known = {
        (one.name, 0): Macro(one.name, one.default, path=search.path)
        for search in searches
        for one in search.parameters
    }
    known |= {
        key: Macro(found.name, found.definition, found.arguments, found.path, found.where)
        for key, found in content.macros.items()
    }
    return KnownMacros(known)


def _in_file(error: SearchError, search: Search) -> SearchError:
    """Return the error with its place in the search's file instead of its place in the search's text."""
    place = error.position
    if place is None or search.where is None:
        return error
    return SearchError(error.message, _moved(place, search), error.hint)


def _moved(place: Position, search: Search) -> Position:
    """Move a place in the text of the search, or the place of the macro's use that it is inside of."""
    if place.used_at:
        return dataclasses.replace(place, used_at=_moved(place.used_at, search))
    if place.path != search.path or search.where is None:
        return place
    lines = search.search.split("\n")[: place.line - 1]
    return search.where(sum(len(line) + 1 for line in lines) + place.column - 1)
