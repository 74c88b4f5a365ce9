"""What tests of meaning run on: a store on each of the three engines."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from console import People, people_on
from engines.fleet import ENGINES, Fleet
from kubestray.store.store import Store

# The same examples every time: a red run means a change. HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

_ROOM = 2 << 30  # bytes: the stores of two workers take a part of it


def _memory() -> str | None:
    """A folder in memory, if there is one with room: short tests wait for the disk most of the time."""
    folder = "/dev/shm"
    return folder if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > _ROOM else None


if _memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_memory()))  # where `tmp_path` is


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """The one chDB directory of this process."""
    with tempfile.TemporaryDirectory(prefix="kubestray-tests-", dir=_memory()) as directory:
        fleet = Fleet(Path(directory))
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


@pytest.fixture(scope="session")
def people(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """One console for all tests of the API and of pages; each makes what it changes."""
    with people_on(fleet, tmp_path_factory.mktemp("console")) as people:
        yield people
