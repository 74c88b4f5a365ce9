"""What an ingest leaves behind: summaries after many points, notices after few."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.fleet import Fleet
from helpers import DAY, HOUR, NOW, SECOND, batch, series
from kubestray.config import load_config
from kubestray.model.content import Content
from kubestray.pipeline import ingesting
from kubestray.pipeline.ingesting import Taken, ingest, summarise
from kubestray.pipeline.upkeep import waiting
from kubestray.store.expiry import expire
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser


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


def test_points_of_days_that_have_expired_are_told(embedded: Store, tmp_path: Path) -> None:
    """Their summaries are final: nobody can tell a resend from a point that comes late."""
    store = Store(embedded.engine, embedded.layout, lambda: NOW)
    day = (NOW // DAY - 9) * DAY
    times = [day - SECOND, day, day + DAY - SECOND, day + DAY, NOW]
    points = ", ".join(f'{{"timeUnixNano": "{time}", "asDouble": 1}}' for time in times)
    gauge = f'{{"name": "m", "gauge": {{"dataPoints": [{points}]}}}}'
    file = tmp_path / "m.jsonl"
    file.write_text(f'{{"resourceMetrics": [{{"scopeMetrics": [{{"metrics": [{gauge}]}}]}}]}}\n')
    assert ingest(store, [str(file)]).expired == 0
    Summariser(store, ()).catch_up()
    assert len(expire(store, day + DAY)) == 2
    again = ingest(store, [str(file)])
    assert (again.data_points, again.expired) == (5, 3)
