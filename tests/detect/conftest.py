"""The published detection, in both of its texts, ready to run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from helpers import NOW, Point, batch, shared
from kubestray.config import load_config
from kubestray.detect.loader import load_content
from kubestray.detect.runner import Times
from kubestray.model.content import Content
from kubestray.pipeline.detecting import Detector, Run
from kubestray.pipeline.setting_up import searching
from kubestray.store.store import Store

OUTBOUND = "Kubernetes Anomalous Outbound Network Activity from Process"


@cache
def published(year: str) -> Content:
    """The published content with the outbound detection of one year."""
    folders = [shared("escu", name) for name in ("detections", "macros", "deployments")]
    if year == "2026":
        folders.append(shared("escu", "newer"))
    return load_content(folders)


@pytest.fixture(params=["2024", "2026"])
def either_content(request: pytest.FixtureRequest) -> Content:
    return published(request.param)


@pytest.fixture
def detect(store: Store) -> Callable[..., Run]:
    """``detect(points)`` sends the points, runs the detection, and returns what it gave."""

    def run(points: list[Point], *, now: int = NOW, **more: str) -> Run:
        store.append(batch(points))
        content = published("2026")
        detector = Detector(store, content, searching(load_config({}, {}, None)))
        found = detector.run(content.detections[OUTBOUND], Times(now, **more))
        assert found.outcome.error is None
        return found

    return run
