"""Words that many tests use."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

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
