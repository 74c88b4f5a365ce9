"""Running servers, which never outlive their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from product import Serve


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def serve(store) -> Iterator[Callable[..., Serve]]:
    """A function that starts servers: flags are arguments, settings in the environment are keywords."""
    running: list[Serve] = []

    def start(*flags: str, at: Path = store, **settings: str) -> Serve:
        running.append(Serve(at, flags, settings))
        return running[-1].start()

    yield start
    for server in running:
        server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Serve]:
    """One server for all tests of a module; each uses metric names of its own."""
    running = Serve(tmp_path_factory.mktemp("shared") / "store")
    try:
        yield running.start()
    finally:
        running.close()
