"""Answers that are kept: for how long, and what ends that earlier."""

from __future__ import annotations

import pytest

from console import risk_rows, running_on
from kubestray.api import remembering
from kubestray.api.remembering import forget, remembered


@pytest.fixture
def later(monkeypatch):
    """The function that makes it later, by seconds."""
    now = [1000.0]
    monkeypatch.setattr(remembering.time, "monotonic", lambda: now[0])

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return go_on


def test_an_answer_holds_as_long_as_nothing_is_written(embedded, tmp_path, later):
    running, made = running_on(embedded, tmp_path), []

    def ask(of=()):
        return remembered(running, "it", 10.0, lambda: made.append(1) or len(made), of=of)

    assert [ask(), ask()] == [1, 1]
    later(11)
    assert ask() == 2
    later(11)
    assert ask(["risk"]) == 3
    later(50)
    assert ask(["risk"]) == 3
    embedded.record("risk", risk_rows(["workload:prod/shop/cart"]))
    assert ask(["risk"]) == 4
    later(101)
    assert ask(["risk"]) == 5
    forget(running)
    assert ask(["risk"]) == 6


def test_what_must_be_new_is_made_anew_at_once(embedded, tmp_path, later):
    running, made = running_on(embedded, tmp_path), []

    def ask(*, at_once):
        return remembered(
            running, "it", 10.0, lambda: made.append(1) or len(made), of=["risk"], at_once=at_once
        )

    assert ask(at_once=True) == 1
    later(50)
    assert ask(at_once=True) == 1
    embedded.record("risk", risk_rows(["workload:prod/shop/cart"]))
    later(-45)
    assert ask(at_once=False) == 1
    assert ask(at_once=True) == 2
