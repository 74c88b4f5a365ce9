"""The same points whichever way they are asked for."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_oracle import DAY, END, HOUR, SECOND, columns, same, small

from helpers import examples, more
from kubestray.model.errors import UsageError
from kubestray.simulate import FAMILIES, LIVE_S, SCENARIOS, SimulationConfig, table

CHAIN = small("attack-chain")
WHOLE = ("calm", "attack-chain", "all-attacks", "silence")
"""Scenarios that have what the others have one by one."""
FIRST = END - 20 * HOUR


@cache
def whole() -> tuple[np.ndarray, ...]:
    return columns(CHAIN.batches(FIRST, END, 60))


@cache
def calm() -> tuple[np.ndarray, ...]:
    """The day before the attacks of three days."""
    return columns(small("calm", days=3).batches(END - 3 * DAY, END - 2 * DAY, 600))


def part(first: int, last: int, step: int) -> tuple[np.ndarray, ...]:
    """Return the points of the whole in [first, last) at a coarser step."""
    chosen = (whole()[1] >= first) & (whole()[1] < last) & (whole()[1] % (step * SECOND) == 0)
    return tuple(column[chosen] for column in whole())


@settings(max_examples=examples(5), deadline=None)
@given(st.lists(st.integers(0, 20 * 60), min_size=2, max_size=4), st.sampled_from([60, 120, 600]))
def test_pieces_of_the_range_join_to_the_whole(minutes: list[int], step: int) -> None:
    cuts = [FIRST + minute * 60 * SECOND for minute in sorted(minutes)]
    pieces = [b for a, z in pairwise(cuts) for b in CHAIN.batches(a, z, step)]
    assert same(columns(pieces), part(cuts[0], cuts[-1], step))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_family_alone_gives_its_part(family: str) -> None:
    alone = columns(CHAIN.batches(FIRST, END, 600, {family}))
    chosen = np.isin(whole()[0], alone[0]) & (whole()[1] % (600 * SECOND) == 0)
    assert len(alone[0])
    assert same(alone, tuple(column[chosen] for column in whole()))


def test_a_restriction_to_metrics_gives_their_part() -> None:
    names = {"tcp.bytes", "process.cpu.time"}
    batches = list(CHAIN.batches(END - HOUR, END, 60, metrics=names))
    assert {series.metric for batch in batches for series in batch.series.values()} == names
    points = columns(batches)
    chosen = np.isin(whole()[0], points[0]) & (whole()[1] >= END - HOUR)
    assert same(points, tuple(column[chosen] for column in whole()))


def test_a_shorter_history_gives_the_same_points() -> None:
    shorter = small("attack-chain", days=1)
    assert same(columns(shorter.batches(FIRST, END, 60)), whole())


def test_small_batches_give_the_same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_POINTS", 997)
    batches = list(CHAIN.batches(END - 2 * HOUR, END, 60))
    assert max(len(batch) for batch in batches) <= 997
    assert same(columns(batches), part(END - 2 * HOUR, END, 60))


def test_ten_second_points_include_those_of_sixty() -> None:
    fine = columns(CHAIN.batches(END - HOUR, END, 10))
    minute = fine[1] % (60 * SECOND) == 0
    assert same(tuple(column[minute] for column in fine), part(END - HOUR, END, 60))


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> list[bytes]:
        one = small("attack-chain", days=1, seed=seed)
        return [path.read_bytes() for path in one.write(tmp_path / name, END - HOUR, END, 600)]

    first = written("first", 3)
    assert written("again", 3) == first
    assert written("other", 4) != first


@pytest.mark.parametrize("scenario", [name if name in WHOLE else more(name) for name in SCENARIOS])
def test_attacks_add_points_and_change_none_before_them(scenario: str) -> None:
    attacked = columns(small(scenario, days=3).batches(END - 3 * DAY, END - 2 * DAY, 600))
    assert same(attacked, calm())


def test_it_goes_on_after_the_end() -> None:
    later = list(CHAIN.batches(END, END + HOUR, 60))
    assert sum(len(batch) for batch in later) > 0
    with pytest.raises(UsageError, match="does not reach"):
        list(CHAIN.batches(END, END + (LIVE_S + 60) * SECOND, 60))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scenario": "clam"}, "no scenario 'clam'"),
        ({"start_ns": END + 1}, "start before it ends"),
        ({"nodes": 0}, "at least 1"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SimulationConfig(**{"start_ns": END - DAY, "end_ns": END, **settings})  # type: ignore[arg-type]


def test_wrong_requests_say_what_is_wrong() -> None:
    with pytest.raises(UsageError, match="does not reach"):
        list(CHAIN.batches(END - 30 * DAY, END, 60))
    with pytest.raises(UsageError, match="multiple of the window"):
        list(CHAIN.batches(FIRST, END, 15))
    with pytest.raises(UsageError, match="no family 'nodes'"):
        list(CHAIN.batches(FIRST, END, 60, {"nodes"}))
