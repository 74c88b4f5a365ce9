"""Analytic stories: why their detections belong together, and how these fare."""

from __future__ import annotations

from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from kubestray.api.asking import Here, Viewer
from kubestray.api.detections import DetectionState, all_baselines, all_detections
from kubestray.api.findings import Row, by_detections
from kubestray.api.refusal import not_found
from kubestray.api.risk import scores_by_detection
from kubestray.model.content import Story
from kubestray.pipeline.running import Running
from kubestray.search.nearest import nearest

router = APIRouter(tags=["stories"])

_MOST_FINDINGS = 50


class StoryState(BaseModel):
    """A story in a list: how many detections it has, and of how many all data arrives."""

    name: str
    id: str
    description: str
    detections: int
    enabled: int
    ready: int
    risk_events: int


class StoryPage(StoryState):
    """A story with everything that belongs to it. ``risk_events`` are those of the last 30 days."""

    narrative: str
    references: list[str]
    searches: list[DetectionState]
    hits: dict[str, int]
    findings: list[Row] = Field(description="In which its detections took part, those that are open first.")


def all_stories(running: Running) -> list[StoryState]:
    """Return all stories by name."""
    states, hits = [*all_detections(running), *all_baselines(running)], scores_by_detection(running)
    return [_state(story, states, hits) for _, story in sorted(running.content.stories.items())]


def story_page(running: Running, name: str) -> StoryPage:
    """Return a story by its name."""
    story = running.content.stories.get(name)
    if story is None:
        raise not_found("story", name, nearest(name, running.content.stories) or None)
    states, hits = [*all_detections(running), *all_baselines(running)], scores_by_detection(running)
    own = [one for one in states if name in one.stories]
    return StoryPage(
        **_state(story, states, hits).model_dump(),
        narrative=story.narrative,
        references=_references(story),
        searches=own,
        hits={one.name: hits.get(one.name, (0, 0.0))[0] for one in own},
        findings=by_detections(running, [one.name for one in own])[:_MOST_FINDINGS],
    )


def _state(story: Story, states: list[DetectionState], hits: dict[str, tuple[int, float]]) -> StoryState:
    own = [one for one in states if story.name in one.stories and one.kind == "detection"]
    return StoryState(
        name=story.name,
        id=story.id,
        description=story.description,
        detections=len(own),
        enabled=sum(one.enabled for one in own),
        ready=sum(one.data.status == "ready" for one in own),
        risk_events=sum(hits.get(one.name, (0, 0.0))[0] for one in own),
    )


def _references(story: Story) -> list[str]:
    with open(story.path, encoding="utf-8") as file:  # noqa: PTH123 (a story's path is a text)
        told: Any = yaml.safe_load(file)
    found = told.get("references") if isinstance(told, dict) else None
    return [str(one) for one in found or []]


@router.get("/stories")
def stories(here: Here, _asker: Viewer) -> list[StoryState]:
    """Return all stories."""
    return all_stories(here)


@router.get("/stories/{name}")
def story(here: Here, _asker: Viewer, name: Annotated[str, Path(max_length=200)]) -> StoryPage:
    """Return one story."""
    return story_page(here, name)
