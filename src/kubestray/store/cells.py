"""Cells: numbers alike to 18 binary digits, so that large values that move little keep their spread.

A variance in doubles loses what the values have in common: near 1e12, what moves by 1 has it right to 4
digits, and states that are merged have it otherwise than points do. What is left of each value beyond the
middle of its cell is small and exact. Where all values are in one cell, their variance is that of what is
left; where they are in several, they move by so much that their own is as exact.

Which cell a value is in depends on the value alone, so that states of what is left merge as any others do.
"""

from __future__ import annotations

from kubestray.store.trees import Tree, all_of, call, either, number, text

_DROPPED = 35
"""Bits of a double (53 digits) that make no difference to its cell."""


def remainder(value: Tree) -> Tree:
    """Return what is left of a value beyond the middle of its cell, exactly."""
    middle = call("reinterpretAsFloat64", call("bitShiftLeft", _cell(value), number(_DROPPED)))
    return call("minus", value.copy(), middle)


def variance(spread: Tree, near: Tree, least: Tree, most: Tree) -> Tree:
    """Return the variance of values, or its root, given that of the values (``spread``) and of what is left
    (``near``), and the least and the most of them.
    """
    # What was kept before there was ``near``, or of several cells, is no number (`in_one_cell`).
    return either(all_of([_alike(least, most), call("isFinite", near)]), near.copy(), spread)


def in_one_cell(near: Tree, least: Tree, most: Tree) -> Tree:
    """Return the state of what is left for values of one cell; for others one that is never a number.

    It would serve for nothing there, and noise takes room on disk.
    """
    return either(_alike(least, most), near, NOT_A_NUMBER.copy())


NOT_A_NUMBER: Tree = call("initializeAggregation", text("varSampStableState"), call("toFloat64", text("nan")))
"""The state of what is left that makes all it is merged with no number either."""


def _cell(value: Tree) -> Tree:
    """Return the number of the cell of a value, the nearest by its middle."""
    half = number(1 << (_DROPPED - 1))
    bits = call("plus", call("reinterpretAsUInt64", value.copy()), half)
    return call("bitShiftRight", bits, number(_DROPPED))


def _alike(least: Tree, most: Tree) -> Tree:
    return call("equals", _cell(least), _cell(most))
