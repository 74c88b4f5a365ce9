"""Functions of the bits of whole numbers from 0 to 2⁵³-1; of any other number they are null."""

from __future__ import annotations

from functools import reduce

from kubestray.search.functions.base import Build, Environment
from kubestray.search.values import Shape, Value, as_number
from kubestray.store.trees import Tree, all_of, call, either, null, number

_ALL = 2**53 - 1


def combined(name: str) -> Build:
    """Make a function that combines all its arguments, two and two."""

    def build(a: list[Value], env: Environment) -> Value:
        return _number(reduce(lambda x, y: call(name, x, y), map(_bits, a)))

    return build


def inverted(a: list[Value], env: Environment) -> Value:
    """Invert the bits, and keep those of a mask."""
    mask = _bits(a[1]) if len(a) > 1 else call("toUInt64", number(_ALL))
    return _number(call("bitAnd", call("bitNot", _bits(a[0])), mask))


def shifted(name: str) -> Build:
    """Make a function that shifts bits; those that leave the 53 are lost."""

    def build(a: list[Value], env: Environment) -> Value:
        # The engine can shift by 63 bits at most; 53 leave nothing.
        places = _bits(a[1])
        moved = call(name, _bits(a[0]), either(call("greater", places, number(53)), number(53), places))
        return _number(call("bitAnd", moved, call("toUInt64", number(_ALL))))

    return build


def _bits(value: Value) -> Tree:
    given = as_number(value)
    valid = all_of(
        [
            call("greaterOrEquals", given, number(0)),
            call("lessOrEquals", given, number(float(_ALL))),
            call("equals", given, call("trunc", given)),
        ]
    )
    return either(valid, call("toUInt64", given), null())


def _number(bits: Tree) -> Value:
    return Value(Shape.NUMBER, call("toFloat64", bits))
