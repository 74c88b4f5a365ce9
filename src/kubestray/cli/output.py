"""Rows on stdout: JSON, CSV, or a table for people. A result can be printed while it comes."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

from kubestray.cli.writer import Row, Writer

FORMATS = ("json", "table", "csv")


def chosen_format(asked: str | None) -> str:
    """Return the format that was asked for, else a table on a terminal and JSON elsewhere."""
    return asked or ("table" if sys.stdout is not None and sys.stdout.isatty() else "json")


def print_rows(rows: list[Row], fields: list[str], form: str) -> None:
    """Print rows in a format; ``fields`` gives the order of the columns."""
    with writer(fields, form) as printed:
        printed.write(rows)


def print_json(value: Any) -> None:
    """Print one JSON value: the rows of a list a line each."""
    if isinstance(value, list):
        print_rows(value, [], "json")
    else:
        print(_line(value))


def print_table(rows: list[Row], fields: list[str]) -> None:
    """Print rows as a table that fits the terminal."""
    print_rows(rows, fields, "table")


def writer(fields: list[str], form: str) -> Writer:
    """Return what prints rows as they come, in a format."""
    if form == "table":
        from kubestray.cli.table import TableWriter

        return TableWriter(fields)
    return _Json(fields) if form == "json" else _Csv(fields)


class _Json(Writer):
    """An array, a row a line."""

    def _write(self, rows: list[Row]) -> None:
        self._print((",\n" if self.begun else "[\n") + ",\n".join(map(_line, rows)))

    def end(self) -> None:
        self._print("\n]\n" if self.begun else "[]\n")

    def break_off(self) -> None:
        self._print("\n")


class _Csv(Writer):
    """A header and a line a row; several values of a field are lines of one cell."""

    def _write(self, rows: list[Row]) -> None:
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        if not self.begun:
            lines.writerow(self.fields)
        for row in rows:
            values = (row.get(field, "") for field in self.fields)
            lines.writerow(["\n".join(map(str, v)) if isinstance(v, list) else v for v in values])
        self._print(text.getvalue())

    def end(self) -> None:
        if not self.begun:
            self._write([])

    def break_off(self) -> None:
        self._print('"incomplete\n')


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def note(message: str) -> None:
    """Tell the person something beside the result."""
    print(message, file=sys.stderr)
