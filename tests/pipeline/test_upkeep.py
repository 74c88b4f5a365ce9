"""Upkeep goes on after whatever went wrong in one of its passes, and says what it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from engines.fleet import Fleet
from helpers import DAY, HOUR, NOW, batch, series
from kubestray.config import load_config
from kubestray.model.content import Content
from kubestray.model.errors import StoreError
from kubestray.pipeline import upkeep
from kubestray.pipeline.accelerating import Accelerator
from kubestray.pipeline.upkeep import Leaps, Upkeep, waiting
from kubestray.store.coverage import expired_days
from kubestray.store.measuring import Names
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

CONFIG = load_config({}, {}, None)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (StoreError("the disk is full"), "the disk is full"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_pass_that_fails_is_told_and_tried_again(
    fleet: Fleet,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
    told: str,
) -> None:
    monkeypatch.setattr(upkeep, "_LOOK_EVERY", 0.05)
    asked: list[int] = []

    def churning() -> tuple[str, ...]:
        asked.append(1)
        if len(asked) < 3:
            raise fault
        return ()

    with fleet.store("embedded") as store:
        store.clock = lambda: NOW
        store.append(batch([(series("cpu", host="a"), NOW - 5 * HOUR, 0, 1.0)]))
        with _kept_up(store, churning) as keeping:
            _until(lambda: keeping.health().passed > keeping.health().failed)
            _until(lambda: waiting(store, CONFIG, Content()).hours == 0)
        assert keeping.health().error == told
        assert caplog.text.count(f"upkeep of the store failed and is tried again: {told}") == 2
        assert ("Traceback" in caplog.text) == (not isinstance(fault, StoreError)), "what nobody foresees"


def test_points_stay_for_counters_that_are_increases_over_them(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An increase is over a point up to an hour before: the day before the first kept hour stays for it."""
    edge = NOW // DAY * DAY
    monkeypatch.setattr(upkeep, "_LOOK_EVERY", 0.02)
    monkeypatch.setattr(upkeep, "_EXPIRE_EVERY", 0.0)
    with fleet.store("embedded") as store:
        store.clock = lambda: edge + 7 * DAY + HOUR - 1
        store.append(batch([(series("cpu", host="a"), edge - HOUR, 0, 1.0)]))
        with _kept_up(store) as keeping:
            _until(lambda: waiting(store, CONFIG, Content()).hours == 0)
            _passes_once_more(keeping)
            assert not expired_days(store.query)
            store.clock = lambda: edge + 7 * DAY + HOUR
            _until(lambda: expired_days(store.query) == {edge // DAY - 1})


def test_a_clock_that_was_set_forward_drops_nothing_for_a_day(caplog: pytest.LogCaptureFixture) -> None:
    passed = 0.0
    leaps = Leaps(lambda: passed)
    hour = 3600.0
    steps = [  # seconds that pass, seconds by which the clock goes on, whether it is believed
        (0, 0, True),
        (600, 600, True),
        (600, 600 + 0.9 * hour, True),
        (600, 600 + 9000 * hour, False),
        (600, 600, False),
        (23 * hour, 23 * hour, False),
        (hour, hour, True),
        (600, 600 - 9000 * hour, True),
        (600, 600 + 9000 * hour, False),
        (600, 600 - 9000 * hour, True),
    ]
    shown, believed = NOW / 1e9, []
    for passing, going, _ in steps:
        passed, shown = passed + passing, shown + going
        believed.append(not leaps.has_leapt(int(shown * 1e9)))
    assert believed == [expected for *_, expected in steps]
    assert caplog.text.count("went forward by 9000.0 hours") == 2


def test_points_stay_when_the_clock_was_set_forward(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upkeep, "_LOOK_EVERY", 0.02)
    monkeypatch.setattr(upkeep, "_EXPIRE_EVERY", 0.0)
    with fleet.store("embedded") as store:
        store.clock = lambda: NOW
        store.append(batch([(series("cpu", host="a"), NOW - 5 * HOUR, 0, 1.0)]))
        with _kept_up(store) as keeping:
            _until(lambda: waiting(store, CONFIG, Content()).hours == 0)
            _passes_once_more(keeping)
            store.clock = lambda: NOW + 30 * DAY
            _until(lambda: "nothing is dropped for a day" in caplog.text)
            _until(lambda: waiting(store, CONFIG, Content()).hours == 0)
            for _ in range(5):
                _passes_once_more(keeping)
            assert not expired_days(store.query)


@contextmanager
def _kept_up(store: Store, churning: Names = ()) -> Iterator[Upkeep]:
    """Upkeep of a store, under way."""
    keeping = Upkeep(store, Summariser(store, churning), Accelerator(store, CONFIG, Content()), CONFIG)
    keeping.start()
    try:
        yield keeping
    finally:
        keeping.stop()


def _passes_once_more(keeping: Upkeep) -> None:
    """Wait for a pass that begins from now on: the first one that ends may have begun before, and looks at no
    clock if it had anything to summarise.
    """
    for _ in range(2):
        since = time.time_ns()
        _until(lambda since=since: keeping.health().passed > since)


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
