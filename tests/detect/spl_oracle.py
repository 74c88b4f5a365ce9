"""The pieces of SPL that the oracles are made of, recounted by brute force.

Written from the manual of SPL and from what the store promises about counters; shares no code with the
product. Sums are exact fractions, so a mean or a deviation here is right to the last digit.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from helpers import DAY, HOUR, MINUTE, SECOND, Observation, Point
from kubestray.model.metric import Kind, Series

Row = dict[str, Any]
Names = tuple[str, ...]


@dataclass
class Verdict:
    """The rows of a search, and whether any comparison is so close that rounding decides it."""

    rows: list[Row]
    close: bool = field(default=False)


# --- points ---------------------------------------------------------------------------------------------


def measured(points: Iterable[Point]) -> list[Observation]:
    """Readings as they are, counters as increases; what was sent twice counts once.

    The increase of a counter: from the point before it, which lies at most an hour back; after a restart
    (another start, both known) or a fall the value itself; at the first sight there is none.
    """
    series: dict[int, Series] = {}
    received: dict[int, dict[tuple[int, float], int]] = defaultdict(dict)
    for made, time, start, value in points:
        series[made.id] = made
        received[made.id][time, value] = start
    found: list[Observation] = []
    for number, made in series.items():
        starts = received[number]
        for time, value in starts:
            if made.kind is not Kind.CUMULATIVE:
                found.append((made, time, value))
                continue
            before = [other for other in starts if other < (time, value) and time - other[0] <= HOUR]
            if before:
                last = max(before)
                known = starts[last] != 0 and starts[time, value] != 0
                anew = value < last[1] or (known and starts[last] != starts[time, value])
                found.append((made, time, value if anew else value - last[1]))
    return found


def between(seen: Iterable[Observation], earliest: int, latest: int) -> list[Observation]:
    """What was seen from ``earliest`` up to, not including, ``latest``."""
    return [one for one in seen if earliest <= one[1] < latest]


def hour_before(now: int) -> tuple[int, int]:
    return now - HOUR, now


def day_before(now: int) -> tuple[int, int]:
    return now - 24 * HOUR, now


def month_before_the_hour(now: int) -> tuple[int, int]:
    return now - 30 * DAY, now - HOUR


def scheduled_hour(now: int) -> tuple[int, int]:
    """The window of a published detection that names none: -70m@m to -10m@m."""
    return (now - 70 * MINUTE) // MINUTE * MINUTE, (now - 10 * MINUTE) // MINUTE * MINUTE


def scheduled_month(now: int) -> tuple[int, int]:
    """The window of a published baseline: -30d@d to -1d@d."""
    return (now - 30 * DAY) // DAY * DAY, (now - DAY) // DAY * DAY


# --- mstats and stats -----------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Key:
    """One row of ``mstats``: the values of its BY attributes, and its bin's start in seconds, if any."""

    values: Names
    time: int = -1


