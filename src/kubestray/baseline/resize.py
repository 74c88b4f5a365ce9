"""A fleet with other entities: some are kept, in a new order, and new ones come after them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubestray.baseline.arrays import Arrays, Ints
from kubestray.baseline.stray import Stray

_OF_METRICS = ("residuals", "heights", "views", "ramps", "familiar")
"""Parts whose rows are metrics; those of the others are entities."""

Chosen = tuple[Ints, int]
"""Which rows to keep, and of how many."""


def resized(fleet: Stray, keep: Ints, more: Stray) -> Stray:
    """Return a fleet of the entities ``keep`` of one, in that order, and then those of ``more``.

    What is known of kept entities is as it was; the budget is that of ``fleet``.
    """
    number = np.full(fleet.entities, -1, dtype=np.int64)
    number[keep] = np.arange(len(keep))
    own = np.flatnonzero(number[fleet.entity] >= 0)
    rows = own[np.argsort(number[fleet.entity[own]], kind="stable")]
    entity = np.concatenate([number[fleet.entity[rows]], more.entity + len(keep)])
    step = np.concatenate([fleet.step[rows], more.step])
    made = Stray(entity, step, fleet.budget.per_day, fleet.direction, daily=fleet.familiar is not None)
    made.one_of_many, made.odd_counts_less = fleet.one_of_many, fleet.odd_counts_less
    made.residuals.far = fleet.residuals.far
    of_metrics, of_entities = (rows, len(fleet.step)), (keep, fleet.entities)
    into, new = made.parts(), more.parts()
    for name, part in fleet.parts().items():
        chosen = of_metrics if name in _OF_METRICS else of_entities
        into[name].load(_joined(part, new[name], chosen, of_entities))
    return made


def of_first(fleet: Stray, entities: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of the first entities of a fleet as ``PART.NAME``: views where they can be, as a
    large fleet is some hundred megabytes. Raise `ValueError` if the metrics of these do not come first.
    """
    own = fleet.entity < entities
    rows = int(own.sum())
    if not own[:rows].all():
        raise ValueError("the metrics of the first entities must come first")
    return {
        f"{name}.{field}": _first(part, field, entities if name not in _OF_METRICS else rows, entities)
        for name, part in fleet.parts().items()
        for field in part.fields + part.rows_first
    }


def _first(part: Arrays, name: str, rows: int, entities: int) -> NDArray[Any]:
    array: NDArray[Any] = getattr(part, name)
    if name in part.shared:
        return array
    rows = entities if name in part.of_entities else rows
    if name not in part.rows_first:
        split = array.reshape(*array.shape[:-1], part.copies, -1)[..., :rows]
        return split.reshape(*array.shape[:-1], -1)
    split = array.reshape(part.copies, -1, *array.shape[1:])[:, :rows]
    return split.reshape(-1, *array.shape[1:])


def _joined(part: Arrays, more: Arrays, chosen: Chosen, of_entities: Chosen) -> dict[str, NDArray[Any]]:
    """Return the arrays of the chosen rows of a part, and then those of another."""
    joined: dict[str, NDArray[Any]] = {}
    theirs = more.dump()
    for name, own in part.dump().items():
        if name in part.shared:
            joined[name] = own
            continue
        keep, rows = of_entities if name in part.of_entities else chosen
        axis = 0 if name in part.rows_first else own.ndim - 1
        copies = [np.split(array, part.copies, axis) for array in (own, theirs[name])]
        pairs = [(mine.take(keep, axis), new) for mine, new in zip(*copies, strict=True)]
        joined[name] = np.concatenate([array for pair in pairs for array in pair], axis)
        assert own.shape[axis] == rows * part.copies
    return joined
