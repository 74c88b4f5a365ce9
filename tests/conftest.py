"""What tests of meaning run on: a store on each of the three engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engines.fleet import ENGINES, Fleet

from kubestray.store.store import Store


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The one chDB directory of this process."""
    fleet = Fleet(tmp_path_factory.mktemp("chdb"))
    yield fleet
    fleet.close()


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Store]:
    """An empty store; a test that asks for it runs on every engine."""
    with fleet.store(request.param) as store:
        yield store


@pytest.fixture
def embedded(fleet: Fleet) -> Iterator[Store]:
    """An empty store on the default engine alone: for what does not depend on the engine."""
    with fleet.store("embedded") as store:
        yield store
