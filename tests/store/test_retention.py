"""Only whole days that have expired are dropped."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from engines.fleet import emptied
from helpers import DAY, NOW, SECOND, batch, series
from kubestray.store.expiry import expire
from kubestray.store.store import Store

TODAY = NOW // DAY


def moments(store: Store) -> list[int]:
    found = store.query(parse_one("SELECT time FROM samples ORDER BY time", dialect="clickhouse"))
    return [int(time) for time in found.column("time").to_pylist()]


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    times=st.lists(
        st.one_of(
            st.integers(0, 4 * DAY), st.integers((TODAY - 3) * DAY, NOW), st.integers(0, 3).map(DAY.__mul__)
        ),
        min_size=1,
        max_size=8,
        unique=True,
    ),
    before=st.one_of(st.integers(0, 5 * DAY), st.integers((TODAY - 3) * DAY, NOW), st.just(-1), st.just(DAY)),
)
def test_days_that_lie_wholly_before_are_dropped(store: Store, times: list[int], before: int) -> None:
    fresh = emptied(store)
    fresh.append(batch((series("m", pod=str(n % 2)), time, 0, 1.0) for n, time in enumerate(times)))
    gone = {time // DAY for time in times if (time // DAY + 1) * DAY <= before}
    assert expire(fresh, before) == sorted(gone)
    assert moments(fresh) == sorted(time for time in times if time // DAY not in gone)
    assert expire(fresh, before) == []


def test_what_is_dropped_can_be_sent_again(store: Store) -> None:
    store.append(batch([(series("m"), SECOND, 0, 1.0)]))
    assert expire(store, 2 * DAY) == [0]
    store.append(batch([(series("m"), SECOND, 0, 1.0)]))
    assert moments(store) == [SECOND]


def test_an_empty_store_has_nothing_to_drop(store: Store) -> None:
    assert expire(store, NOW) == []
