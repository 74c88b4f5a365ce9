"""A table for people that is printed while its rows come.

Its columns, and how wide they are, are those of the first rows; what is wider is folded. A later row that has
a field without a column begins a new table.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from kubestray.cli.writer import Row, Writer

LOOK_AHEAD = 1000
"""Rows that are looked at before the first one is printed."""

_BETWEEN = "   "
_WIDTH = 200  # where nobody looks

# What a sender put into a value must not steer the terminal of whoever looks at it.
_VISIBLE = {
    **{code: chr(0x2400 + code) for code in range(32)},
    **dict.fromkeys(range(127, 160), "\N{REPLACEMENT CHARACTER}"),
    ord("\t"): " ",
    ord("\n"): "\n",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns with their widths; numbers are at the right."""

    widths: dict[str, int]
    numeric: frozenset[str]

    @classmethod
    def of(cls, rows: Sequence[Row], columns: Sequence[str], width: int) -> Layout:
        """Lay out rows so that they fit; only the widest columns are narrower than what they hold."""
        wanted = {
            name: max(_width(name), *(_width(cell(name, row.get(name))) for row in rows)) for name in columns
        }
        room = width - 2 - len(_BETWEEN) * (len(columns) - 1)
        numeric = (name for name in columns if _is_numeric(name, rows))
        return cls(_fitted(wanted, room), frozenset(numeric))

    def lines(self, row: Row) -> Iterator[str]:
        """Give the lines that a row takes."""
        cells = [_folded(cell(name, row.get(name)), width) for name, width in self.widths.items()]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (
                " " * (width - cell_len(part)) + part
                if name in self.numeric
                else part + " " * (width - cell_len(part))
                for part, (name, width) in zip(parts, self.widths.items(), strict=True)
            )
            yield f" {_BETWEEN.join(padded)} \n"

    @property
    def width(self) -> int:
        """How many cells of the terminal a line takes."""
        return 2 + sum(self.widths.values()) + len(_BETWEEN) * (len(self.widths) - 1)


class TableWriter(Writer):
    """Prints a table; see the module."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__(fields)
        self._waiting: list[Row] = []
        self._layout: Layout | None = None
        self._console = _console()

    def _write(self, rows: list[Row]) -> None:
        self._waiting += rows
        if len(self._waiting) >= LOOK_AHEAD:
            self._show()

    def end(self) -> None:
        """Print the rows that wait, and the lower edge."""
        self._show()
        if self._layout:
            self._print(_edge(self._layout))
        else:
            self._console.print("no rows", style="dim")

    def break_off(self) -> None:
        """Print the rows that wait, and that there should be more."""
        self._show()
        self._print("incomplete\n")

    def _show(self) -> None:
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        named = {name for row in rows for name in row}
        if self._layout is None or not named <= self._layout.widths.keys():
            self._begin(rows, named)
        layout = self._layout
        assert layout
        self._print("".join(line for row in rows for line in layout.lines(row)))

    def _begin(self, rows: list[Row], named: set[str]) -> None:
        """Begin a table that has these fields as well: its upper edge, the names, a rule."""
        if self._layout:
            named |= self._layout.widths.keys()
            self._print(_edge(self._layout))
        columns = [name for name in self.fields if name in named]
        self._layout = Layout.of(rows, columns, self._console.width)
        names = "".join(self._layout.lines({name: name for name in columns}))
        with self._console.capture() as captured:
            self._console.print(Text(names, style="bold", end=""), end="", soft_wrap=True)
        self._print(f"{_edge(self._layout)}{captured.get()} {'─' * (self._layout.width - 2)} \n")


def _edge(layout: Layout) -> str:
    return " " * layout.width + "\n"


def _console() -> Console:
    if sys.stdout is None:
        return Console(file=io.StringIO(), width=_WIDTH)
    return Console(width=None if sys.stdout.isatty() else _WIDTH)


def _fitted(wanted: dict[str, int], room: int) -> dict[str, int]:
    """Return widths that take no more than the room: all that are over one bound become that bound."""
    left, columns = room, len(wanted)
    for width in sorted(wanted.values()):
        if width * columns > left:
            bound = max(1, left // columns)
            return {name: min(width, bound) for name, width in wanted.items()}
        left -= width
        columns -= 1
    return wanted


def _folded(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n"):
        if cell_len(line) <= width:
            lines.append(line)
        else:
            folded = Text(line).wrap(Console(file=io.StringIO()), width, overflow="fold")
            lines += [part.plain.rstrip() for part in folded]
    return lines


def _width(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _is_numeric(name: str, rows: Sequence[Row]) -> bool:
    return name != "_time" and all(isinstance(row.get(name), int | float | None) for row in rows)


def cell(field: str, value: Any) -> str:
    """Return a value as people read it: times as UTC, several values a line each, large ones whole.

    Objects are JSON.
    """
    if value is None:
        return ""
    if field == "_time" and isinstance(value, int | float) and 0 <= value < 253_402_300_800:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "\n".join(map(str, value)).translate(_VISIBLE)
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return str(value).translate(_VISIBLE)
