"""Fixtures that run the published searches, and on which engines they run.

The comparison with the oracle, over data that is made of all the awkward cases at once, runs on the default
engine, and one of them on every engine. What is written by hand for one case each runs on the default one.
With ``--all`` everything runs on all of them (see `conftest.py` of the tests).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serve"))

from published import published, run_search, send

from helpers import NOW, Point
from kubestray.detect.runner import Times
from kubestray.model.content import Content
from kubestray.pipeline.detecting import Run
from kubestray.store.store import Store


@pytest.fixture(params=["2024", "2026"])
def either_content(request: pytest.FixtureRequest) -> Content:
    return published(request.param)


@pytest.fixture
def run_published(store: Store) -> Callable[..., list[Run]]:
    """``run_published(points, name, …)`` sends the points and runs searches one after the other."""

    def run(points: list[Point], *names: str, now: int = NOW, on: Store = store, **more: str) -> list[Run]:
        send(on, points)
        return [run_search(on, name, Times(now, **more)) for name in names]

    return run


@pytest.fixture
def detect(run_published: Callable[..., list[Run]]) -> Callable[..., Run]:
    """``detect(points)`` sends the points, runs the outbound detection, and returns what it gave."""

    def run(points: list[Point], **more: str) -> Run:
        (found,) = run_published(
            points, "Kubernetes Anomalous Outbound Network Activity from Process", **more
        )
        return found

    return run
