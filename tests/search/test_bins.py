"""Aggregates of several metrics, by bins and without, are what a recount of the points says."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import MINUTE, NOW, SECOND, Row, batch, examples, search, series
from kubestray.store.store import Store

MILLISECOND = 10**6
METRICS = ("a", "b", "c")
ASKED = (*METRICS, "absent")
HOSTS = ("x", "y")

Points = list[tuple[int, float]]
"""Milliseconds before now, and the value, in the order of time."""


def rate(points: Points) -> float | None:
    """A second; of a single moment there is none."""
    (first, low), (last, high) = points[0], points[-1]
    return (high - low) / ((first - last) / 1000) if first != last else None


FUNCTIONS: dict[str, Callable[[Points], float | None]] = {
    "avg": lambda points: statistics.fmean(value for _, value in points),
    "count": lambda points: len(points),
    "sum": lambda points: sum(value for _, value in points),
    "min": lambda points: min(value for _, value in points),
    "max": lambda points: max(value for _, value in points),
    "range": lambda points: max(value for _, value in points) - min(value for _, value in points),
    "stdevp": lambda points: statistics.pstdev(value for _, value in points),
    "earliest": lambda points: points[0][1],
    "latest": lambda points: points[-1][1],
    "rate": rate,
}

asked = st.lists(
    st.tuples(st.sampled_from(list(FUNCTIONS)), st.sampled_from(ASKED)), min_size=1, max_size=6, unique=True
)
placed = st.lists(
    st.tuples(
        st.integers(1, 9_999),
        st.sampled_from(METRICS),
        st.sampled_from(HOSTS),
        st.integers(0, 1),
        st.floats(-1e12, 1e12, allow_nan=False) | st.sampled_from([0.0, 0.1, -2.5]),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda point: point[0],
)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """Examples are told apart by an attribute, as they share a store."""
    return iter(range(10**6))


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    placed=placed,
    asked=asked,
    by_host=st.booleans(),
    span=st.sampled_from([0, 1, 5]),
    kept=st.integers(1, 6),
)
def test_a_recount_says_the_same(
    embedded: Store,
    numbers: Iterator[int],
    placed: list[tuple[int, str, str, int, float]],
    asked: list[tuple[str, str]],
    by_host: bool,
    span: int,
    kept: int,
) -> None:
    example = str(next(numbers))
    embedded.append(
        batch(
            (
                series(metric, host=host, number=str(number), example=example),
                NOW - ago * MILLISECOND,
                0,
                value,
            )
            for ago, metric, host, number, value in placed
        )
    )
    named = [(f"v{place}", *one) for place, one in enumerate(asked)]
    measured = " ".join(f"{function}({metric}) AS {name}" for name, function, metric in named)
    text = f"| mstats {measured} WHERE index=* example={example}{' BY host' if by_host else ''}"
    text += f" span={span}s" if span else ""
    shown = [name for name, *_ in named[:kept]]
    text += f" | fields {' '.join(shown)} {'host' if by_host else ''}{' _time' if span else ''}"
    found = search(embedded, f"{text} | table *").rows

    groups: dict[tuple[str, float], dict[str, Points]] = defaultdict(lambda: defaultdict(list))
    wanted = {metric for _, metric in asked}
    for ago, metric, host, _, value in sorted(placed, reverse=True):
        if metric in wanted:
            bin_start = (NOW - ago * MILLISECOND) // (span * SECOND) * span if span else 0.0
            groups[host if by_host else "", float(bin_start)][metric].append((ago, value))
    expected: dict[tuple[str, float], Row] = {}
    for key, of in groups.items():
        expected[key] = {
            name: FUNCTIONS[function](of[metric]) for name, function, metric in named[:kept] if of[metric]
        }
    got = {(row.get("host", ""), float(row.get("_time", 0.0))): row for row in found}
    assert len(got) == len(found)
    assert got.keys() == expected.keys()
    for key, row in expected.items():
        for name in shown:
            value = row.get(name)
            if value is None:
                assert got[key].get(name) is None
            else:
                assert got[key][name] == pytest.approx(value, rel=1e-9, abs=1e-3)


def test_a_bin_whose_sum_is_beyond_a_double_is_a_row(embedded: Store) -> None:
    made = [
        (series(metric, number=str(number), example="beyond"), NOW - SECOND, 0, 1.7e308)
        for metric in ("a", "b")
        for number in range(3)
    ]
    embedded.append(batch(made))
    text = "| mstats sum(a) AS a sum(b) AS b WHERE index=* example=beyond span=1s"
    assert len(search(embedded, text).rows) == 1


def test_bins_of_metrics_that_have_no_points_in_the_range_are_no_rows(embedded: Store) -> None:
    """The catalog knows to the hour when there were any, so it does not leave the metrics out."""
    embedded.append(batch((series(metric), NOW - 2 * MINUTE, 0, 1.0) for metric in ("a", "b")))
    measured = "| mstats stdev(a) AS a avg(b) AS b WHERE index=* earliest=-90s span=1s"
    assert search(embedded, measured).rows == []
    assert search(embedded, f"{measured} | fields b").rows == []
    assert search(embedded, f"{measured} | stats count").rows == [{"count": 0}]
