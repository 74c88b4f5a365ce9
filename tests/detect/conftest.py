"""The published detection, in both of its texts, ready to run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import NOW, Point, batch, shared

from kubestray.config import load_config
from kubestray.detect.loader import load_content
from kubestray.detect.runner import Times
from kubestray.model.content import Content, Detection
from kubestray.pipeline.detecting import Detector, Run
from kubestray.pipeline.setting_up import searching
from kubestray.store.store import Store

OUTBOUND = "Kubernetes Anomalous Outbound Network Activity from Process"

Detect = Callable[..., Run]
"""``detect(points)``: send the points, run the detection, return what it gave."""


@pytest.fixture(params=["2024", "2026"])
def published(request: pytest.FixtureRequest) -> Content:
    """The published content with the outbound detection of one year."""
    folders: list[Path] = [shared("escu", name) for name in ("detections", "macros", "deployments")]
    if request.param == "2026":
        folders.append(shared("escu", "newer"))
    return load_content(folders)


@pytest.fixture
def outbound(published: Content) -> Detection:
    return published.detections[OUTBOUND]


@pytest.fixture
def detect(store: Store, published: Content, outbound: Detection) -> Detect:
    def run(points: list[Point], *, now: int = NOW, **more: str) -> Run:
        store.append(batch(points))
        detector = Detector(store, published, searching(load_config({}, {}, None)))
        found = detector.run(outbound, Times(now, **more))
        assert found.outcome.error is None
        return found

    return run