def mstats(
    seen: Iterable[Observation], wanted: Callable[[str], bool], by: Names, *, bins: bool = False
) -> dict[Key, dict[str, list[float]]]:
    """The values of each wanted metric by key; a point that lacks an attribute belongs to no key."""
    found: dict[Key, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for series, time, value in seen:
        attributes = dict(series.attributes)
        if wanted(series.metric) and all(name in attributes for name in by):
            values = tuple(attributes[name] for name in by)
            key = Key(values, time // (10 * SECOND) * 10) if bins else Key(values)
            found[key][series.metric].append(value)
    return found


def means(metrics: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: mean(values) for name, values in metrics.items()}


def mean(values: Sequence[float]) -> float:
    return float(sum(map(Fraction, values)) / len(values))


def deviation(values: Sequence[float]) -> float:
    """The deviation of a sample; 0 of a single value."""
    if len(values) == 1:
        return 0.0
    exact = [Fraction(value) for value in values]
    middle = sum(exact) / len(exact)
    return math.sqrt(sum((value - middle) ** 2 for value in exact) / (len(exact) - 1))


def mean_or_null(values: Sequence[float]) -> float | None:
    return mean(values) if values else None


def deviation_or_null(values: Sequence[float]) -> float | None:
    return deviation(values) if values else None


def divided(above: float | None, below: float | None) -> float | None:
    """``above / below``: null if either is null, and by zero."""
    return None if above is None or below is None or below == 0 else above / below


def shown(values: Iterable[str]) -> str | list[str]:
    """``values()`` as a field: distinct, by their bytes; a single one is a plain value."""
    distinct = sorted(set(values), key=str.encode)
    return distinct if len(distinct) > 1 else distinct[0]


def often(names: Names, groups: Mapping[Names, Sequence[str]]) -> list[Row]:
    """``stats count values(anomalies) as anomalies by … | where count > 5``, of the texts of each group."""
    return [
        {**dict(zip(names, group, strict=True)), "count": len(texts), "anomalies": shown(texts)}
        for group, texts in groups.items()
        if len(texts) > 5
    ]


def without_nulls(fields: Mapping[str, Any]) -> Row:
    """A row as it is shown: a field that is null is absent."""
    return {name: value for name, value in fields.items() if value is not None}


# --- texts about anomalies ------------------------------------------------------------------------------


def number(value: float) -> str:
    """``tostring()``: the shortest digits that read back the same, whole numbers without decimals."""
    if value.is_integer():
        return str(int(value))
    return format(Decimal(repr(value)), "f")


@dataclass
class Judge:
    """Compares values with what is usual, and remembers whether any comparison was close."""

    factor: int
    phrase: str = "higher than average by"
    close: bool = field(default=False)

    def sentence(self, name: str, value: float | None, usual: float | None, spread: float | None) -> str:
        """The sentence that is added to ``anomalies``; none if the value is not above its limit, or null."""
        if value is None or usual is None or spread is None:
            return ""
        limit = usual + self.factor * spread
        self.close |= bool(spread) and math.isclose(value, limit, rel_tol=1e-9, abs_tol=1e-12)
        if not value > limit:
            return ""
        return (
            f"{name} {self.phrase} {self._sigmas(value, usual, spread)} Standard Deviations."
            f" {name}={number(value)} avg_{name}={number(usual)} 'stdev_{name}'={number(spread)}, "
        )

    def _sigmas(self, value: float, usual: float, spread: float) -> str:
        if spread == 0:
            return "Null"
        hundredths = (value - usual) / spread * 100
        self.close |= abs(hundredths % 1 - 0.5) < 1e-6
        return number(math.floor(hundredths + 0.5) / 100)


def without_comma(text: str) -> str:
    """``replace(anomalies, ",\\s$", "")``."""
    return re.sub(r",\s\Z", "", text)


# --- rows that were found and rows that were expected -----------------------------------------------------

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def assert_same_rows(found: Sequence[Row], expected: Sequence[Row]) -> None:
    """Compare rows whatever their order: numbers to 1e-9, texts exactly, also how numbers are written."""
    ours, theirs = sorted(found, key=_place), sorted(expected, key=_place)
    assert [_words(one) for one in ours] == [_words(one) for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        for name, value in other.items():
            if isinstance(value, int | float):
                assert math.isclose(one[name], value, rel_tol=1e-9, abs_tol=1e-300), (name, one, other)
            elif name == "anomalies":
                _assert_same_texts(one[name], value)


def _place(one: Row) -> list[tuple[str, str]]:
    """Where a row is sorted to: by its texts, which tell rows apart."""
    return sorted(
        (name, value) for name, value in one.items() if isinstance(value, str) and name != "anomalies"
    )


def _words(one: Row) -> Row:
    """A row with every number's value left out."""
    return {name: _wordless(name, value) for name, value in one.items()}


def _wordless(name: str, value: Any) -> Any:
    if isinstance(value, int | float):
        return 0
    if name != "anomalies":
        return value
    return len(value) if isinstance(value, list) else 1


def _assert_same_texts(found: str | list[str], expected: str | list[str]) -> None:
    """Compare anomalies; numbers in them may differ by the last digits of a double, and so their order."""
    ours, theirs = (one if isinstance(one, list) else [one] for one in (found, expected))
    assert ours == sorted(set(ours), key=str.encode)
    for one, other in zip(sorted(ours, key=_rounded), sorted(theirs, key=_rounded), strict=True):
        assert _NUMBER.sub("#", one) == _NUMBER.sub("#", other)
        for a, b in zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True):
            assert math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-300), (one, other)
            # Digits of names are written alike; digits of values are those of tostring().
            assert a == b or a == number(float(a)), (a, one, other)


def _rounded(text: str) -> str:
    return _NUMBER.sub(lambda found: f"{float(found[0]):.9g}", text)
