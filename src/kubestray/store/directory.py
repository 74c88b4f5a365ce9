"""The data directory of an embedded store: ours alone, and one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path
from typing import TextIO

from kubestray.model.errors import StoreBusy, StoreError

_LOCK_NAME = "kubestray.lock"

_held: dict[Path, tuple[TextIO, int]] = {}
"""The directories this process holds: the locked file, and how many engines share it."""
_guard = threading.Lock()


def take(directory: Path) -> None:
    """Hold a directory for this process until every `release` of it; makes it if it is not there.

    The lock dies with the process, however that ends. (The engine has one of its own, but can neither
    tell a taken lock from other troubles nor say who has it.) Raises `StoreBusy` if another process holds
    the directory, `StoreError` if it is no use.
    """
    if "?" in str(directory):
        raise StoreError(
            f"the store {directory}: the engine takes no '?' in a path; choose another directory"
        )
    with _guard:
        file, count = _held.get(directory, (None, 0))
        _held[directory] = (file or _locked(directory), count + 1)


def release(directory: Path) -> None:
    """Give up one hold of a directory; with the last one others may have it."""
    with _guard:
        file, count = _held.pop(directory)
        if count > 1:
            _held[directory] = (file, count - 1)
        else:
            file.close()


def check_links(directory: Path, database: str) -> None:
    """Raise `StoreError` if a directory that the engine refused is a copy without its symbolic links."""
    place = directory / "metadata" / database
    if place.is_dir() and not place.is_symlink():
        raise StoreError(
            f"the store {directory} is a copy in which folders stand where symbolic links were ({place}); "
            "copy the store again with what keeps links: cp -a, tar or rsync -a"
        )


def has(directory: Path, name: str) -> bool:
    """Return whether something of this name is in a directory; raise `StoreError` if we may not look."""
    try:
        return (directory / name).exists()
    except OSError as error:
        raise _unusable(directory, error) from error


def holder(directory: Path) -> str:
    """Return the id of the process that has a directory, as it wrote it down."""
    try:
        return (directory / _LOCK_NAME).read_text(encoding="ascii").strip() or "unknown"
    except OSError:
        return "unknown"


def _locked(directory: Path) -> TextIO:
    # What the engine writes, at any time and from any thread, is for this user only.
    os.umask(0o077)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # somebody else's folder that we may write to
            directory.chmod(0o700)
        file = (directory / _LOCK_NAME).open("a+", encoding="ascii")
    except OSError as error:
        raise _unusable(directory, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise StoreBusy(f"the store {directory} is held by another process") from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _unusable(directory: Path, error: OSError) -> StoreError:
    """Tell why a directory is no use, and what to do: most often it is another user's."""
    told = f"the store {directory} cannot be used: {error.strerror}"
    if isinstance(error, PermissionError):
        return StoreError(f"{told}; run this as the user that runs serve, or give --store another directory")
    if isinstance(error, FileExistsError | NotADirectoryError):
        return StoreError(f"{told}, and it is no directory; give --store a directory")
    return StoreError(told)
