"""Counts in sentences."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with what it counts: ``1 row``, ``2 rows``; ``many`` where an s is not enough."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def is_doubled(number: int) -> bool:
    """Return whether a number is 1, 2, 4, 8 …: how often something that goes on is told."""
    return number > 0 and not number & (number - 1)
