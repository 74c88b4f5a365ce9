"""Rows of lookups from files of CSV, as they are when a search asks for them."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

from kubestray.model.errors import KubestrayError

Row = dict[str, str]


class LookupFileError(KubestrayError):
    """The file of a lookup cannot be read; the message says which and why."""


def written_at(path: Path) -> int:
    """Return when a file was last written, in nanoseconds since 1970; 0 if there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _cannot_be_read(path, error.strerror or str(error)) from error


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """Return the fields of a file's first line, and the rows below it: texts, where there is any.

    Raise `LookupFileError` if it is not there or is no CSV with a header. What was read is kept until the
    file changes.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise _cannot_be_read(path, error.strerror or str(error)) from error
    return _read((path, about.st_mtime_ns, about.st_size))


@lru_cache(maxsize=32)
def _read(version: tuple[Path, int, int]) -> tuple[list[str], list[Row]]:
    """Read a file, of which time and size tell the versions apart."""
    path = version[0]
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            fields = next(reader, [])
            _check(path, fields)
            rows = []
            for values in reader:
                if len(values) > len(fields):
                    raise _cannot_be_read(path, f"line {reader.line_num} has more values than the first line")
                rows.append({name: value for name, value in zip(fields, values, strict=False) if value})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _cannot_be_read(path, str(error)) from error
    return fields, [row for row in rows if row]


def _check(path: Path, fields: list[str]) -> None:
    if not fields:
        raise _cannot_be_read(path, "it is empty, and its first line has to name the fields")
    if "" in fields or len(set(fields)) < len(fields):
        raise _cannot_be_read(path, "its first line has to name each field once")


def _cannot_be_read(path: Path, why: str) -> LookupFileError:
    return LookupFileError(f"the lookup's file {path} cannot be read: {why}")
