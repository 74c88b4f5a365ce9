"""How a table of points holds values: in columns that compress as far as what is in them allows.

==============  ====================================================================================
column          what
==============  ====================================================================================
``whole``       the value, where it is a whole number (and is not in ``counted``), else 0
``counted``     how many steps a value is, where what matters is how it differs from the one before, else 0
``bits``        the 64 bits of a double: of the value itself, if ``whole`` and ``counted`` do not hold it; of
                how many steps make one, if ``counted`` does and they are not ones; else 0
==============  ====================================================================================

What a counter has grown by is a small number, where the counter is not. Seconds of a processor come in
hundredths or in nanoseconds, and as doubles of these none is like the one before; as a number of steps,
divided by how many make one, they come back to the last bit, or are not held so. All of it follows from the
point itself, so that one that is sent again is the same row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kubestray.model.metric import CLIMBING, Batch

WHOLE, COUNTED, BITS = "whole", "counted", "bits"

COLUMNS = f"""{WHOLE} Int64 CODEC(ZSTD(3)),
    {COUNTED} Int64 CODEC(Delta(8), T64, ZSTD(1)),
    {BITS} UInt64 CODEC(Delta(8), T64('bit'), ZSTD(1)),
    value Float64 ALIAS if({BITS} = 0, toFloat64({WHOLE} + {COUNTED}),
        if({COUNTED} = 0, reinterpretAsFloat64({BITS}), {COUNTED} / reinterpretAsFloat64({BITS})))"""
"""The columns in the statement that makes a table, and the value that they hold.

As numbers, whole ones compress better than as doubles. Of other values the engine can put the first bits of
many together, then their second ones, and so on; half of these are alike.
"""

_STEPS = (100.0, 1e9)
"""How many steps make one: what kernels and container runtimes count by."""

_GROWN = 300 * 10**9
"""A point that tells of more nanoseconds than this is a counter's: one of a difference tells of less."""

_SECONDS = frozenset({"time", "seconds", "duration", "uptime"})

_LARGEST = 2.0**63
"""Whole numbers below it can be held as such, without loss."""

_EXACT = 2.0**53
"""Numbers of steps below it are doubles, each of them."""

KEY = f"{WHOLE}, {COUNTED}, {BITS}"
"""What is the same where the value is: rows are collapsed by it."""

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Columns = dict[str, npt.NDArray[Any]]


def value_columns(batch: Batch, metric: I32, names: Sequence[str], columns: Sequence[str]) -> Columns:
    """Return values as a table with these columns holds them; one that was made before has fewer.

    ``metric`` i32[n] is the place of each point's metric in ``names``. Minus zero is held as zero, as the
    two are equal.
    """
    if BITS not in columns:
        return {"value": batch.value}
    values = batch.value + 0.0
    bits = values.view(np.uint64)
    if WHOLE not in columns:
        return {BITS: bits}
    are_whole = (np.abs(values) < _LARGEST) & (np.trunc(values) == values)
    if COUNTED not in columns:
        return {WHOLE: _number(values, are_whole), BITS: np.where(are_whole, np.uint64(0), bits)}
    return _in_steps(values, are_whole, *_likely(batch, metric, names))


def _likely(batch: Batch, metric: I32, names: Sequence[str]) -> tuple[Flags, Flags]:
    """Return which points are likely counters', and which tell of seconds: bool[n] each."""
    climbing = np.array([name.endswith(CLIMBING) for name in names], np.bool_)
    seconds = np.array([not _SECONDS.isdisjoint(re.split(r"[._]", name)) for name in names], np.bool_)
    # Where the start is later than the point, the difference is very large: a counter's all the same.
    grown = (batch.start > 0) & (batch.time - batch.start > np.uint64(_GROWN))
    return grown | climbing[metric], seconds[metric]


def _in_steps(values: F64, are_whole: Flags, counters: Flags, seconds: Flags) -> Columns:
    """Return values f64[n] in the columns of a new table, counters in steps where these are exact."""
    ones = are_whole & counters & ~seconds
    whole, counted = _number(values, are_whole & ~ones), _number(values, ones)
    bits = np.where(are_whole, np.uint64(0), values.view(np.uint64))
    left = np.flatnonzero(counters & seconds)
    for size in _STEPS:
        with np.errstate(over="ignore"):  # what becomes infinite is not held so
            number = np.rint(values[left] * size)
        exact = (np.abs(number) < _EXACT) & (number / size == values[left]) & (number != 0)
        held, left = left[exact], left[~exact]
        whole[held], counted[held] = 0, number[exact].astype(np.int64)
        bits[held] = np.float64(size).view(np.uint64)
    return {WHOLE: whole, COUNTED: counted, BITS: bits}


def _number(values: F64, chosen: Flags) -> npt.NDArray[np.int64]:
    return np.where(chosen, values, 0.0).astype(np.int64)
