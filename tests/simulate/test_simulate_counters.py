from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kubestray.simulate import noise
from kubestray.simulate.counter import BLOCK, Counters
from kubestray.simulate.episode import Episode, steady, transfer
from kubestray.simulate.stream import Stream

DAY = 86_400
BEGIN = 20_370 * DAY
BORN = np.array([BEGIN - 3 * DAY - 4_711, BEGIN + 250, BEGIN + 7, BEGIN + DAY - 120, BEGIN])
STREAMS = [Stream(noise.key("counter", n), 5_000.0 * (n + 1), "shopper", 1.0, 0.6, 0.05) for n in range(5)]
ALL = np.arange(5)


def fresh() -> Counters:
    return Counters(STREAMS, BORN, np.full(5, BEGIN + 10 * DAY))


WHOLE = np.arange(BEGIN + 20, BEGIN + 3 * DAY, 10)
VALUES = fresh().at(ALL, WHOLE)


def test_a_counter_starts_at_nothing_and_never_falls() -> None:
    for row, born in enumerate(BORN.tolist()):
        living = fresh().at(np.array([row]), np.arange(born - born % 10 + 10, born + 2 * DAY, 10))[0]
        assert living[0] < STREAMS[row].base * 10 * 40, (
            "what it counts in its first seconds is one burst at most"
        )
        assert (np.diff(living) >= 0).all()


def test_a_counter_grows_at_the_rate_of_its_stream() -> None:
    days = (VALUES[0, -1] - VALUES[0, 0]) / (WHOLE[-1] - WHOLE[0])
    assert 0.3 * STREAMS[0].base < days < 3 * STREAMS[0].base


@given(
    rows=st.sets(st.integers(0, 4), min_size=1),
    first=st.integers(0, len(WHOLE) - 1),
    count=st.integers(1, 9_000),
    step=st.sampled_from([1, 3, 6, 60]),
)
def test_any_part_is_the_part_of_the_whole(rows: set[int], first: int, count: int, step: int) -> None:
    chosen = slice(first, first + count, step)
    alone = fresh().at(np.array(sorted(rows)), WHOLE[chosen])
    lives = WHOLE[chosen] >= BORN[sorted(rows), None]
    assert np.array_equal(alone[lives], VALUES[sorted(rows)][:, chosen][lives])


@given(st.lists(st.integers(0, len(WHOLE) - 1), min_size=1, max_size=6))
def test_asking_in_any_order_gives_the_same(places: list[int]) -> None:
    counters = fresh()
    for place in places:
        value = counters.at(ALL, WHOLE[place : place + 1])[:, 0]
        lives = WHOLE[place] >= BORN
        assert np.array_equal(value[lives], VALUES[lives, place])


def test_ten_second_increases_inside_a_block_differ() -> None:
    in_block = (WHOLE >= BEGIN + DAY) & (WHOLE <= BEGIN + DAY + BLOCK)
    increases = np.diff(VALUES[0, in_block])
    assert increases.std() > 0.2 * increases.mean()


def test_a_transfer_moves_about_its_volume_and_is_irregular() -> None:
    episode = transfer(7, BEGIN, BEGIN + 7_200, 1e6)
    ticks = np.diff(episode.totals)
    assert 0.5e6 < ticks.mean() < 2e6
    assert ticks.std() > 0.3 * ticks.mean()
    assert (ticks < 0.1e6).mean() > 0.02, "it pauses now and then"


@given(st.integers(-500, 9_000), st.integers(1, 90))
def test_an_episodes_windows_add_up(first: int, count: int) -> None:
    episode: Episode = transfer(9, BEGIN, BEGIN + 7_200, 1e6)
    seconds = BEGIN + first // 10 * 10 + 10 * np.arange(count)
    assert episode.within(seconds, 10).sum() == episode.by(int(seconds[-1])) - episode.by(
        int(seconds[0]) - 10
    )


def test_steady_work_is_the_same_in_every_tick() -> None:
    assert np.diff(steady(BEGIN, BEGIN + 100, 12.0).totals).tolist() == [12] * 10
