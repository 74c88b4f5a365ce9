"""The field ``index`` of events: which index they are of, where a later command asks for it."""

from __future__ import annotations

import dataclasses
from typing import Any

from kubestray.search.commands.search import Search
from kubestray.search.syntax import Command, Pipeline, String, Word, rewrite_nodes

INDEX = "index"


def with_index(commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """Return the commands of a pipeline, where events that a later command asks for the index of have it.

    So have those that subsearches put beside them (``append``), but not those of which a clause is made.
    """
    asking = [place for place, command in enumerate(commands) if place and _asks(command)]
    if not asking:
        return commands
    return tuple(_told(command) if place < asking[-1] else command for place, command in enumerate(commands))


def _asks(value: Any) -> bool:
    """Whether a command names the field, its subsearches aside."""
    if isinstance(value, str):
        return value == INDEX
    if isinstance(value, tuple):
        return any(_asks(item) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, Pipeline | String | Word):
        return False
    return any(_asks(getattr(value, part.name)) for part in dataclasses.fields(value))


def _told(command: Command) -> Command:
    """Return a command, with the field in the events that it reads itself or by its subsearches."""
    return rewrite_nodes(
        command,
        lambda inner: dataclasses.replace(inner, named=True) if isinstance(inner, Search) else inner,
        Command | Pipeline,
    )
