"""What the schedule's thread says when a pass of it fails, and when a server stops in the middle of one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kubestray.config import load_config
from kubestray.detect.scheduler import Patience
from kubestray.model.content import Content
from kubestray.model.errors import LimitExceeded, StoreError
from kubestray.pipeline import schedule
from kubestray.pipeline.detecting import Detector
from kubestray.pipeline.schedule import Scheduler
from kubestray.pipeline.setting_up import searching
from kubestray.store.store import Store


def scheduler(store: Store, refresh: Callable[[], None]) -> Scheduler:
    content = Content()
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
    assert [record.message for record in caplog.records] == ["the scheduled pass failed and is tried again"]
    assert "the disk is full" in caplog.text
    assert "cancelled" not in caplog.text
