"""What can be read and planned, and yet is hardly what its author meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from kubestray.model.errors import Diagnostic
from kubestray.search.commands import MODULES
from kubestray.search.relation import Relation
from kubestray.search.source import Source
from kubestray.search.stand_in import as_pattern
from kubestray.search.syntax import Binary, Command, Field, Pipeline, Word
from kubestray.search.wildcards import parts

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_CONSTANTS = {
    "null": "write isnull(FIELD) or isnotnull(FIELD)",
    "true": 'write true(), or "true" for the text',
    "false": 'write false(), or "false" for the text',
}


def suspicions(command: Command, relation: Relation | None, source: Source) -> Iterator[Diagnostic]:
    """Yield what is probably not meant in a command over some rows (None: it is the first)."""
    fields = list(map(as_pattern, relation.fields)) if relation else []

    def known(name: str) -> bool:
        return any(parts(pattern, name) is not None for pattern in fields)

    is_search = type(command).__module__.endswith(".search")
    for node in _nodes(command, source):
        match node:
            case Binary(operator=".") if relation:
                for dotted in _dotted(node, source):
                    if not any(map(known, dotted.name.split("."))):
                        yield _unquoted(dotted.name, dotted.at, source, known=known(dotted.name))
            case Binary(operator=operator) if operator in _COMPARISONS:
                for side in (node.left, node.right):
                    if isinstance(side, Field) and side.name.lower() in _CONSTANTS and not known(side.name):
                        message = f"{side.name} is the name of a field here, which no row has"
                        yield _warning(message, _CONSTANTS[side.name.lower()], side.at, source)
            case Word(at=at, value=value) if is_search and _is_command(value, at, source):
                message = f"{value!r} is a word to look for here, not a command"
                yield _warning(message, f"is a pipe missing before {value}?", at, source)
    for name in _listed(command):
        if name in MODULES and relation and not known(name):
            message = f"{name!r} is the name of a field here, not a command"
            yield _warning(message, f"is a pipe missing before {name}?", command.at, source)


def _warning(message: str, hint: str, at: int, source: Source) -> Diagnostic:
    return Diagnostic(source.position(at), message, hint, warning=True)


def _is_command(word: str, at: int, source: Source) -> bool:
    """Return whether a word without quotes is the name of a command."""
    return word in MODULES and source.text.startswith(word, at)


def _listed(command: Command) -> Iterator[str]:
    """Yield the names of fields that a command lists."""
    for attribute in ("by", "fields", "keys", "patterns"):
        for name in getattr(command, attribute, None) or ():
            if isinstance(name, str):
                yield name


def _unquoted(name: str, at: int, source: Source, *, known: bool) -> Diagnostic:
    """Make the problem of a dotted field without quotes: an error if there is a field of that name."""
    message = f"{name} joins the fields {', '.join(name.split('.'))}, which no row has"
    return Diagnostic(source.position(at), message, f"write '{name}' in single quotes", warning=not known)


def _dotted(node: Binary, source: Source) -> Iterator[Field]:
    """Yield the names that a chain of dots looks like: ``k8s.pod.name``, written without spaces."""
    first, *rest = _joined(node)
    name = _leaf(first, -1)
    for operand in rest:
        following = _leaf(operand, 0)
        longer = f"{name.name}.{following.name}" if name and following else ""
        if name and longer and source.text.startswith(longer, name.at):
            name = Field(name.at, longer)
            if operand is following:
                continue
        if name and "." in name.name:
            yield name
        name = _leaf(operand, -1)
    if name and "." in name.name:
        yield name


def _joined(node: Any) -> list[Any]:
    """Return what the dots of a chain join."""
    operands: list[Any] = []
    while isinstance(node, Binary) and node.operator == ".":
        operands.insert(0, node.right)
        node = node.left
    return [node, *operands]


def _leaf(node: Any, side: int) -> Field | None:
    """Return the field that stands first (0) or last (-1) in a sum or product."""
    while isinstance(node, Binary):
        node = (node.left, node.right)[side]
    return node if isinstance(node, Field) else None


def _nodes(value: Any, source: Source) -> Iterator[Any]:
    """Yield what a command holds at any depth, but not what stands in its subsearches."""
    if isinstance(value, tuple):
        for item in value:
            yield from _nodes(item, source)
    elif dataclasses.is_dataclass(value) and not isinstance(value, Pipeline):
        yield value
        if isinstance(value, Binary) and value.operator == ".":
            yield from _nodes(tuple(_joined(value)), source)
            return  # a chain is told once, as a whole
        for part in dataclasses.fields(value):
            yield from _nodes(getattr(value, part.name), source)
