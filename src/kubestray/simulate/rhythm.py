"""The hours of the day and the days of the week, as workloads feel them. All times are UTC."""

from __future__ import annotations

from typing import Final

import numpy as np

from kubestray.simulate.noise import F64, I64

HOUR: Final = 3600
DAY: Final = 86_400
WEEK: Final = 7 * DAY
_EPOCH_WEEKDAY: Final = 3  # 1 January 1970 was a Thursday

# Level at each hour of a working day, and the factor of a Saturday or Sunday.
_SHAPES: Final[dict[str, tuple[str, float]]] = {
    "steady": ("1.00 " * 24, 1.0),
    # People shop in the evening, and sleep.
    "shopper": (
        "0.45 0.32 0.24 0.20 0.20 0.26 0.40 0.62 0.82 0.95 1.02 1.08 "
        "1.15 1.10 1.02 1.00 1.05 1.18 1.38 1.58 1.66 1.50 1.12 0.72",
        0.78,
    ),
    # Builds, dashboards, staff tools.
    "office": (
        "0.15 0.12 0.12 0.12 0.12 0.15 0.30 0.70 1.40 1.90 2.00 1.80 "
        "1.35 1.75 2.00 1.90 1.60 1.10 0.60 0.40 0.32 0.25 0.20 0.16",
        0.22,
    ),
    # Queues that fill by day and are worked off by night, every day alike.
    "batch": (
        "1.70 1.95 2.05 1.90 1.55 1.15 0.90 0.70 0.60 0.55 0.55 0.60 "
        "0.65 0.65 0.60 0.60 0.65 0.70 0.80 0.85 0.95 1.10 1.30 1.50",
        1.0,
    ),
}

RHYTHMS: Final = tuple(_SHAPES)
"""The names of the rhythms; a series stores the position in this tuple."""


def _week(shape: str, weekend: float) -> F64:
    factors = [1.0] * 5 + [weekend] * 2
    hours = [float(level) * factor for factor in factors for level in shape.split()]
    hours.append(hours[0])  # the first hour again, to interpolate the last
    logarithms: F64 = np.log(np.array(hours))
    return logarithms


_LOG_WEEKS: Final = np.stack([_week(shape, weekend) for shape, weekend in _SHAPES.values()])


def week_second(seconds: I64) -> I64:
    """Return the seconds since Monday 00:00."""
    return (seconds + _EPOCH_WEEKDAY * DAY) % WEEK


def is_weekend(second: int) -> bool:
    """Return whether a time in seconds since the epoch falls on Saturday or Sunday."""
    return (second // DAY + _EPOCH_WEEKDAY) % 7 >= 5


def log_level(seconds: I64) -> F64:
    """Return the logarithm of every rhythm's level, f64[rhythm, n], without jumps between hours."""
    hour, into = np.divmod(week_second(seconds), HOUR)
    right = into / HOUR
    return _LOG_WEEKS[:, hour] * (1.0 - right) + _LOG_WEEKS[:, hour + 1] * right
