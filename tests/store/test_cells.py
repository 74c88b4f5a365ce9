"""Deviations of large values that move little are exact from points, summaries and kept statistics alike."""

from __future__ import annotations

import math
import random
import statistics
from fractions import Fraction
from typing import Any

import pytest

from helpers import DAY, HOUR, NOW, SECOND, Point, batch, content_of, series
from kubestray.config import load_config
from kubestray.model.metric import Kind
from kubestray.pipeline.accelerating import Accelerator
from kubestray.search.plan import Accelerated, nodes
from kubestray.search.run import Request, compile_search, run_search
from kubestray.store.cells import remainder
from kubestray.store.points import Span
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser
from kubestray.store.trees import named, number, select

START = NOW // DAY * DAY - 2 * DAY
SPAN = Span(START, START + 26 * HOUR)
ALL = "stdev(m) AS d stdevp(m) AS p var(m) AS v varp(m) AS w"
BY_SUMMARIES = f"| mstats {ALL} WHERE index=* BY host"
BY_BINS = f"| mstats avg(m) AS m WHERE index=* BY host span=10s | stats {ALL} BY host"
OTHERS = (
    f"| mstats latest(m) AS m WHERE index=* BY host span=10s | eval m=tostring(m) | stats {ALL} BY host",
    f"| mstats latest(m) AS m WHERE index=* BY host span=10s | eval m=mvappend(m, m+1) | stats {ALL} BY host",
    f"| mstats latest(m) AS m WHERE index=* BY host span=10s | eventstats {ALL} BY host | dedup host",
    "| mstats stdev(m) AS d WHERE index=* BY host span=30s | stats max(d) AS d BY host",
)


def answers(store: Store, text: str, *, summaries: bool) -> dict[str, dict[str, Any]]:
    rows = run_search(Request(text, NOW, SPAN, summaries=summaries), store.query).rows
    return {row["host"]: row for row in rows}


def assert_exact(found: dict[str, Any], values: list[float]) -> None:
    """Compare with what fractions say, which round nowhere."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    squares = sum((value - mean) ** 2 for value in exact)
    sample, population = float(squares / (len(exact) - 1)), float(squares / len(exact))
    expected = {"d": math.sqrt(sample), "p": math.sqrt(population), "v": sample, "w": population}
    for name, value in expected.items():
        if name in found:
            assert math.isclose(found[name], value, rel_tol=1e-9), (name, found, expected)


def points_of(level: float, by: float, dice: random.Random) -> tuple[list[Point], list[float]]:
    """One point in each of some bins of 10 seconds, over a day and two hours."""
    bins = dice.sample(range(26 * 360), 300)
    values = [level + dice.uniform(-by, by) for _ in bins]
    of = series("m", Kind.GAUGE, host=f"{level:g}±{by:g}")
    return [(of, START + n * 10 * SECOND, 0, value) for n, value in zip(bins, values, strict=True)], values


LEVELS = [(1e12, 0.5), (1e12, 5000.0), (-3e12, 100.0), (1e12, 1e9), (1e9, 1e-3), (0.0, 1e-150), (1.0, 1.0)]


@pytest.mark.more("http")
def test_deviations_are_exact_wherever_they_come_from(store: Store) -> None:
    dice = random.Random(1)
    store.clock = lambda: START + 27 * HOUR
    sent = {f"{level:g}±{by:g}": points_of(level, by, dice) for level, by in LEVELS}
    store.append(batch([point for points, _ in sent.values() for point in points]))
    accelerator = Accelerator(store, load_config({}, {}, None), content_of(BY_BINS))
    Summariser(store, ()).catch_up()
    accelerator.catch_up()
    kept = compile_search(Request(BY_BINS, NOW, SPAN), store.query)
    assert any(isinstance(node, Accelerated) for node in nodes(kept.relation.node))
    for text in (BY_SUMMARIES, BY_BINS):
        for summaries in (True, False):
            found = answers(store, text, summaries=summaries)
            for host, (_, values) in sent.items():
                assert_exact(found[host], values)


def test_other_ways_to_a_deviation_are_as_exact(embedded: Store) -> None:
    dice = random.Random(2)
    bins = sorted(dice.sample(range(26 * 360), 50))
    of, values = series("m", host="a"), [1e12 + dice.randint(0, 7) * 0.5 for _ in bins]
    embedded.append(batch([(of, START + n * 10 * SECOND, 0, v) for n, v in zip(bins, values, strict=True)]))
    as_text, doubled, over_all, _ = (answers(embedded, text, summaries=False)["a"] for text in OTHERS)
    assert_exact(as_text, values)
    assert_exact(over_all, values)
    assert_exact(doubled, [one for value in values for one in (value, value + 1)])


def test_short_bins_have_exact_deviations(embedded: Store) -> None:
    values = [1e12, 1e12 + 0.25, 1e12 + 1.0]
    points: list[Point] = [(series("m", host="a"), START + n * SECOND, 0, v) for n, v in enumerate(values)]
    embedded.append(batch(points))
    assert_exact(answers(embedded, OTHERS[3], summaries=False)["a"], values)


def test_what_was_kept_before_answers_as_it_did(embedded: Store) -> None:
    """A store of an earlier version has no states of what is left: its hours merge with later ones."""
    embedded.clock = lambda: START + 27 * HOUR
    points, values = points_of(1e12, 1e6, random.Random(3))
    embedded.append(batch(points))
    accelerator = Accelerator(embedded, load_config({}, {}, None), content_of(BY_BINS))
    Summariser(embedded, ()).catch_up()
    accelerator.catch_up()
    for name in ("summaries_local", "accelerated_local"):
        embedded.engine.execute(f"ALTER TABLE {name} DROP COLUMN near")
    for statement in embedded.layout.statements():
        embedded.engine.execute(statement)
    late, value = START + 25 * HOUR + 5 * SECOND, 1e12 + 3e6
    embedded.append(batch([(points[0][0], late, 0, value)]))
    Summariser(embedded, ()).catch_up()
    accelerator.catch_up()
    for text in (BY_SUMMARIES, BY_BINS):
        found = answers(embedded, text, summaries=True)
        assert found["1e+12±1e+06"]["d"] == pytest.approx(statistics.stdev([*values, value]), rel=1e-6)


def test_what_is_left_of_a_value_is_small_and_exact(embedded: Store) -> None:
    values = [1e12, 1e12 + 0.25, -1e12 - 0.25, 2.0**40, 2.0**40 - 0.125, 0.0, 1e300, 1.0]
    left = [named(remainder(number(value)), f"v{n}") for n, value in enumerate(values)]
    found = list(embedded.query(select(*left)).to_pylist()[0].values())
    for value, small in zip(values, found, strict=True):
        cell = Fraction(value) - Fraction(small)
        assert abs(small) <= abs(value) * 2.0**-18
        assert float(cell) == cell
    assert found[1] - found[0] == 0.25
    assert found[3:5] == [0.0, -0.125]
