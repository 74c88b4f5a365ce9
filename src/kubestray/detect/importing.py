"""Takes content of others into a folder of one's own: files as they are, in the places that they had."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubestray.detect.loader import content_files
from kubestray.model.errors import KubestrayError

_ROWS = ".csv"
"""The rows of a lookup, which lie beside its file."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The files that were made, and how many were there already as they are."""

    files: list[Path]
    unchanged: int


def import_content(paths: Sequence[Path], folder: Path) -> Imported:
    """Copy the content files of folders, each to the same place below ``folder``; single files to its top.

    Nothing is copied, and `KubestrayError` raised, if one of them would take the place of another file; it is
    raised too where the folder cannot be written.
    """
    new: dict[Path, Path] = {}
    unchanged = 0
    for source, place in dict(_sources(paths)).items():
        target = folder / place
        there = new.get(target, target)
        if not there.exists():
            new[target] = source
        elif there.read_bytes() == source.read_bytes():
            unchanged += there == target
        else:
            raise KubestrayError(
                f"{source} cannot be imported to {target}: {there} goes there and differs; nothing was "
                "imported, rename one of them"
            )
    try:
        for target, source in new.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    except OSError as error:
        raise KubestrayError(f"{folder} cannot be written: {error.strerror}") from error
    return Imported(list(new), unchanged)


def _sources(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield files and their places below the folder they go to."""
    for path in paths:
        root = path if path.is_dir() else path.parent
        for file in content_files(path):
            yield file, file.relative_to(root)
            for rows in sorted(file.parent.glob(f"*{_ROWS}")) if path.is_dir() else [file.with_suffix(_ROWS)]:
                if rows.is_file():
                    yield rows, rows.relative_to(root)
