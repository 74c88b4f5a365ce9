"""State that lies in arrays, a row for each of what is learned about: the parts of a snapshot."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Singles: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = slice | Ints
"""Which rows a step is about: all of them, or some by number. All of them is a view, which is much faster."""

ALL = slice(None)


class Arrays:
    """A part of the state: every attribute that ``fields`` names is an array whose last axis is rows.

    ``rows_first`` names those whose first axis is rows, ``shared`` those that are of the fleet as a whole,
    and ``of_entities`` those whose rows are entities in a part whose rows are metrics. ``copies`` says how
    many streams each row has, one copy of all rows after the other.
    """

    fields: tuple[str, ...] = ()
    rows_first: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    of_entities: tuple[str, ...] = ()
    copies = 1

    def dump(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays by name."""
        return {name: np.array(getattr(self, name)) for name in self.fields + self.rows_first}

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the arrays of a dump in place of the own; those that it lacks stay as they are."""
        for name in self.fields + self.rows_first:
            if name in arrays:
                own = getattr(self, name)
                own[...] = arrays[name].astype(own.dtype, casting="same_kind")
