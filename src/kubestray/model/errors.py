"""The exception tree.

::

    KubestrayError               what the command line prints as one line
    ├── UsageError               a flag, a setting or a time is wrong           exit 2
    ├── SearchError              the text of a search is wrong                  exit 3
    ├── ContentError             a content file is wrong                        exit 3
    ├── StoreError               the engine refused, or could not be reached    exit 1
    │   └── StoreBusy            another process holds the embedded store       exit 1
    ├── LimitExceeded            a search met its limit of time, memory or rows exit 1
    └── MalformedRequest         bytes that are not the protocol's message      exit 1

Every message says where, what, and what to do next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class KubestrayError(Exception):
    """A failure whose message is written for the person who has to act on it."""

    exit_code = 1


class UsageError(KubestrayError):
    """A command-line flag, a setting or a time is wrong."""

    exit_code = 2


class StoreError(KubestrayError):
    """The engine refused a statement, or the store could not be opened or reached."""


class StoreBusy(StoreError):
    """Another process holds the embedded store and does not answer on its socket."""


class LimitExceeded(KubestrayError):
    """A search met its limit of time, memory or rows, or was cancelled."""


class MalformedRequest(KubestrayError):
    """Bytes that do not decode as the message their sender says they are."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text: 1-based ``line`` and ``column``, and the file's ``path`` if it has one."""

    line: int
    column: int
    path: str | None = None
    used_at: Position | None = None
    """Where the macro that holds this place is used, for a place inside a macro."""

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}"
        return f"{self.path}:{place}" if self.path else f"line {self.line}, column {self.column}"

    def uses(self) -> str:
        """Say where the macros around this place are used, the innermost first; nothing outside of macros."""
        return f"; used at {self.used_at}{self.used_at.uses()}" if self.used_at else ""


Where = Callable[[int], Position]
"""Tells where the character at an offset of a text was written."""


class SearchError(KubestrayError):
    """The text of a search is wrong: where, what was expected, and a hint where one is known."""

    exit_code = 3

    def __init__(self, message: str, position: Position | None = None, hint: str = "") -> None:
        self.message, self.position, self.hint = message, position, hint
        place = f"{position}: " if position else ""
        uses = position.uses() if position else ""
        super().__init__(f"{place}{message}" + (f" ({hint})" if hint else "") + uses)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem in a content file: an error, or a warning about what is probably not meant."""

    position: Position
    message: str
    hint: str = ""
    warning: bool = False

    def __str__(self) -> str:
        said = f"{'warning: ' if self.warning else ''}{self.message}"
        return f"{self.position}: {said}" + (f" ({self.hint})" if self.hint else "") + self.position.uses()


class ContentError(KubestrayError):
    """One or more content files are wrong; all their problems are told at once."""

    exit_code = 3

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        super().__init__("\n".join(str(d) for d in diagnostics))
