"""What an ingest leaves behind: summaries after many points, notices after few."""

from __future__ import annotations

import pytest

from engines.fleet import Fleet
from helpers import HOUR, NOW, batch, series
from kubestray.config import load_config
from kubestray.model.content import Content
from kubestray.pipeline import ingesting
from kubestray.pipeline.ingesting import Taken, summarise
from kubestray.pipeline.upkeep import waiting
from kubestray.store.store import Store


def filled(store: Store) -> Store:
    store.clock = lambda: NOW
    store.append(batch([(series("cpu", host="a"), NOW - 5 * HOUR, 0, 1.0)]))
    return store


def hours_waiting(store: Store) -> int:
    return waiting(store, load_config({}, {}, None), Content()).hours


@pytest.mark.parametrize("engine", ["embedded", "socket"])
def test_many_points_are_summarised_here_or_by_who_serves(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(ingesting, "MANY_POINTS", 10)
    with fleet.store(engine) as store:
        due = hours_waiting(filled(store))
        assert due > 0
        summarise(store, Taken(data_points=9), lambda: ())
        assert hours_waiting(store) == due
        summarise(store, Taken(data_points=10), lambda: ())
        assert hours_waiting(store) == (0 if engine == "embedded" else due)
