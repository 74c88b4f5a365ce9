"""detect → risk: runs searches of the content and keeps what they find."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from kubestray.detect.loader import content_files, load_item
from kubestray.detect.runner import Outcome, Times, run_once
from kubestray.model.content import Baseline, Content, Detection, Search
from kubestray.model.errors import ContentError, Diagnostic, UsageError
from kubestray.model.risk import RiskEvent
from kubestray.pipeline.setting_up import built_in, events_of, lookups_of
from kubestray.risk.events import risk_events
from kubestray.search.kept import Kept
from kubestray.search.run import Request
from kubestray.store.store import Store


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a detection or baseline, and the risk events it gave."""

    outcome: Outcome
    events: list[RiskEvent]

    @property
    def is_baseline(self) -> bool:
        """Whether this kept what is normal instead of looking for what is not."""
        return isinstance(self.outcome.search, Baseline)

    def as_json(self) -> dict[str, Any]:
        """Return the run in the shape that ``kubestray detect --format json`` prints."""
        outcome = self.outcome
        return {
            "detection": outcome.search.name,
            "id": outcome.search.id,
            "window": [edge / 1e9 for edge in outcome.window],
            "rows": outcome.rows,
            "risk_events": [{"id": event.id, **event.fields} for event in self.events],
            "annotations": outcome.annotations,
            "error": outcome.error,
        }


class Detector:
    """Runs searches of a content against a store."""

    def __init__(self, store: Store, content: Content, make: Callable[..., Request]) -> None:
        self._store, self._content, self._make = store, content, make
        self._kept = Kept(store.changes)

    def run(self, search: Search, times: Times) -> Run:
        """Run one search; its risk events are in the store when this returns, each once."""
        lookups = lookups_of(self._store, self._content)
        make = partial(self._make, lookups=lookups, events=events_of(self._store), kept=self._kept)
        outcome = run_once(search, self._content, times, self._store.query, make)
        events: list[RiskEvent] = []
        if isinstance(search, Detection) and outcome.error is None:
            events = risk_events(search, outcome.rows, outcome.window, outcome.now, outcome.keys)
            self._store.record("risk", _risk_table(events))
        return Run(outcome, events)


def _risk_table(events: list[RiskEvent]) -> pa.Table:
    columns = {
        "id": pa.array([e.id for e in events], pa.string()),
        "time": pa.array([e.time for e in events], pa.uint64()),
        "detection": pa.array([e.detection for e in events], pa.string()),
        "risk_object": pa.array([e.risk_object for e in events], pa.string()),
        "risk_object_type": pa.array([e.risk_object_type for e in events], pa.string()),
        "risk_score": pa.array([e.risk_score for e in events], pa.float64()),
        "fields": pa.array([json.dumps(e.fields, sort_keys=True) for e in events], pa.string()),
        "recorded": pa.array([time.time_ns()] * len(events), pa.uint64()),
    }
    return pa.table(columns)


def wanted_searches(content: Content, wanted: Sequence[str]) -> list[Search]:
    """Return the searches that are asked for by name or path; without any, the built-in enabled detections.

    Files and folders that are named are taken into the content. Baselines of a path come first when
    they are written first: they run in the order given.
    """
    if not wanted:
        shipped = str(built_in())
        return [d for d in content.detections.values() if d.enabled and d.path.startswith(shipped)]
    return [search for word in wanted for search in _named(content, word)]


def _named(content: Content, word: str) -> Iterable[Search]:
    path = Path(word)
    if path.exists():
        return _from_path(content, path)
    found = content.detections.get(word) or content.baselines.get(word)
    if found is None:
        raise UsageError(
            f"there is no detection, baseline or file {word!r}; kubestray content list shows all"
        )
    return [found]


def _from_path(content: Content, path: Path) -> list[Search]:
    found, problems = _taken_in(content, content_files(path))
    if problems:
        raise ContentError(problems)
    if not found:
        raise UsageError(f"{path} holds no detection and no baseline")
    return found


def _taken_in(content: Content, files: Iterable[Path]) -> tuple[list[Search], list[Diagnostic]]:
    """Take files into a content; return the searches among them, and every problem."""
    found: list[Search] = []
    problems: list[Diagnostic] = []
    for file in files:
        try:
            item = load_item(file)
        except ContentError as error:
            problems += error.diagnostics
            continue
        content.add(item)
        if isinstance(item, Detection | Baseline):
            found.append(item)
    return found, problems
