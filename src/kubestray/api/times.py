"""Time ranges as people and programs write them: SPL times in two query parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from kubestray.model.errors import UsageError
from kubestray.pipeline.running import Running
from kubestray.pipeline.setting_up import moment
from kubestray.store.points import Span

_MOST = 64
_LAST = (1 << 63) - 1
"""The last time that the store can tell: year 2262."""

Earliest = Annotated[
    str, Query(max_length=_MOST, description="An SPL time, RFC 3339 or epoch seconds", examples=["-24h"])
]
Latest = Annotated[str, Query(max_length=_MOST, description="As earliest; empty is now", examples=["now"])]


def span_of(running: Running, earliest: str, latest: str = "") -> Span:
    """Read a time range; raise `UsageError` if it is none."""
    now = running.clock()
    start = at(running, earliest, "earliest", now) if earliest.strip() else 0
    end = at(running, latest, "latest", now) if latest.strip() else now
    if end < start:
        raise UsageError(f"the time range ends before it begins: {earliest} to {latest or 'now'}")
    return Span(start, end)


def at(running: Running, text: str, name: str, now: int) -> int:
    """Read one time, in nanoseconds."""
    found = moment(text, name, now, running.config["timezone"])
    if not 0 <= found <= _LAST:
        raise UsageError(f"{name}: {text} is out of range")
    return found


def iso(time: int | None) -> datetime | None:
    """Return a time in nanoseconds as RFC 3339; None for 0, which is never."""
    return datetime.fromtimestamp(time / 1e9, UTC) if time else None
