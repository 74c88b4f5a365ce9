"""The data directory of an embedded store: ours alone, and one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from kubestray.model.errors import StoreBusy, StoreError

_LOCK_NAME = "kubestray.lock"


class DirectoryLock:
    """Holds a directory for this process; the lock dies with the process, however that ends.

    The engine has a lock of its own, but can neither tell that it is taken from other troubles nor be
    asked who has it.
    """

    def __init__(self, directory: Path) -> None:
        """Make the directory and take it; raise `StoreBusy` if a process has it, else `StoreError`."""
        if "?" in str(directory):
            raise StoreError(
                f"the store {directory}: the engine takes no '?' in a path; choose another directory"
            )
        # What the engine writes, at any time and from any thread, is for this user only.
        os.umask(0o077)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(PermissionError):  # somebody else's folder that we may write to
                directory.chmod(0o700)
            self._file = (directory / _LOCK_NAME).open("a+", encoding="ascii")
        except OSError as error:
            raise StoreError(f"the store {directory} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise StoreBusy(f"the store {directory} is held by another process") from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let others have the directory."""
        self._file.close()


def holder(directory: Path) -> str:
    """Return the id of the process that has a directory, as it wrote it down."""
    try:
        return (directory / _LOCK_NAME).read_text(encoding="ascii").strip() or "unknown"
    except OSError:
        return "unknown"
