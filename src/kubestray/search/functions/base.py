"""What every function of expressions is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubestray.search.relation import Switches
from kubestray.search.values import Shape, Value
from kubestray.store.trees import Tree

MANY = 1000
"""As many arguments as anybody writes."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a function may depend on besides its arguments: now (ns) and the switches."""

    now: int
    switches: Switches


class BadArgument(Exception):
    """An argument that no function can take, by its index."""

    def __init__(self, index: int, message: str) -> None:
        self.index = index
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how many arguments it takes, what it makes of them, and a line for the manual."""

    least: int
    most: int
    build: Callable[[list[Value], Environment], Value]
    manual: str

    def takes(self) -> str:
        """Say how many arguments it takes."""
        if self.least == self.most:
            return f"{self.least} argument{'s' * (self.least != 1)}"
        return (
            f"at least {self.least} arguments"
            if self.most >= MANY
            else f"{self.least} to {self.most} arguments"
        )


Build = Callable[[list[Value], Environment], Value]


def condition(value: Value, index: int) -> Tree:
    """Return an argument that has to be a condition."""
    if value.shape is not Shape.BOOLEAN:
        raise BadArgument(index, "expected a condition here, such as x > 1")
    return value.tree


def literal_text(value: Value, index: int, what: str) -> str:
    """Return an argument that has to be a quoted text."""
    if value.literal is None:
        raise BadArgument(index, f"{what} must be a quoted text")
    return value.literal
