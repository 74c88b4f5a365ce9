"""Counts in sentences."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with what it counts: ``1 row``, ``2 rows``; ``many`` where an s is not enough."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


class Failures:
    """How often something has failed in a row that is tried again."""

    def __init__(self) -> None:
        self._number = 0

    def again(self) -> bool:
        """Count a failure; return whether it is worth a line."""
        self._number += 1
        return is_doubled(self._number)

    def over(self) -> int:
        """Begin anew, as it went well; return how many failures there were."""
        number, self._number = self._number, 0
        return number


def is_doubled(number: int) -> bool:
    """Return whether a number is 1, 2, 4, 8 …: how often something that goes on is told."""
    return number > 0 and not number & (number - 1)
