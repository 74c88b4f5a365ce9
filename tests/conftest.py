"""What tests of meaning run on: a store on each of the three engines."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

import helpers
from console import People, people_on
from engines.fleet import ENGINES, Fleet
from kubestray.store.engine import FILL_SETTINGS, READ_SETTINGS
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


_LONG = ("detect", "pipeline", "search", "store")
"""Folders whose tests of the meaning of searches take most of the time."""

_OVER_HTTP = ("test_outbound_process.py", "test_ingesting.py")
"""Modules of these that run over HTTP all the same."""

_ON_SHARDS = ("test_network.py",)
"""Modules whose properties run on two shards all the same: one of the published searches."""


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "run what another test shows as well too (make test-all): what is marked so, and on every engine"
    parser.addoption("--all", action="store_true", dest="all_tests", help=told)


def pytest_configure(config: pytest.Config) -> None:
    """Say which tests are wanted; without ``--all`` statements of this process are not compiled.

    The engine compiles parts of those that it has seen three times, which takes longer than it saves over so
    few rows. It does so with ``--all``, and in all processes of the command.
    """
    helpers.all_tests = config.getoption("all_tests")
    if not helpers.all_tests:
        for name in ("expressions", "aggregate_expressions", "sort_description", "regular_expressions"):
            READ_SETTINGS[f"compile_{name}"] = FILL_SETTINGS[f"compile_{name}"] = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is shown elsewhere, unless asked for ``--all``.

    That is what is marked ``more``; and on engines besides the embedded one what takes most of the time: the
    same statements take another way to the same engine there. What could be lost on it has tests of its own,
    and so has each kind of statement (`_is_more_of_an_engine`).
    """
    if config.getoption("all_tests"):
        return
    left_out = {item for item in items if _is_more(item) or _is_more_of_an_engine(item)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Spare the collector what lives as long as the process: the modules, and the tests themselves.

    A search makes a hundred thousand nodes of trees, and each time that so many more are there all of these
    would be looked through for cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def _engine(item: pytest.Item) -> str:
    """Return the engine of a test that runs on several."""
    given = item.callspec.params if hasattr(item, "callspec") else {}
    return str(given.get("store") or given.get("any_store") or "embedded")


def _is_more(item: pytest.Item) -> bool:
    """Tell whether a test is marked: as a whole, or on the engines that the mark names."""
    return any(not mark.args or _engine(item) in mark.args for mark in item.iter_markers("more"))


def _is_more_of_an_engine(item: pytest.Item) -> bool:
    """Tell whether a test runs on another engine than the default one and shows nothing new there.

    So do properties of long folders, whose statements shorter tests run there; and cases of the published
    searches that are written by hand, as the comparison with their oracle holds all of them.
    """
    folder, name = item.path.relative_to(Path(__file__).parent).parts[0], item.path.name
    engine = _engine(item)
    if engine == "embedded" or folder not in _LONG:
        return False
    if is_hypothesis_test(getattr(item, "obj", None)):
        return name not in (_OVER_HTTP if engine == "http" else _ON_SHARDS)
    return folder == "detect" or (engine == "http" and folder == "pipeline" and name not in _OVER_HTTP)


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
