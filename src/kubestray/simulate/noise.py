"""Random numbers that can be drawn in any order.

A number is a hash of (key, index), so no state is walked: the noise of one series over one hour is
the same whether that hour is generated alone, in a month, or in pieces. A counter-based generator
such as Philox gives the same promise, but as one generator object for each series and block; a hash
is one array expression over all series and times at once.

Indices are seconds since the epoch, or the numbers of longer intervals. Arrays are ``[series, time]``.
"""

from __future__ import annotations

import hashlib
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]

# The constants of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

# The normal quantile at the middle of 2^14 equal slices: fits the cache, reaches 4 standard deviations.
_NORMAL_BITS = 14
_NORMAL: F64 = np.array([NormalDist().inv_cdf((i + 0.5) / 2**_NORMAL_BITS) for i in range(2**_NORMAL_BITS)])


def key(*parts: object) -> int:
    """Return the 64-bit key of a path of names, such as ``key(seed, "edge", source, dest)``."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(4, "little") + text)
    return int.from_bytes(digest.digest(), "little")


def keys(values: list[int]) -> U64:
    """Return keys as a column, u64[series, 1], ready to broadcast over times."""
    return np.array(values, dtype=np.uint64).reshape(-1, 1)


def derive(column: U64, purpose: str) -> U64:
    """Return keys for another, independent use of the same series."""
    return _mixed(column ^ np.uint64(key(purpose)))


def bits(column: U64, index: I64) -> U64:
    """Return 64 random bits for every (key, index); the arguments broadcast."""
    return _mixed(column + index.astype(np.uint64) * _GOLDEN)


def _mixed(z: U64) -> U64:
    z = z ^ (z >> np.uint64(30))
    z *= _MIX_1
    z ^= z >> np.uint64(27)
    z *= _MIX_2
    z ^= z >> np.uint64(31)
    return z


def normal_of(random: U64) -> F64:
    """Return standard normal numbers from the upper bits."""
    return np.take(_NORMAL, random >> np.uint64(64 - _NORMAL_BITS))


def uniform_of(random: U64) -> F64:
    """Return numbers in [0, 1) from the lower 32 bits, independent of `normal_of` the same bits."""
    return (random & np.uint64(0xFFFFFFFF)).astype(np.float64) * 2.0**-32


def smooth(column: U64, seconds: I64, period: int) -> F64:
    """Return standard normal noise that changes over about ``period`` seconds.

    ``seconds`` is i64[n], ascending, the same for all series, or i64[series, n]. Independent knots
    every ``period`` seconds are joined by straight lines, rescaled so that the variance is one everywhere.
    """
    knot, into = np.divmod(seconds, period)
    right = into / period
    scale = 1.0 / np.sqrt(right * right + (1.0 - right) * (1.0 - right))
    before, after = _knots(column, knot)
    before *= (1.0 - right) * scale
    after *= right * scale
    before += after
    return before


def _knots(column: U64, knot: I64) -> tuple[F64, F64]:
    if knot.ndim == 2:
        return normal_of(bits(column, knot)), normal_of(bits(column, knot + 1))
    table = normal_of(bits(column, np.arange(knot[0], knot[-1] + 2)))
    at = knot - knot[0]
    return np.take(table, at, axis=1), np.take(table, at + 1, axis=1)


def pick(key_value: int, count: int) -> int:
    """Return one of ``range(count)``."""
    return key_value % count


def chance(key_value: int) -> float:
    """Return a number in [0, 1) made from a key."""
    return (key_value >> 11) * 2.0**-53


def between(key_value: int, low: float, high: float) -> float:
    """Return a number in [low, high) made from a key."""
    return low + (high - low) * chance(key_value)
