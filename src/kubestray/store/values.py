"""How a table of points holds values: in columns that compress as far as what is in them allows.

==============  ====================================================================================
column          what
==============  ====================================================================================
``byte_0``      how many steps the value is: of that number the lowest eight bits; 0 where ``counted`` says
                so, or no number of steps is the value
``byte_1``      the eight bits above these
``byte_2``      the eight bits above these
``above``       the 40 bits above these, with the sign
``counted``     the whole number where what matters is how it differs from the one before, else 0
``bits``        the 64 bits of a double: of how many steps make one, 0 where they are ones; where neither
                the bytes nor ``counted`` hold the value, of the value itself
==============  ====================================================================================

The bytes of a number have little to do with each other: the lowest is noise or moves a little, the highest
stay. Apart, each is compressed by what it is. What a counter has grown by is a small number, where the
counter is not. Seconds of a processor come in hundredths or in nanoseconds, what exporters round in tenths to
thousandths, and as doubles of these none is like the one before; as a number of steps, divided by how many
make one, they come back to the last bit, or are not held so. All of it follows from the point itself: one
that is sent again is the same row.

Tables that were made before have ``number`` in one column, or ``whole`` for it, always in ones, or fewer
columns still.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kubestray.model.metric import CLIMBING, Batch

BYTES = ("byte_0", "byte_1", "byte_2")
ABOVE, COUNTED, BITS = "above", "counted", "bits"
NUMBER, WHOLE = "number", "whole"
HOLDING = (*BYTES, ABOVE, COUNTED, BITS)
"""The columns that hold values in a new table."""

ONCE_HOLDING = (NUMBER, WHOLE)
"""Those that tables of before have in place of some."""

_BYTE = "UInt8 CODEC(Delta(1), ZSTD(1))"
_NUMBER = f"({BYTES[0]} + 256 * {BYTES[1]} + 65536 * {BYTES[2]} + 16777216 * {ABOVE} + {COUNTED})"

COLUMNS = f"""{", ".join(f"{name} {_BYTE}" for name in BYTES)},
    {ABOVE} Int64 CODEC(ZSTD(3)),
    {COUNTED} Int64 CODEC(Delta(8), T64, ZSTD(1)),
    {BITS} UInt64 CODEC(Delta(8), T64('bit'), ZSTD(1)),
    value Float64 ALIAS if({BITS} = 0, toFloat64({_NUMBER}), if({_NUMBER} = 0, reinterpretAsFloat64({BITS}),
        {_NUMBER} / reinterpretAsFloat64({BITS})))"""
"""The columns in the statement that makes a table, and the value that they hold.

Bytes are compressed after a difference to the one before, which is small for what moves slowly and costs a
twelfth of noise (`docs/decisions/0043-bytes-of-numbers.md` has the figures). Of values that are no number of
steps the engine can put the first bits of many together, then their second ones, and so on; half of these
are alike.
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

KEY = ", ".join(HOLDING)
"""What is the same where the value is: rows are collapsed by it."""

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
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
    if not {ABOVE, NUMBER, WHOLE} & set(columns):
        return {BITS: bits}
    are_whole = (np.abs(values) < _LARGEST) & (np.trunc(values) == values)
    if COUNTED not in columns:
        return {WHOLE: _number(values, are_whole), BITS: np.where(are_whole, np.uint64(0), bits)}
    likely = _likely(batch, metric, names)
    decimals = () if WHOLE in columns else _DECIMAL_STEPS
    number, counted, bits = _in_steps(values, are_whole, *likely, decimals)
    rest = {COUNTED: counted, BITS: bits}
    if ABOVE not in columns:
        return {WHOLE if WHOLE in columns else NUMBER: number, **rest}
    apart = number.astype("<i8").view(np.uint8).reshape(-1, 8)
    return {**{name: apart[:, place].copy() for place, name in enumerate(BYTES)}, ABOVE: number >> 24, **rest}


def _likely(batch: Batch, metric: I32, names: Sequence[str]) -> tuple[Flags, Flags]:
    """Return which points are likely counters', and which tell of seconds: bool[n] each."""
    climbing = np.array([name.endswith(CLIMBING) for name in names], np.bool_)
    seconds = np.array([not _SECONDS.isdisjoint(re.split(r"[._]", name)) for name in names], np.bool_)
    # Where the start is later than the point, the difference is very large: a counter's all the same.
    grown = (batch.start > 0) & (batch.time - batch.start > np.uint64(_GROWN))
    return grown | climbing[metric], seconds[metric]


def _in_steps(
    values: F64, are_whole: Flags, counters: Flags, seconds: Flags, decimals: Sequence[float]
) -> tuple[I64, I64, U64]:
    """Return values f64[n] as a number, as counted and as bits, each [n], in steps where these are exact.

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
    return number, counted, bits


def _number(values: F64, chosen: Flags) -> I64:
    return np.where(chosen, values, 0.0).astype(np.int64)
