"""The bounded memory: what is in use stays, what floods in goes, and it never outgrows its bounds."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

from kubestray.receive import attributes
from kubestray.receive.remembered import Remembered


def memory(max_entries: int = 100, max_bytes: int = 10_000) -> Remembered[int, int]:
    return Remembered(lambda key, value: value, max_entries, max_bytes)


def test_what_is_used_outlives_a_flood():
    found = memory(max_entries=20)
    found.put(-1, 1)
    for key in range(1000):
        found.put(key, 1)
        assert found.get(-1) == 1
    assert found.get(500) is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 300))), st.integers(2, 30), st.integers(2, 500))
def test_it_stays_within_its_bounds(puts, max_entries, max_bytes):
    found = memory(max_entries, max_bytes)
    for key, size in puts:
        found.put(key, size)
        assert len(found) <= max_entries
        assert sum(found._young.values()) + sum(found._old.values()) <= max_bytes
        if size <= max_bytes // 2:
            assert found.get(key) == size


def test_an_entry_beyond_the_bounds_changes_nothing():
    found = memory(max_bytes=100)
    found.put(1, 40)
    found.put(2, 60)
    assert (found.get(1), found.get(2)) == (40, None)


def test_the_examples_in_the_documentation_run():
    assert doctest.testmod(attributes).attempted > 0
    assert doctest.testmod(attributes).failed == 0
