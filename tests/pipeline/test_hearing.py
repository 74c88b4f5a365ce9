"""Which times are looked at: the same whether few or all series are asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import SECOND
from kubestray.model.content import Looks
from kubestray.pipeline import hearing
from kubestray.pipeline.hearing import Hearing
from kubestray.store.points import Span

Sent = Mapping[int, Sequence[int]]
"""By series the seconds of its points."""

LOOKS = st.builds(Looks, every=st.sampled_from([5, 10, 60]), new_for=st.sampled_from([5, 30, 200]))
SENT = st.dictionaries(st.integers(1, 9), st.lists(st.integers(0, 300), max_size=6), max_size=9)


def hear(sent: Sent, asked: list[int]) -> object:
    def heard(series: Sequence[int], span: Span, _query: object) -> Iterator[tuple[int, int]]:
        asked.extend(series)
        end = span.latest or 0
        for one in series:
            for second in sorted(set(sent.get(one, ()))):
                if span.earliest <= second * SECOND < end:
                    yield one, second

    return heard


def ask(
    sent: Sent, news: Mapping[int, int], looks: Looks, span: tuple[int, int], before: Hearing | None = None
) -> tuple[list[int], Hearing, list[int]]:
    """Return the times (s) to look at between two others, who told, and which series were asked about."""
    asked: list[int] = []
    long = 200 * SECOND
    with patch.object(hearing, "heard", hear(sent, asked)), patch.object(hearing, "_FIRST", 2):
        made = Hearing(span[0] * SECOND, span[1] * SECOND, long, None, before)  # type: ignore[arg-type]
        times = made.times({one: since * SECOND for one, since in news.items()}, looks)
    return [time // SECOND for time in times], made, asked


def recount(sent: Sent, news: Mapping[int, int], looks: Looks, after: int, until: int) -> set[int]:
    """Return the times after points of series that are new, each found by itself."""
    new_for = max(looks.every, looks.new_for or 0)
    return {
        when
        for one, since in news.items()
        for second in sent.get(one, ())
        for when in range(after + 1, until + 1)
        if when % looks.every == 0 and when - looks.every <= second < when and since < when <= since + new_for
    }


@settings(max_examples=60, deadline=None)
@given(SENT, st.dictionaries(st.integers(1, 9), st.integers(0, 300)), LOOKS, st.integers(0, 200))
def test_the_times_are_those_that_asking_about_each_series_gives(sent, news, looks, after):
    for until in (after + 5, after + 100):
        times, _, _ = ask(sent, news, looks, (after, until))
        assert times == sorted(recount(sent, news, looks, after, until))


@settings(max_examples=60, deadline=None)
@given(SENT, SENT, st.dictionaries(st.integers(1, 9), st.integers(100, 250)), LOOKS)
def test_what_comes_late_is_looked_at_and_nothing_in_time_is_missed(sent, late, news, looks):
    _, before, _ = ask(sent, news, looks, (200, 240))
    came = {one: [*sent.get(one, ()), *late.get(one, ())] for one in {*sent, *late}}
    times, _, _ = ask(came, news, looks, (240, 300), before)
    in_time = recount(came, news, looks, 240, 300)
    soonest = 240 + looks.every
    assert in_time <= set(times) <= in_time | {soonest}
    new_for = max(looks.every, looks.new_for or 0)
    if any(
        120 <= second < 240 // looks.every * looks.every and second not in sent.get(one, ())
        for one, seconds in late.items()
        for second in seconds
        if one in news and news[one] < soonest <= news[one] + new_for
    ):
        assert soonest in times


def test_where_all_is_new_few_are_asked_about():
    news = dict.fromkeys(range(1000), 100)
    sent = {one: range(100, 300, 10) for one in news}
    times, _, asked = ask(sent, news, Looks(5, 900), (200, 205))
    assert times == [205]
    assert len(asked) == 2
