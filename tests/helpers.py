"""Words that many tests use."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from kubestray.model.content import Baseline, Content, Schedule
from kubestray.model.errors import Position
from kubestray.model.metric import Batch, BatchBuilder, Kind, Series
from kubestray.search.run import Request, Result, run_search
from kubestray.store.points import Span
from kubestray.store.store import Store

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR
NOW = 1_790_000_400 * SECOND
"""2026-09-21T14:20:00Z."""

Row = dict[str, Any]
Point = tuple[Series, int, int, float]
"""Series, time, start, value."""
Observation = tuple[Series, int, float]
"""A series, a time, and the reading or the increase at that time."""


all_tests = False
"""Whether ``--all`` was asked for; set before tests are read."""


def more(*values: Any, id: str | None = None) -> ParameterSet:  # noqa: A002 (as pytest calls it)
    """Return values of a parametrized test that run with ``--all`` alone: others show what these do."""
    return pytest.param(*values, marks=pytest.mark.more, id=id)


def examples(number: int) -> int:
    """Return how many examples a dear property has: more with ``--all``, and to look for new ones."""
    if os.environ.get("HYPOTHESIS_PROFILE") == "explore":
        return number * 20
    return number * 3 if all_tests else number


def series(metric: str, kind: Kind = Kind.GAUGE, /, **attributes: str) -> Series:
    return Series.of(metric, kind, "", attributes)


def batch(points: Iterable[Point]) -> Batch:
    builder = BatchBuilder()
    for point in points:
        builder.add(*point)
    return builder.build()


def search(store: Store, text: str, *, now: int = NOW, span: Span | None = None, **more: Any) -> Result:
    return run_search(Request(text, now, span or Span(), **more), store.query)


def shared(*parts: str) -> Path:
    """A path below ``../shared`` (seen from the repository); the test is skipped where it is not there."""
    path = Path(__file__).resolve().parents[2].joinpath("shared", *parts)
    if not path.exists():
        pytest.skip(f"the published material is not here: {path}")
    return path


def observations(points: Iterable[Point]) -> list[Observation]:
    """Recount points one by one: readings as they are, counters as increases, what was sent twice once."""
    by_series: dict[int, dict[tuple[int, float], tuple[Series, int]]] = defaultdict(dict)
    for made, time, start, value in points:
        by_series[made.id][time, value] = (made, start)
    found: list[Observation] = []
    for received in by_series.values():
        before: tuple[int, int, float] | None = None
        for (time, value), (made, start) in sorted(received.items(), key=lambda item: item[0]):
            if made.kind is not Kind.CUMULATIVE:
                found.append((made, time, value))
                continue
            if before is not None and time - before[0] <= HOUR:
                restarted = start != before[1] and start != 0 and before[1] != 0
                again = restarted or value < before[2]
                found.append((made, time, value if again else value - before[2]))
            before = (time, start, value)
    return found


def content_of(*texts: str) -> Content:
    """Return a content of baselines that look back 30 days each day."""
    content = Content()
    for place, text in enumerate(texts):
        content.add(
            Baseline(
                *(f"b{place}", f"id{place}", 1, "Baseline", "production", "", text, f"b{place}.yml"),
                Position(1, 1),
                Schedule("0 0 * * *", "-30d", "now"),
                {},
            )
        )
    return content
