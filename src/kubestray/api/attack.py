"""MITRE ATT&CK: which techniques detections cover, where there were hits, and what nobody would see."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from kubestray.api.asking import Here, Viewer
from kubestray.api.detections import DetectionState, all_detections
from kubestray.api.risk import scores_by_detection
from kubestray.api.times import Earliest, Latest, span_of
from kubestray.pipeline.running import Running
from kubestray.risk.attack import TACTICS, TECHNIQUES
from kubestray.store.points import Span

router = APIRouter(tags=["attack"])


class Cell(BaseModel):
    """A technique and how far it is covered.

    ``covered``: an enabled detection has all its data. ``partial``: one is enabled, and lacks some.
    ``off``: detections are there, none is enabled. ``blind``: no detection looks for it.
    """

    id: str
    name: str
    coverage: str
    detections: list[str]
    hits: int = Field(description="Risk events of these detections in the time range.")
    below: list[str] = Field(description="Techniques below this one that detections name.")


class Column(BaseModel):
    """A tactic with its techniques: those that show in metrics of containers."""

    id: str
    name: str
    techniques: list[Cell]


class Matrix(BaseModel):
    """The matrix, and how many techniques there are of each coverage."""

    tactics: list[Column]
    counts: dict[str, int]
    elsewhere: list[Cell] = Field(description="Techniques that detections name and the matrix does not have.")


def matrix(running: Running, span: Span) -> Matrix:
    """Return the matrix with the hits of a time range."""
    states, hits = all_detections(running), scores_by_detection(running, span)
    named: dict[str, list[DetectionState]] = {}
    below: dict[str, list[str]] = {}
    for state in states:
        for technique in state.techniques:
            parent = technique.partition(".")[0]
            named.setdefault(parent, []).append(state)
            if technique != parent:
                below.setdefault(parent, []).append(technique)

    def cell(number: str, name: str) -> Cell:
        found = list({one.name: one for one in named.get(number, [])}.values())
        return Cell(
            id=number,
            name=name,
            coverage=_coverage(found),
            detections=[one.name for one in found],
            hits=sum(hits.get(one.name, (0, 0.0))[0] for one in found),
            below=sorted(set(below.get(number, []))),
        )

    cells = {number: cell(number, technique.name) for number, technique in TECHNIQUES.items()}
    tactics = [
        Column(
            id=identity,
            name=tactic.replace("-", " "),
            techniques=[cells[n] for n, technique in TECHNIQUES.items() if tactic in technique.tactics],
        )
        for tactic, identity in TACTICS.items()
    ]
    counts: dict[str, Any] = dict.fromkeys(("covered", "partial", "off", "blind"), 0)
    for one in cells.values():
        counts[one.coverage] += 1
    elsewhere = [cell(number, number) for number in named if number not in TECHNIQUES]
    return Matrix(tactics=tactics, counts=counts, elsewhere=elsewhere)


def _coverage(found: list[DetectionState]) -> str:
    enabled = [one for one in found if one.enabled]
    if not enabled:
        return "off" if found else "blind"
    return "covered" if any(one.data.status == "ready" for one in enabled) else "partial"


@router.get("/attack")
def attack(here: Here, _asker: Viewer, earliest: Earliest = "-30d", latest: Latest = "") -> Matrix:
    """Return the ATT&CK matrix with coverage and hits."""
    return matrix(here, span_of(here, earliest, latest))
