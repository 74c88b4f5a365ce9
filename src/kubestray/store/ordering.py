"""Points in the order that the table has them in, each once: the engine then has nothing left to sort.

Sorting here takes a fraction of what the engine takes for it: ids are sorted as numbers, and all the
rest of the key is one small number, for which there is a sort that counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kubestray.model.metric import Batch
from kubestray.store.point_tables import BLOCK_NS, DAY_NS
from kubestray.store.values import I32, value_columns

MOST_DAYS = 90
"""The engine refuses an INSERT that touches more than 100 partitions."""

_BITS = 64

_COUNTED = 2**15  # numbers of 16 bits are sorted by counting them


def in_order(batch: Batch, metric: I32, names: Sequence[str], values: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of ``samples`` in tables of at most `MOST_DAYS` days.

    ``metric`` i32[n] is the place of each point's metric in ``names``. ``values`` are the columns that hold
    values in the table, see `value_columns`; it is in their order.
    """
    for part in _by_days(batch.time):
        time = batch.time[part]
        numbers, present = _by_name(metric[part], names)
        points = Batch({}, batch.series_id[part], time, batch.start[part], batch.value[part])
        held = value_columns(points, numbers, present, values)
        order = _order(numbers, points.series_id, time, list(held.values()))
        yield pa.table(
            {
                "metric": pa.DictionaryArray.from_arrays(pa.array(numbers[order]), pa.array(present)),
                "series_id": pa.array(points.series_id[order]),
                "time": pa.array(time[order]),
                "start": pa.array(points.start[order]),
                **{name: pa.array(column[order]) for name, column in held.items()},
            }
        )


def received(batch: Batch, metric: I32, names: Sequence[str]) -> pa.Table:
    """Return points as they came, in columns that `joined` makes points of again; see `in_order`."""
    numbers, present = _by_name(metric, names)
    return pa.table(
        {
            "metric": pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(present, pa.string())),
            "series_id": pa.array(batch.series_id),
            "time": pa.array(batch.time),
            "start": pa.array(batch.start),
            "value": pa.array(batch.value),
        }
    )


def joined(tables: Sequence[pa.Table]) -> tuple[Batch, I32, list[str]]:
    """Return the points of several tables as `in_order` takes them; their series are not told."""
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    columns = [table.column(name).to_numpy() for name in ("series_id", "time", "start", "value")]
    metric = table.column("metric").chunk(0)
    return Batch({}, *columns), metric.indices.to_numpy(), metric.dictionary.to_pylist()


def _by_days(time: npt.NDArray[np.uint64]) -> Iterator[slice | npt.NDArray[np.bool_]]:
    """Cut points so that no part touches more days than one INSERT may."""
    if int(time.max()) // DAY_NS - int(time.min()) // DAY_NS < MOST_DAYS:
        yield slice(None)
        return
    days = time // np.uint64(DAY_NS)
    distinct = np.unique(days)
    for start in range(0, len(distinct), MOST_DAYS):
        chunk = distinct[start : start + MOST_DAYS]
        yield (days >= chunk[0]) & (days <= chunk[-1])


def _by_name(metric: I32, names: Sequence[str]) -> tuple[I32, list[str]]:
    """Return metrics numbered in the order of their names, and these names."""
    present = np.flatnonzero(np.bincount(metric, minlength=len(names)))
    ordered = sorted(present.tolist(), key=lambda number: names[number].encode())
    renumbered = np.zeros(len(names), np.int32)
    renumbered[ordered] = np.arange(len(ordered), dtype=np.int32)
    return renumbered[metric], [names[number] for number in ordered]


def _order(
    metric: I32,
    ids: npt.NDArray[np.uint64],
    time: npt.NDArray[np.uint64],
    values: Sequence[npt.NDArray[Any]],
) -> npt.NDArray[np.int64]:
    """Return the places of points by metric, block, series, time and value; of the same points the last."""
    outer: npt.NDArray[np.integer] = metric
    first = int(time.min()) // BLOCK_NS
    number = int(time.max()) // BLOCK_NS - first + 1
    if number > 1:
        outer = metric.astype(np.int64) * number + (time // np.uint64(BLOCK_NS)).astype(np.int64) - first
    order = np.argsort(ids)
    ordered = ids[order]
    repeats = ordered[1:] == ordered[:-1]
    if not repeats.any():
        return order[np.argsort(_small(outer)[order], kind="stable")]
    # A series has several points here: usual where points have waited for others, and in files.
    quick = _by_one_number(outer, order, repeats, time)
    if quick is not None:
        return quick
    order = np.lexsort((*reversed(values), time, ids))
    order = order[np.argsort(_small(outer)[order], kind="stable")]
    same = np.ones(len(order), np.bool_)
    for column in (ids, time, *values):  # which series it is says which metric, and the time which block
        same[:-1] &= column[order][1:] == column[order][:-1]
    same[-1] = False
    return order[~same]


def _small(numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    return numbers.astype(np.int16) if int(numbers.max()) < _COUNTED else numbers


def _by_one_number(
    outer: npt.NDArray[np.integer],
    by_id: npt.NDArray[np.int64],
    repeats: npt.NDArray[np.bool_],
    time: npt.NDArray[np.uint64],
) -> npt.NDArray[np.int64] | None:
    """Sort by metric, block, series and time as one number; None if that has over 64 bits, or two share it.

    ``by_id`` are the points' places in the order of their series, ``repeats`` tells which of these, but for
    the first, are of the same series as the one before.
    """
    first = time.min()
    series = np.zeros(len(by_id), np.uint64)
    series[by_id[1:]] = np.cumsum(~repeats, dtype=np.uint64)
    bits = [int(most).bit_length() for most in (outer.max(), series[by_id[-1]], time.max() - first)]
    if sum(bits) > _BITS:
        return None
    number = ((outer.astype(np.uint64) << np.uint64(bits[1])) | series) << np.uint64(bits[2]) | (time - first)
    order = np.argsort(number)
    ordered = number[order]
    return None if (ordered[1:] == ordered[:-1]).any() else order
