"""The engine's error text, told in our words: which limit was met, what it is, and what to do."""

from __future__ import annotations

import re

from kubestray.model.counted import counted
from kubestray.model.errors import KubestrayError, LimitExceeded, StoreError
from kubestray.store.engine import UNLIMITED, Limits

_CODE = re.compile(r"Code: (\d+)")

_TOO_SLOW, _TOO_MUCH_MEMORY, _TOO_MANY_ROWS, _CANCELLED = ("159", "160"), ("241",), ("396",), ("394",)

_DISK_FULL = "243"

CANCELLED = "the search was cancelled"

# How releases of the engine say that one query went over its own limit, and not over the server's.
_OF_THE_QUERY = re.compile(r"query memory limit|\(for query\)", re.IGNORECASE)

# What it says of an expression that came from a field; those that are written in a search are read before.
_REGEX = re.compile(r"(?:cannot compile re2: .*?, error|not a valid re2 pattern): ([^:\n]+):", re.DOTALL)


def failure(text: str, url: str, limits: Limits = UNLIMITED) -> KubestrayError:
    """Turn an engine's error message into the exception a caller should see.

    ``limits`` are those that the statement had; a limit that is not among them is the engine's own.
    """
    found = _CODE.search(text)
    code = found[1] if found else ""
    told = _limit(code, text, limits)
    if told:
        return LimitExceeded(told)
    if regex := _REGEX.search(text):
        return StoreError(
            f"a value that is used as a regular expression is none ({regex[1]}); "
            "leave such rows out with where, or write the expression as a quoted text"
        )
    message = _first_line(text)
    if code in (*_TOO_SLOW, *_TOO_MUCH_MEMORY, *_TOO_MANY_ROWS):
        return LimitExceeded(
            f"the store at {url} met a limit of its own, not one of this search: {message}; "
            "ask for less, try again when less runs there, or raise it there"
        )
    if code == _DISK_FULL or "No space left on device" in text:
        return StoreError(
            f"the disk of the store at {url} is full: {message}; "
            "free space there, or keep points for less time (--retention-raw)"
        )
    return StoreError(f"the store at {url} refused: {message}")


def too_slow(seconds: float) -> str:
    """Tell that a search took longer than it may, and what to do."""
    return (
        f"the search did not end within {_time(seconds)} (search_timeout); "
        "narrow its time range, or raise --search-timeout"
    )


def _limit(code: str, text: str, limits: Limits) -> str:
    """Tell of one of our own limits; nothing if it was not one of them."""
    if code in _TOO_SLOW and limits.seconds:
        return too_slow(limits.seconds)
    if code in _TOO_MUCH_MEMORY and limits.memory and _OF_THE_QUERY.search(text):
        return (
            f"the search needs more memory than the {_size(limits.memory)} it may use (search_memory); "
            "narrow its time range, group by fewer fields, or raise --search-memory"
        )
    if code in _TOO_MANY_ROWS and limits.rows:
        allowed = counted(limits.rows, "row that is", "rows that are")
        return (
            f"the result has more than the {allowed} allowed (search_rows); "
            "aggregate, put | head at its end, or raise --search-rows (0 is no limit)"
        )
    return CANCELLED if code in _CANCELLED else ""


def _first_line(text: str) -> str:
    told = text.strip().removeprefix("Streaming query failed: ")
    return told.splitlines()[0][:2000] if told else "no message"


def _time(seconds: float) -> str:
    """Write a length of time as the setting is written: ``5m``."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _size(count: int) -> str:
    """Write a size as the setting is written: ``8GiB``."""
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >> shift and count % (1 << shift) == 0:
            return f"{count >> shift}{unit}"
    return f"{count} bytes"
