"""Rows that are durable before they are in their tables: files that are only appended to.

A small INSERT of the embedded engine costs as much as a hundred thousand points in a large one, and more
again when its part is merged. So `serve` writes rows here first, which is one write and one sync, and to the
tables later, many at once (`store.pending`). A file is deleted when its rows are in the tables. What a
process that died has left is written to them by the next one that opens the store; rows that were there
already collapse.

A file holds records: length and CRC-32 of what follows (u32 each, little-endian), then an Arrow stream
whose schema says in its metadata which table it is for. A record that was cut off was acknowledged to nobody,
and ends the file. One that is not what was written, with others behind it, is damage: the others are
looked for by how a stream begins and by their CRC, and read, and the file is kept under another name.
"""

from __future__ import annotations

import os
import re
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from kubestray.model.errors import StoreError

_HEAD = struct.Struct("<II")
_TABLE = b"table"
_STREAM = re.compile(rb"\xff{4}...\x00", re.DOTALL)
"""What an Arrow stream begins with: a mark, and how long its schema is, which is less than 16 MiB."""

Record = tuple[str, pa.Table]
"""The name of a table, and rows for it."""


class Journal:
    """The files of one store, in ``folder``. Not safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = -1
        self._length = 0
        self._number = max((int(path.stem) for path in self.files()), default=0)

    def files(self) -> list[Path]:
        """Return the files there are, the oldest first; what is not named by a number is nobody's here."""
        files = (path for path in self._folder.glob("*.rows") if path.stem.isdecimal())
        return sorted(files, key=lambda path: int(path.stem))

    def append(self, records: Sequence[Record]) -> None:
        """Write records, one after the other; they are durable when this returns.

        Raises `StoreError`; then nothing of them counts, but for what a crash right after may leave.
        """
        if self._file < 0:
            self._begin()
        written = [_written(name, rows) for name, rows in records]
        try:
            for part in written:
                _write_all(self._file, part)
            os.fdatasync(self._file)
        except OSError as error:
            self._take_back()
            raise self._failure(error) from error
        self._length += sum(map(len, written))

    def turn(self) -> None:
        """End the file that is written to; the next record begins another one."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self, files: Sequence[Path]) -> None:
        """Delete files whose rows are in their tables."""
        for path in files:
            path.unlink(missing_ok=True)

    def set_aside(self, path: Path) -> Path:
        """Give a file a name by which it is not read again; return it."""
        aside = path.with_name(f"{path.stem}-{time.time_ns()}.damaged")
        path.rename(aside)
        return aside

    def _begin(self) -> None:
        """Begin a file; one whose place in its folder is not durable is none."""
        self._number += 1
        path = self._folder / f"{self._number:012d}.rows"
        file = -1
        try:
            self._folder.mkdir(exist_ok=True)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            for folder in (self._folder, self._folder.parent):
                _sync(folder)
        except OSError as error:
            if file >= 0:
                os.close(file)
                with suppress(OSError):
                    path.unlink()
            raise self._failure(error) from error
        self._file, self._length = file, 0

    def _take_back(self) -> None:
        """Cut off what was written of records that failed, or leave the file for another one."""
        try:
            os.ftruncate(self._file, self._length)
        except OSError:
            self.turn()

    def _failure(self, error: OSError) -> StoreError:
        told = f"points cannot be written to {self._folder}: {error.strerror}"
        return StoreError(f"{told}; look at the disk, and at who may write there")


def read(path: Path) -> Iterator[Record]:
    """Yield the records of a file that are whole, those behind a damaged one included."""
    for body in _bodies(path):
        if body is not None:
            rows = pa.ipc.open_stream(pa.py_buffer(body)).read_all()
            yield rows.schema.metadata[_TABLE].decode(), rows.replace_schema_metadata(None)


def is_damaged(path: Path) -> bool:
    """Return whether a record that is not whole has one behind it: it was durable, and something broke it."""
    broken = False
    for body in _bodies(path):
        if broken and body is not None:
            return True
        broken |= body is None
    return False


def _bodies(path: Path) -> Iterator[memoryview | None]:
    """Yield what the records hold, None for what is no record."""
    content = path.read_bytes()
    at = 0
    while at < len(content):
        body = _body(content, at)
        yield body
        at = _next(content, at + 1) if body is None else at + _HEAD.size + len(body)


def _body(content: bytes, at: int) -> memoryview | None:
    """Return what the record holds that begins at a place; None if none does that is as it was written."""
    if at + _HEAD.size > len(content):
        return None
    length, check = _HEAD.unpack_from(content, at)
    body = memoryview(content)[at + _HEAD.size : at + _HEAD.size + length]
    return body if 0 < length == len(body) and zlib.crc32(body) == check else None


def _next(content: bytes, start: int) -> int:
    """Return where the first record begins at a place or behind it; the end if there is none.

    The length of one that is damaged may be what is wrong, so it does not tell.
    """
    while found := _STREAM.search(content, start + _HEAD.size):
        start = found.start() - _HEAD.size
        if _body(content, start) is not None:
            return start
        start += 1
    return len(content)


def _written(name: str, rows: pa.Table) -> bytes:
    named = rows.replace_schema_metadata({_TABLE: name.encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, named.schema) as out:
        out.write_table(named)
    body = sink.getvalue()
    content: bytes = body.to_pybytes()
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def _write_all(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
