"""What the schedule's thread says when a pass of it fails, and when a server stops in the middle of one."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import pytest

from helpers import DAY, NOW, content_of
from kubestray.config import load_config
from kubestray.detect.scheduler import Patience
from kubestray.model.content import Content
from kubestray.model.errors import LimitExceeded, StoreError
from kubestray.pipeline import schedule
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.schedule import Scheduler
from kubestray.pipeline.setting_up import searching
from kubestray.store.store import Store


def scheduler(
    store: Store, refresh: Callable[[], None] = lambda: None, content: Content | None = None
) -> Scheduler:
    content = content or Content()
    detector = Detector(store, content, searching(load_config({}, {}, None)))
    return Scheduler(store, content, detector, Patience(0, 0, 0), lambda: 0, refresh=refresh)


def test_a_search_that_a_stop_cancels_is_no_failure(
    embedded: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is due again when a server starts; a pass that fails by itself is told."""
    monkeypatch.setattr(schedule, "_PASS_EVERY", 0.01)
    passes: list[int] = []
    searches, cancelled = threading.Event(), threading.Event()

    def refresh() -> None:
        passes.append(1)
        if len(passes) == 1:
            raise StoreError("the disk is full")
        searches.set()
        assert cancelled.wait(10)
        raise LimitExceeded("the search was cancelled")

    running = scheduler(embedded, refresh)
    monkeypatch.setattr(embedded.engine, "cancel_all", cancelled.set)
    running.start()
    assert searches.wait(10)
    running.stop()
    told = "the scheduled pass failed and is tried again: the disk is full"
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [told]
    assert "cancelled" not in caplog.text


def test_a_store_that_fails_for_long_does_not_fill_the_log(
    embedded: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log may be on the disk that is full: a line each now and then, and one when it is over."""
    caplog.set_level("INFO")
    monkeypatch.setattr(schedule, "_PASS_EVERY", 0.001)
    passes: list[int] = []
    is_over = threading.Event()

    def refresh() -> None:
        passes.append(1)
        if len(passes) <= 9:
            raise StoreError("the disk is full")
        if len(passes) == 11:
            is_over.set()

    running = scheduler(embedded, refresh)
    running.start()
    assert is_over.wait(10)
    running.stop()
    told = [(record.message, record.exc_info) for record in caplog.records]
    failed = ("the scheduled pass failed and is tried again: the disk is full", None)
    assert told == [*[failed] * 4, ("the scheduled pass goes on after 9 failures", None)]


def test_a_search_that_always_fails_does_not_fill_the_log(
    embedded: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    content = content_of("| no_such_command")
    running = scheduler(embedded, content=content)
    running.resume(NOW)
    for day in range(1, 10):
        running.pass_once(NOW + day * DAY)
    told = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 4  # the first, second, fourth and eighth
    assert all(one.startswith("b0 at ") and "no_such_command" in one for one in told)
    (name, failing), *_ = content.baselines.items()
    content.baselines[name] = dataclasses.replace(failing, search="| makeresults")
    running.pass_once(NOW + 10 * DAY)
    assert caplog.messages[-1] == "b0 goes on after 9 failures"


def test_a_clock_that_is_set_back_takes_the_schedule_with_it(
    embedded: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a clock that was a month ahead for a moment would have nothing run for a month."""
    running = scheduler(embedded)
    running.resume(NOW)
    running.pass_once(NOW + 30 * DAY)
    assert not caplog.records
    running.pass_once(NOW)
    (told,) = caplog.messages
    assert told.startswith("the clock went back by 2592000 seconds: detections go on from what had run by")
    running.pass_once(NOW + 1)
    assert len(caplog.messages) == 1


def test_runs_by_a_clock_that_was_ahead_do_not_count(embedded: Store) -> None:
    embedded.record("runs", schedule._run_rows([("a", when, 0, "", 0.0) for when in (NOW, NOW + DAY)]))
    assert schedule.last_runs(embedded, NOW + 1) == {"a": NOW}
    assert schedule.last_runs(embedded, NOW + DAY) == {"a": NOW + DAY}


def test_a_clock_that_was_set_back_and_is_right_again_repeats_nothing(
    embedded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = scheduler(embedded)
    running.resume(NOW)
    resumed: list[int] = []
    monkeypatch.setattr(running, "resume", resumed.append)
    running._looked = NOW
    running.pass_once(NOW - 3 * DAY)
    running._looked = NOW - 3 * DAY
    running.pass_once(NOW + 1)
    assert resumed == [NOW - 3 * DAY, NOW + 1]
