"""Detections and baselines by their names."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from kubestray.api.refusal import not_found
from kubestray.model.content import Search
from kubestray.pipeline.running import Running
from kubestray.search.nearest import nearest

Name = Annotated[str, Path(max_length=200, description="The name of a detection")]


def search_named(running: Running, name: str) -> Search:
    """Return a detection or baseline by its name."""
    content = running.content
    found = content.detections.get(name) or content.baselines.get(name)
    if found is None:
        known = [*content.detections, *content.baselines]
        raise not_found("detection", name, nearest(name, known) or None)
    return found
