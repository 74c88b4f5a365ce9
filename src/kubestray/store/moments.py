"""Numbers in a statement that depend on when it runs, so that its text can be used again later.

A `Moment` is a whole number that knows how it was made of a few others, such as the two ends of a time range.
A tree that is written with moments can be `prepared`: rendered once, with places left open for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

Make = Callable[[Sequence[int]], int]


class Moment(int):
    """A whole number, and how to make it anew of other values; sums and quotients of it are moments too."""

    make: Make

    def __new__(cls, value: int, make: Make) -> Self:
        """Make the number that ``make`` gives for the values at hand."""
        found = super().__new__(cls, value)
        found.make = make
        return found

    def __add__(self, other: int) -> Moment:
        """Return the sum."""
        return Moment(int(self) + other, lambda values: self.make(values) + other)

    def __sub__(self, other: int) -> Moment:
        """Return the difference."""
        return Moment(int(self) - other, lambda values: self.make(values) - other)

    def __floordiv__(self, other: int) -> Moment:
        """Return the quotient, rounded down."""
        return Moment(int(self) // other, lambda values: self.make(values) // other)

    def __copy__(self) -> Self:
        """Return itself: it never changes."""
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """Return itself: it never changes."""
        return self


def moments(values: Sequence[int]) -> list[Moment]:
    """Return values as moments of which each is one of the values given later, by its place."""

    def at(place: int) -> Make:
        return lambda later: later[place]

    return [Moment(value, at(place)) for place, value in enumerate(values)]
