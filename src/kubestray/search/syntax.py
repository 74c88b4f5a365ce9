"""What the parser makes of a text. Every node knows where it was written (``at``, an offset)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any, ClassVar, TypeVar


@dataclass(frozen=True, slots=True)
class Node:
    """Anything written in a search."""

    at: int


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number literal; ``written`` is how it stood there, as zeros at its end tell how precise it is."""

    value: float
    written: str = ""


@dataclass(frozen=True, slots=True)
class String(Node):
    """A text literal, escapes resolved."""

    value: str


@dataclass(frozen=True, slots=True)
class Field(Node):
    """The value of a field; a field that does not exist is null.

    ``bare`` is set where a word to be filled in (``<<MATCHSTR>>``) stands without quotes: it may be a number.
    """

    name: str
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function call; ``name`` in lower case."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``-x`` or ``NOT x``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``x operator y``; operators in lower case, ``=`` written ``==``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``x IN (a, b, …)``."""

    operand: Expression
    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Subsearch(Node):
    """``[ commands ]`` where a clause, a value or an expression stands; its result is what is meant."""

    pipeline: Pipeline


Expression = Number | String | Field | Call | Unary | Binary | Member | Subsearch


@dataclass(frozen=True, slots=True)
class Term(Node):
    """``field operator value`` in a search clause; ``value`` may hold wildcards.

    ``cased`` is set for ``CASE(value)``.
    """

    field: str
    operator: str
    value: str | Subsearch
    cased: bool = False


@dataclass(frozen=True, slots=True)
class TermIn(Node):
    """``field IN (value, …)`` in a search clause; the results of ``subsearches`` are further values."""

    field: str
    values: tuple[str, ...]
    subsearches: tuple[Subsearch, ...] = ()


@dataclass(frozen=True, slots=True)
class Word(Node):
    """A bare word or phrase in a search clause; ``*`` matches everything. ``cased`` as in `Term`."""

    value: str
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """``AND``/``OR`` of clauses."""

    operator: str
    operands: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Negation(Node):
    """``NOT`` of a clause."""

    operand: Clause


Clause = Term | TermIn | Word | Junction | Negation | Subsearch


@dataclass(frozen=True, slots=True)
class Aggregate(Node):
    """``function(argument) AS name``: an aggregate of ``stats``, ``mstats`` and their kin.

    ``argument`` is a field name or pattern, an expression (from ``eval(…)``), or None for ``count``.
    """

    function: str
    argument: str | Expression | None
    name: str


class Place(Enum):
    """Where in a pipeline a command can stand."""

    AFTER_ROWS = "after rows"
    FIRST = "first"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class Command(Node):
    """One command of a pipeline; each command's module derives its own."""

    place: ClassVar[Place] = Place.AFTER_ROWS
    rereads: ClassVar[bool] = False
    """Whether planning it needs to know what leads to its rows: it may look at another time with it."""


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """Commands in order."""

    commands: tuple[Command, ...]


N = TypeVar("N")


def rewrite_text(node: N, change: Callable[[str], str]) -> N:
    """Return a copy of a node with ``change`` applied to every name and literal text in it."""
    return _rewrite(node, change)  # type: ignore[no-any-return]


def rewrite_nodes(node: N, change: Callable[[Any], Any], within: type | UnionType = Node) -> N:
    """Return a copy of syntax (also several nodes) in which each node is what ``change`` makes of it, those
    in it first. Nodes that are not of the kinds ``within`` are left as they are, with all that is in them.
    """
    if isinstance(node, tuple):
        return tuple(rewrite_nodes(item, change, within) for item in node)  # type: ignore[return-value]
    if not isinstance(node, Node) or not isinstance(node, within):
        return node
    inner = {f.name: rewrite_nodes(getattr(node, f.name), change, within) for f in dataclasses.fields(node)}
    changed: N = change(dataclasses.replace(node, **inner))
    return changed


def _rewrite(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_rewrite(item, change) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _rewrite(getattr(value, f.name), change) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    return value
