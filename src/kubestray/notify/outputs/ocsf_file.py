"""OCSF Detection Findings (1.5, class 2004) to a file, one line of JSON a change.

When the file is full it becomes ``PATH.1``, that ``PATH.2`` and so on. A line is on disk before it counts as
delivered. A line that a crash left unfinished is taken away before the next is written, and the last line is
not written again.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from kubestray.notify import ocsf
from kubestray.notify.notice import Notice
from kubestray.notify.output import Key, NotDelivered, Output

_BLOCK = 1 << 16


class OcsfFile(Output):
    """Appends each change."""

    keys = (
        Key("path", "path", "The file; its folder is made if it is not there.", None),
        Key("max_size", "size", "How large it may become.", "64MiB"),
        Key("keep", "count", "How many full files are kept; the oldest goes.", "10"),
    )
    announces = False

    @property
    def where(self) -> str:
        """The file."""
        return str(self._path)

    @property
    def _path(self) -> Path:
        return Path(self._values["path"])

    def deliver(self, notice: Notice) -> None:
        """Append one line; it is on disk when this returns."""
        line = ocsf.line(notice) + b"\n"
        try:
            with self._opened() as file:
                if _ends_with(file, notice.uid) or self._was_put_aside(file, notice.uid):
                    return
                self._append(file, line)
                if file.tell() >= self._values["max_size"]:
                    self._rotate()
        except OSError as error:
            raise NotDelivered(f"{self._path}: cannot be written: {error.strerror or error}") from error

    def _was_put_aside(self, file: BinaryIO, uid: str) -> bool:
        """Tell whether the line of a change is the last of the full file before this one, which is empty."""
        if file.seek(0, os.SEEK_END):
            return False
        with suppress(FileNotFoundError), self._numbered(1).open("r+b", buffering=0) as full:
            return _ends_with(full, uid)
        return False

    def _opened(self) -> BinaryIO:
        """Open the file, for us alone: another process may be writing to it, or have put it aside."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            file = os.fdopen(descriptor, "r+b", buffering=0)
            fcntl.flock(file, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if self._path.stat().st_ino == os.fstat(descriptor).st_ino:
                    return file
            file.close()

    def _append(self, file: BinaryIO, line: bytes) -> None:
        end = _finished(file)
        try:
            file.seek(end)
            written = file.write(line)
            if written != len(line):
                raise OSError(None, "only a part of the line was taken")
            os.fsync(file.fileno())
            if end == 0:
                _sync_folder(self._path)
        except OSError:
            with suppress(OSError):
                file.truncate(end)
            raise

    def _rotate(self) -> None:
        keep = self._values["keep"]
        if keep == 0:
            self._path.unlink()
        for number in range(keep - 1, -1, -1):
            older = self._numbered(number)
            with suppress(FileNotFoundError):
                older.replace(self._numbered(number + 1))
        _sync_folder(self._path)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _finished(file: BinaryIO) -> int:
    """Return where the last whole line ends; what follows it was left by a crash."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        block = file.read(end - start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    file.truncate(end)
    return end


def _ends_with(file: BinaryIO, uid: str) -> bool:
    """Tell whether the last whole line is that of a change: a crash came after it and before it was noted."""
    end = _finished(file)
    start = end - 1
    block = b""
    while start > 0 and b"\n" not in block[:-1]:
        start = max(0, start - _BLOCK)
        file.seek(start)
        block = file.read(end - start)
    last = block.rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return bool(last) and json.loads(last)["metadata"]["uid"] == uid
    except (ValueError, KeyError, TypeError):
        return False


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
