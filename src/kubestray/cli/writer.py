"""What prints a result while it comes.

A result that fails half-way has been printed in part. That part must not be taken for the whole, not even
where nobody sees the exit code, as in a pipe. So the array of JSON is left open, CSV ends in a quotation mark
that nobody closes, a table says so, and the error on stderr comes after a line that says it as well.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any

Row = dict[str, Any]


class Writer(ABC):
    """Prints one result in a ``with``; leaving that by an error marks what was printed as a part."""

    def __init__(self, fields: list[str]) -> None:
        self.fields = fields
        self.begun = False
        """Whether something has been printed."""

    def write(self, rows: list[Row]) -> None:
        """Print more rows; whoever reads them can have them at once."""
        if rows:
            self._write(rows)

    @abstractmethod
    def _write(self, rows: list[Row]) -> None: ...

    @abstractmethod
    def end(self) -> None:
        """Print what follows the last row."""

    @abstractmethod
    def break_off(self) -> None:
        """Print what follows a row that is not the last; some row has been printed."""

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.end()
        elif self.begun and not issubclass(kind, OSError):  # which is our own output
            self.break_off()
            print("kubestray: what was printed is only a part of the result, because:", file=sys.stderr)

    def _print(self, text: str) -> None:
        self.begun = True
        print(text, end="", flush=True)
