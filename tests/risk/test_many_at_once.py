"""Thousands of hits in one run: the work grows with their number, not with its square."""

from __future__ import annotations

import sys

import pytest
from riskful import MINUTE, START, Assessed, event


def work(assessed: Assessed, time: int, names: list[str]) -> int:
    """Return how many functions are called to see to an event of each name at a time (ns)."""
    events = [event("escape", name, time, 120) for name in names]
    calls = 0

    def count(_frame: object, what: str, _value: object) -> None:
        nonlocal calls
        calls += what == "call"

    sys.setprofile(count)
    try:
        assessed.at(time, *events)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("direct", [True, False])
def test_four_times_as_many_hits_are_about_four_times_as_much_work(direct):
    """2,000 at once took longer than the minute until the next run, so that nothing was detected any more."""
    took = []
    for count in (60, 240):
        assessed = Assessed(*(["escape"] if direct else []))
        names = [f"process:prod/shop/w{number}/sh" for number in range(count)]
        opened = work(assessed, START, names)
        assert len(assessed.latest("finding")) == count
        gone_on = work(assessed, START + MINUTE, names)
        assessed.restart()
        took.append((opened, gone_on, work(assessed, START + 2 * MINUTE, names)))
    assert all(many < 6 * few for few, many in zip(*took, strict=True))
