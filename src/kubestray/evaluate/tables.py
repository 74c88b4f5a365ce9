"""A table of a data set, from Parquet or CSV, with its columns checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from kubestray.baseline.arrays import Floats, Ints
from kubestray.model.errors import UsageError

_LATEST = 1e11
"""The year 5138 in seconds, and 1973 in milliseconds."""


class Table:
    """Columns of a file; every error names the file."""

    def __init__(self, path: Path, table: Any) -> None:
        self.path, self._table = path, table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def has(self, name: str) -> bool:
        """Tell whether the file has a column."""
        return name in self._table.column_names

    def numbers(self, name: str, missing: bool = False) -> Floats:
        """Return a column as numbers; an empty value is NaN, and wrong unless it may be ``missing``."""
        column = self._column(name)
        try:
            numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise UsageError(f"{self.path}: the column {name!r} must be numbers: {error}") from error
        numbers = np.array(numbers, dtype=np.float64)
        if not missing and not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise UsageError(f"{self.path}: row {row + 1} of the column {name!r} is not a finite number")
        return numbers

    def moments(self, name: str) -> Floats:
        """Return a column of times in seconds since 1970; what can only be another unit is wrong."""
        moments = self.numbers(name)
        if (moments > _LATEST).any():
            row = int(np.argmax(moments > _LATEST))
            raise UsageError(
                f"{self.path}: row {row + 1} of the column {name!r} is {moments[row]:.0f}, which is no time "
                "in seconds since 1970; divide milliseconds by 1000"
            )
        return moments

    def texts(self, name: str) -> tuple[list[str], Ints]:
        """Return the distinct texts of a column, and which of them each row has."""
        encoded = pc.dictionary_encode(pc.fill_null(self._column(name).cast(pa.string()), ""))
        encoded = encoded.combine_chunks()
        indices: NDArray[Any] = encoded.indices.to_numpy(zero_copy_only=False)
        return encoded.dictionary.to_pylist(), indices.astype(np.int64)

    def listed(self, name: str) -> list[str]:
        """Return a column as texts, row by row."""
        texts, indices = self.texts(name)
        return [texts[index] for index in indices]

    def _column(self, name: str) -> Any:
        if not self.has(name):
            have = ", ".join(self._table.column_names)
            raise UsageError(f"{self.path}: there is no column {name!r}; it has {have}")
        column = self._table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return column


def read(directory: Path, name: str) -> Table | None:
    """Read ``name``.parquet or ``name``.csv of a directory; None if there is neither."""
    for path in (directory / f"{name}.parquet", directory / f"{name}.csv"):
        if path.is_file():
            return read_file(path)
    return None


def read_file(path: Path) -> Table:
    """Read a file of Parquet, by its name, or of CSV."""
    try:
        if path.suffix == ".parquet":
            return Table(path, pyarrow.parquet.read_table(path))
        return Table(path, pyarrow.csv.read_csv(path, convert_options=_as_text()))
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{path}: it cannot be read: {error}") from error


_TEXTS = ("series_id", "metric", "entity", "kind", "split", "src", "dst", "proto")


def _as_text() -> Any:
    """Say which columns of CSV are texts: a name such as 007 is no number."""
    return pyarrow.csv.ConvertOptions(
        column_types={name: pa.string() for name in _TEXTS}, strings_can_be_null=False
    )
