"""detect → risk: runs searches of the content and keeps what they find."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kubestray.detect.loader import content_files, load_item
from kubestray.detect.runner import Outcome, Times, held_once, request_of, run_once
from kubestray.model.content import Baseline, Content, Detection, Search
from kubestray.model.errors import ContentError, Diagnostic, KubestrayError, UsageError
from kubestray.model.risk import RiskEvent
from kubestray.pipeline.assessing import hits_of, is_rule
from kubestray.pipeline.setting_up import built_in, events_of, lookups_of, profiles_of
from kubestray.pipeline.surroundings import Surroundings
from kubestray.risk.documents import row_of
from kubestray.risk.events import risk_events
from kubestray.risk.findings import Hit
from kubestray.risk.placing import placed
from kubestray.search.explaining import explain_result
from kubestray.search.kept import Kept
from kubestray.search.nearest import nearest
from kubestray.search.run import Request, compile_search, learns
from kubestray.store.ledger import Ledger, subjects
from kubestray.store.points import Span
from kubestray.store.schema import LEDGERS
from kubestray.store.scratch import Scratch
from kubestray.store.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a detection or baseline, and the risk events it gave; ``hits`` are the rows of a rule."""

    outcome: Outcome
    events: list[RiskEvent]
    hits: list[Hit] = field(default_factory=list)

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
        self._store, self._content, self.make = store, content, make
        # A plan that is kept is text: it names the tables of the store itself, not those of a trial.
        self.kept = Kept(store.changes, LEDGERS if isinstance(store, Scratch) else ())
        self._ledger, self._surroundings = Ledger(store), Surroundings(store, content)
        self._profiles = profiles_of(store, keep=True)

    def run(
        self, search: Search, times: Times, place: int | None = None, told_since: int | None = None
    ) -> Run:
        """Run one search; its risk events are in the store when this returns, each once.

        A rule gives none: what its rows say becomes findings. ``place`` (ns) is the time of the events, if
        it is another than that of the run. With ``told_since`` (ns) the events are those that tell more than
        what the search has told from then on.
        """
        outcome = run_once(search, self._content, times, self._store.query, self._making())
        if not isinstance(search, Detection) or outcome.error is not None or not outcome.rows:
            return Run(outcome, [])
        around = self._surroundings.now()
        if is_rule(search):
            return Run(outcome, [], hits_of(search, outcome.rows, outcome.now, around))
        found = risk_events(search, outcome.rows, outcome.window, outcome.now, outcome.keys)
        events = [placed(event, around) for event in found]
        if place is not None:
            events = [dataclasses.replace(event, time=place) for event in events]
        if told_since is not None:
            told = self._ledger.told(search.name, told_since, outcome.now)
            events = [event for event in events if not told.issuperset(subjects(event))]
        self._ledger.record_risk(events)
        return Run(outcome, events)

    def held(self, search: Search, times: Times) -> Outcome | None:
        """Return the alarms that a search has held back; None if it holds none back."""
        return held_once(search, self._content, times, self._store.query, self._making())

    def learn_ahead(self, search: Search, first: int, last: int) -> None:
        """Have a search that learns go through all that its runs from ``first`` to ``last`` (ns) are about.

        These find what was said of their bins then. It saves much of a replay, and changes nothing: what is
        said of a bin depends on no later one.
        """
        making = self._making()
        try:
            begin, end = (request_of(search, self._content, Times(now), making) for now in (first, last))
            if learns(end):
                span = Span(begin.span.earliest, end.span.latest)
                compile_search(dataclasses.replace(end, span=span), self._store.query, at_once=True)
        except KubestrayError:
            logger.debug("%s learns as its runs go", search.name, exc_info=True)

    def explain(self, event: RiskEvent) -> dict[str, Any] | None:
        """Work out how the score of a risk event came about; None if its detection scores nothing."""
        search = self._content.detections.get(event.detection)
        if search is None:
            return None
        edges = [str(event.fields[name]) for name in ("info_min_time", "info_max_time")]
        try:
            request = request_of(search, self._content, Times(event.time, *edges), self._making())
            found = explain_result(request, self._store.query, row_of(event.fields))
        except KubestrayError:
            # The finding stands without it; what is wrong with the search was told when it ran.
            logger.warning("%s: its score cannot be explained", event.detection, exc_info=True)
            return None
        return None if found is None else json.loads(json.dumps(found.as_json()))

    def _making(self) -> Callable[..., Request]:
        """Return what makes requests, with what is in the store now."""
        lookups, events = lookups_of(self._store, self._content), events_of(self._store)
        kept = {"profiles": self._profiles, "kept": self.kept}
        return partial(self.make, lookups=lookups, events=events, **kept)


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
        close = nearest(word, [*content.detections, *content.baselines])
        raise UsageError(
            f"there is no detection, baseline or file {word!r}; {close or 'kubestray content list shows all'}"
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
