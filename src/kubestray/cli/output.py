"""Rows on stdout: JSON, CSV, or a table for people."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]

FORMATS = ("json", "table", "csv")


def chosen_format(asked: str | None) -> str:
    """Return the format that was asked for, else a table on a terminal and JSON elsewhere."""
    return asked or ("table" if sys.stdout is not None and sys.stdout.isatty() else "json")


def print_rows(rows: list[Row], fields: list[str], form: str) -> None:
    """Print rows in a format; ``fields`` gives the order of the columns."""
    if form == "json":
        print_json(rows)
    elif form == "csv":
        _csv(rows, fields)
    else:
        print_table(rows, fields)


def print_json(value: Any) -> None:
    """Print one JSON value: the rows of a list a line each."""
    if isinstance(value, list) and value:
        lines = ",\n".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in value)
        print(f"[\n{lines}\n]")
    else:
        print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def note(message: str) -> None:
    """Tell the person something beside the result."""
    print(message, file=sys.stderr)


def print_table(rows: list[Row], fields: list[str], *, title: str | None = None) -> None:
    """Print rows as a table that fits the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 200)
    if not rows:
        console.print("no rows", style="dim")
        return
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", header_style="bold", pad_edge=False)
    shown = [field for field in fields if any(field in row for row in rows)]
    for field in shown:
        numeric = all(isinstance(row.get(field), int | float | None) for row in rows) and field != "_time"
        table.add_column(Text(field), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(field, row.get(field))) for field in shown))
    console.print(table)


def cell(field: str, value: Any) -> str:
    """Return a value as people read it: times as UTC, several values a line each."""
    if value is None:
        return ""
    if field == "_time" and isinstance(value, int | float) and 0 <= value < 253_402_300_800:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return str(value)


def _csv(rows: list[Row], fields: list[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(fields)
    for row in rows:
        writer.writerow(
            ["\n".join(map(str, v)) if isinstance(v := row.get(f, ""), list) else v for f in fields]
        )
