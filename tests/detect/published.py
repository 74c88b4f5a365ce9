"""The published content, and what runs its searches on a store."""

from __future__ import annotations

from functools import cache
from typing import Any

from helpers import Point, batch, shared
from kubestray.config import load_config
from kubestray.detect.loader import load_content
from kubestray.detect.runner import Times
from kubestray.model.content import Content
from kubestray.pipeline.detecting import Detector, Run
from kubestray.pipeline.setting_up import searching
from kubestray.store.store import Store

_FOLDERS = ("baselines", "deployments", "detections", "lookups", "macros")


@cache
def published(year: str = "2026") -> Content:
    """The published content with the outbound detection of one year."""
    folders = [shared("escu", name) for name in _FOLDERS]
    if year == "2026":
        folders.append(shared("escu", "newer"))
    return load_content(folders)


def send(store: Store, points: list[Point]) -> None:
    """Send points in two requests, the later ones first, as a retry would."""
    cut = len(points) // 3
    store.append(batch(points[cut:]))
    store.append(batch(points[:cut]))


def run_search(store: Store, name: str, times: Times, content: Content | None = None) -> Run:
    """Run a detection or a baseline, which must work."""
    content = content or published()
    detector = Detector(store, content, searching(load_config({}, {}, None)))
    searches: dict[str, Any] = {**content.baselines, **content.detections}
    found = detector.run(searches[name], times)
    assert found.outcome.error is None
    return found
