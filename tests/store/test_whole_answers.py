"""What the engine ends early without a word is not taken for an answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from kubestray.model.errors import LimitExceeded
from kubestray.store import embedded as embedded_module
from kubestray.store.embedded import EmbeddedEngine
from kubestray.store.engine import UNLIMITED, Limits
from kubestray.store.store import Store
from kubestray.store.whole import Running

COUNT = "SELECT count() AS n FROM numbers(10)"


@pytest.fixture
def engine(embedded: Store) -> EmbeddedEngine:
    assert isinstance(embedded.engine, EmbeddedEngine)
    return embedded.engine


def test_only_who_is_cancelled_hears_of_it() -> None:
    running = Running()
    with (
        running.whole("other", UNLIMITED),
        pytest.raises(LimitExceeded, match="the search was cancelled"),
        running.whole("one", UNLIMITED),
        running.cancelling("one"),
    ):
        pass


def test_who_begins_while_all_are_cancelled_may_be_hit_and_who_begins_later_is_not() -> None:
    running = Running()
    with (
        running.cancelling(),
        pytest.raises(LimitExceeded, match="the search was cancelled"),
        running.whole("during", UNLIMITED),
    ):
        pass
    with running.whole("later", UNLIMITED):
        pass


@pytest.mark.parametrize("all_of_them", [True, False])
def test_an_answer_to_a_cancelled_statement_is_none(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, *, all_of_them: bool
) -> None:
    """The engine may give what it had; here it gives all, and cannot be told apart."""
    run = embedded_module._run

    def cancelled(
        connection: Any, sql: str, url: str, output: str = "Null", limits: Limits = UNLIMITED
    ) -> Any:
        if output != "Null":
            engine.cancel_all() if all_of_them else engine.cancel("tag")
        return run(connection, sql, url, output, limits)

    monkeypatch.setattr(embedded_module, "_run", cancelled)
    with pytest.raises(LimitExceeded, match="the search was cancelled"):
        engine.query_text(COUNT, tag="tag")


def test_an_answer_that_came_too_late_is_none(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = embedded_module._run

    def late(connection: Any, sql: str, url: str, output: str = "Null", limits: Limits = UNLIMITED) -> Any:
        answer = run(connection, sql, url, output)
        time.sleep(limits.seconds)
        return answer

    monkeypatch.setattr(embedded_module, "_run", late)
    with pytest.raises(LimitExceeded, match=r"did not end within 0.01s \(search_timeout\)"):
        engine.query_text(COUNT, Limits(seconds=0.01))


def test_a_stream_that_is_cancelled_does_not_end_as_if_it_were_whole(engine: EmbeddedEngine) -> None:
    parts = engine.chunks(COUNT, UNLIMITED, "tag")
    next(parts)
    engine.cancel_all()
    with pytest.raises(LimitExceeded, match="the search was cancelled"):
        list(parts)
