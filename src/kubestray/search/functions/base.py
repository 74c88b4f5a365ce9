"""What every function of expressions is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kubestray.search.relation import Context, Relation, Switches
from kubestray.search.syntax import Call, Expression
from kubestray.search.values import Shape, Value
from kubestray.search.zones import UTC
from kubestray.store.trees import Tree

MANY = 1000
"""As many arguments as anybody writes."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a function may depend on besides its arguments: now (ns), the switches, the time zone, two services.

    ``hold`` returns a value that may be written several times; ``tag`` a number that no other call has.
    """

    clock: Callable[[], int]
    switches: Switches
    hold: Callable[[Value], Value]
    tag: Callable[[], int]
    timezone: str = UTC

    @property
    def now(self) -> int:
        """When the search takes place, in nanoseconds."""
        return self.clock()


class Scope(Protocol):
    """What evaluates expressions: for functions that do not take values but expressions."""

    relation: Relation
    context: Context
    per_value: bool
    """Whether it is evaluated for each of several values: rows can be neither joined nor added to then."""

    def value(self, expression: Expression) -> Value:
        """Return the value of an expression."""
        ...

    def condition(self, expression: Expression) -> Tree:
        """Return an expression that must be a condition."""
        ...

    def hold(self, value: Value) -> Value:
        """Return a value that may be written several times."""
        ...

    def each(self, name: str | None, of: Callable[[Scope], Tree]) -> Tree:
        """Return ``x -> of(…)``, in whose scope the field of that name has the value ``x``."""
        ...


class BadArgument(Exception):
    """An argument that no function can take, by its index."""

    def __init__(self, index: int, message: str) -> None:
        self.index = index
        super().__init__(message)


Build = Callable[[list[Value], Environment], Value]
Form = Callable[[Call, Scope], Value]


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how many arguments it takes, what it makes of them, and a line for the manual.

    ``form`` is set instead of ``build`` for a function of expressions, not of their values.
    """

    least: int
    most: int
    build: Build
    manual: str
    form: Form | None = None

    def takes(self) -> str:
        """Say how many arguments it takes."""
        if self.least == self.most:
            return f"{self.least} argument{'s' * (self.least != 1)}"
        return (
            f"at least {self.least} argument{'s' * (self.least != 1)}"
            if self.most >= MANY
            else f"{self.least} to {self.most} arguments"
        )


def special(least: int, most: int, form: Form, manual: str) -> Function:
    """Make a function of expressions."""

    def never(a: list[Value], env: Environment) -> Value:
        raise AssertionError("a form has no values")

    return Function(least, most, never, manual, form)


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
