"""How a table of points holds values: in columns that compress as far as what is in them allows.

==============  ====================================================================================
column          what
==============  ====================================================================================
``number``      how many steps the value is; 0 where ``counted`` says so, or no number of steps is the value
``counted``     the same where what matters is how it differs from the one before, else 0
``bits``        the 64 bits of a double: of how many steps make one, 0 where they are ones; where neither
                ``number`` nor ``counted`` holds the value, of the value itself
==============  ====================================================================================

What a counter has grown by is a small number, where the counter is not. Seconds of a processor come in
hundredths or in nanoseconds, what exporters round in tenths to thousandths, and as doubles of these none is
like the one before; as a number of steps, divided by how many make one, they come back to the last bit, or
are not held so. All of it follows from the point itself: one that is sent again is the same row.

Tables that were made before have ``whole`` for ``number``, always in ones, or fewer columns still.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kubestray.model.metric import CLIMBING, Batch

NUMBER, COUNTED, BITS = "number", "counted", "bits"
WHOLE = "whole"

COLUMNS = f"""{NUMBER} Int64 CODEC(ZSTD(3)),
    {COUNTED} Int64 CODEC(Delta(8), T64, ZSTD(1)),
    {BITS} UInt64 CODEC(Delta(8), T64('bit'), ZSTD(1)),
    value Float64 ALIAS if({BITS} = 0, toFloat64({NUMBER} + {COUNTED}),
        if({NUMBER} = 0 AND {COUNTED} = 0, reinterpretAsFloat64({BITS}),
            ({NUMBER} + {COUNTED}) / reinterpretAsFloat64({BITS})))"""
"""The columns in the statement that makes a table, and the value that they hold.

As numbers, whole ones compress better than as doubles. Of other values the engine can put the first bits of
many together, then their second ones, and so on; half of these are alike.
"""

_SECONDS_STEPS = (100.0, 1e9)
"""How many steps of seconds make one: what kernels and container runtimes count by."""

_DECIMAL_STEPS = (1e3, 1e6, 1e9)
"""How many steps make one of what is rounded: fewer sizes, as values of a series that take several of them
are held apart from each other."""

_GROWN = 300 * 10**9
"""A point that tells of more nanoseconds than this is a counter's: one of a difference tells of less."""

_SECONDS = frozenset({"time", "seconds", "duration", "uptime"})

_LARGEST = 2.0**63
"""Whole numbers below it can be held as such, without loss."""

_EXACT = 2.0**53
"""Numbers of steps below it are doubles, each of them."""

KEY = f"{NUMBER}, {COUNTED}, {BITS}"
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
    if WHOLE not in columns and NUMBER not in columns:
        return {BITS: bits}
    are_whole = (np.abs(values) < _LARGEST) & (np.trunc(values) == values)
    if COUNTED not in columns:
        return {WHOLE: _number(values, are_whole), BITS: np.where(are_whole, np.uint64(0), bits)}
    likely = _likely(batch, metric, names)
    if NUMBER in columns:
        return _in_steps(values, are_whole, *likely, _DECIMAL_STEPS)
    held = _in_steps(values, are_whole, *likely, ())
    return {WHOLE: held[NUMBER], COUNTED: held[COUNTED], BITS: held[BITS]}


def _likely(batch: Batch, metric: I32, names: Sequence[str]) -> tuple[Flags, Flags]:
    """Return which points are likely counters', and which tell of seconds: bool[n] each."""
    climbing = np.array([name.endswith(CLIMBING) for name in names], np.bool_)
    seconds = np.array([not _SECONDS.isdisjoint(re.split(r"[._]", name)) for name in names], np.bool_)
    # Where the start is later than the point, the difference is very large: a counter's all the same.
    grown = (batch.start > 0) & (batch.time - batch.start > np.uint64(_GROWN))
    return grown | climbing[metric], seconds[metric]


def _in_steps(
    values: F64, are_whole: Flags, counters: Flags, seconds: Flags, decimals: Sequence[float]
) -> Columns:
    """Return values f64[n] in the columns of a new table, in steps where these are exact.

    Seconds of counters are always tried; ``decimals`` are the steps of other values that are not whole.
    """
    timed = counters & seconds
    in_ones = are_whole & counters & ~timed
    number, counted = _number(values, are_whole & ~in_ones), _number(values, in_ones)
    bits = np.where(are_whole, np.uint64(0), values.view(np.uint64))
    for chosen, sizes in ((timed, _SECONDS_STEPS), (~are_whole & ~timed, decimals)):
        left = np.flatnonzero(chosen)
        for size in sizes:
            with np.errstate(over="ignore"):  # what becomes infinite is not held so
                steps = np.rint(values[left] * size)
            exact = (np.abs(steps) < _EXACT) & (steps / size == values[left]) & (steps != 0)
            held, left = left[exact], left[~exact]
            grown = counters[held]
            number[held] = np.where(grown, 0, steps[exact])
            counted[held] = np.where(grown, steps[exact], 0)
            bits[held] = np.float64(size).view(np.uint64)
    return {NUMBER: number, COUNTED: counted, BITS: bits}


def _number(values: F64, chosen: Flags) -> npt.NDArray[np.int64]:
    return np.where(chosen, values, 0.0).astype(np.int64)
