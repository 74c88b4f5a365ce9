"""Places: values rounded so that few digits are left, which sketches count (`store.sketches`).

A value's *place* is the value rounded to seven binary digits, as a whole number that orders as values do:
negative ones below zero, zero in the middle, each power of two and each whole number up to 128 a place of its
own. So what stands at a place is within `ERROR` of every value there, whatever its size and sign; closer to
zero than 2.3e-308 within 2e-310.

On their way through a statement a place and how many values are there are one number, an *element*.
"""

from __future__ import annotations

import math

from kubestray.store.trees import Tree, array, call, column, either, lambda_, number, unsigned

_DIGITS = 7
ERROR = 2.0**-_DIGITS
"""How far the value of a place may be from a value there, as a share of that."""

ERROR_TOLD = f"{math.ceil(ERROR * 1000) / 10:g} %"
"""The same for people, rounded up."""

_DROPPED = 53 - _DIGITS  # of the binary digits of a double
_LAST = (2047 << (_DIGITS - 1)) - 1  # the place of the largest double
_ZERO = 1 << 17  # what is added to a place in an element: none is below zero then
_COUNT_DIGITS = 45  # of an element: 35 trillion points


def place(value: Tree) -> Tree:
    """Return the place of a value."""
    half = unsigned(1 << (_DROPPED - 1))
    bits = call("plus", call("reinterpretAsUInt64", call("abs", value)), half)
    size = call("toInt32", call("least", call("bitShiftRight", bits, number(_DROPPED)), unsigned(_LAST)))
    return either(call("less", value.copy(), number(0)), call("negate", size), size.copy())


def element(at: Tree, count: Tree) -> Tree:
    """Return a place and how many values are there as one number, which orders as places do."""
    shifted = call("bitShiftLeft", call("toUInt64", call("plus", at, number(_ZERO))), number(_COUNT_DIGITS))
    return call("plus", shifted, call("toUInt64", count))


def count_of(made: Tree) -> Tree:
    """Return how many values an element stands for."""
    return call("bitAnd", made, unsigned((1 << _COUNT_DIGITS) - 1))


def value_of(made: Tree) -> Tree:
    """Return the value of the place of an element."""
    at = place_of(column("e"))
    bits = call("bitShiftLeft", call("toUInt64", call("abs", at)), number(_DROPPED))
    value = call("multiply", call("sign", at.copy()), call("reinterpretAsFloat64", bits))
    # A map over one: the element, which takes long to say, is said once.
    return call("arrayElement", call("arrayMap", lambda_("e", value), array([made])), number(1))


def place_of(made: Tree) -> Tree:
    """Return the place of an element."""
    at = call("toInt32", call("bitShiftRight", made, number(_COUNT_DIGITS)))
    return call("minus", at, number(_ZERO))
