"""Runs detections over past time as they would have run live; nothing of it stays.

What was there at the beginning is taken over: the risk events that still count, what was open, suppressions
and lookups. From then on runs take place at the times of their schedules, and findings are made of them, as
in `serve`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from kubestray.detect.runner import Times
from kubestray.detect.scheduler import SECOND_NS
from kubestray.model.content import Content
from kubestray.model.finding import Document
from kubestray.pipeline.assessing import Assessment, scoring_of
from kubestray.pipeline.detecting import Detector, Run
from kubestray.pipeline.schedule import due_runs
from kubestray.risk.findings import lookback
from kubestray.store.ledger import Ledger
from kubestray.store.scratch import Scratch
from kubestray.store.store import Store
from kubestray.store.trees import all_of, column, select, unsigned

Progress = Callable[[int, int], None]
"""Told the time (ns) that is done with, and how many runs there were up to it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A replay of a content of one detection, to see what comes of it alone.

    Only one time of ``every`` takes place; ``each`` is told of each run and the time (ns) it was for.
    ``risk_until`` (ns) is up to when risk events of others are taken over, for a rule that looks at them.
    """

    each: Callable[[int, Run], None]
    every: int = 1
    risk_until: int = 0


@dataclass(slots=True)
class Replayed:
    """What a replay came to: documents as they stood at the end, and the searches that failed."""

    findings: list[Document] = field(default_factory=list)
    incidents: list[Document] = field(default_factory=list)
    runs: int = 0
    risk_events: int = 0
    errors: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as ``kubestray replay --format json`` prints it."""
        return {"findings": self.findings, "incidents": self.incidents}


def replay(
    store: Store,
    content: Content,
    make: Callable[..., Any],
    begin: int,
    end: int,
    progress: Progress,
    trial: Trial | None = None,
) -> Replayed:
    """Run what was due in ``(begin, end]`` (ns); all of it, or what a trial is about."""
    done = Replayed()
    with Scratch(store) as scratch:
        _take_over(store, scratch, begin, lookback(scoring_of(content)), trial)
        detector = Detector(scratch, content, make)
        assessment = Assessment(scratch, content, begin, detector.explain)
        due = due_runs(content, lambda _: begin, end)
        for when, searches in due[:: trial.every] if trial else due:
            hits = []
            for search in searches:
                run = detector.run(search, Times(when))
                if run.outcome.error:
                    done.errors.setdefault(search.name, run.outcome.error)
                hits += run.hits
                if trial:
                    trial.each(when, run)
                done.risk_events += len(run.events)
            assessment.advance(when, hits)
            done.runs += len(searches)
            progress(when, done.runs)
        _collect(Ledger(scratch), begin, done)
    return done


def _take_over(store: Store, scratch: Scratch, begin: int, back: int, trial: Trial | None) -> None:
    """Take over what was there at the beginning; for a trial not what others had found."""
    since = exp.GT(this=column("time"), expression=unsigned(max(begin - back, 0)))
    until = exp.LTE(this=column("time"), expression=unsigned(trial.risk_until if trial else begin))
    scratch.copy(store, "risk", select(exp.Star()).from_("risk").where(all_of([since, until.copy()])))
    if not trial:
        scratch.copy(store, "findings", select(exp.Star()).from_("findings").where(until))
    learned = exp.LTE(this=column("until"), expression=unsigned(begin // SECOND_NS))
    scratch.copy(store, "profiles", select(exp.Star()).from_("profiles").where(learned))
    for name in ("decisions", "events", "lookups", "lookup_rows"):
        scratch.copy(store, name, select(exp.Star()).from_(name))


def _collect(ledger: Ledger, begin: int, done: Replayed) -> None:
    """Take down findings and incidents as they stood at the end, those that nothing became of since aside."""
    for noted in sorted(
        ledger.latest(after=begin), key=lambda one: (one.document["opened"], one.document["id"])
    ):
        if noted.document["kind"] == "finding":
            done.findings.append(noted.document)
        elif not noted.document["merged_into"]:
            done.incidents.append(noted.document)
