"""Runs detections over past time as they would have run live; nothing of it stays.

What was there at the beginning is taken over: the risk events that still count, what was open, suppressions
and lookups. From then on runs take place at the times of their schedules, and findings are made of them, as
in `serve`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from kubestray.detect.scheduler import AT_ONCE, SECOND_NS, Patience
from kubestray.model.content import Content, Search
from kubestray.model.finding import Document
from kubestray.pipeline.agenda import Agenda, agenda
from kubestray.pipeline.assessing import Assessment, scoring_of
from kubestray.pipeline.detecting import Detector, Run
from kubestray.pipeline.looking import Looking
from kubestray.pipeline.runs import Runs
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

    Only one time of ``every`` takes place, and no looks between runs; ``each`` is told of each run and the
    time (ns) it was for.
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
    patience: Patience = AT_ONCE,
    trial: Trial | None = None,
) -> Replayed:
    """Run what was due in ``(begin, end]`` (ns); ``patience`` tells how long after its time it took place.

    With a ``trial`` only what that is about.
    """
    done = Replayed()
    with ExitStack() as stack:
        scratch = stack.enter_context(Scratch(store))
        _take_over(store, scratch, begin, lookback(scoring_of(content)), trial)
        detector = Detector(scratch, content, make)
        assessment = Assessment(scratch, content, begin, detector.explain)
        looks = () if trial else Looking(scratch, content, make).due(begin, end)
        due = agenda(content, lambda _: begin, lambda _: end, patience, looks)
        due = due[:: trial.every] if trial else due
        for search, times in _times(due):
            detector.learn_ahead(search, min(times), max(times))
        runs = stack.enter_context(Runs(detector, content))
        for place, pending in due:
            hits, events = [], 0
            for ran in runs.of(pending, place):
                run = ran.result()
                if run.outcome.error:
                    done.errors.setdefault(ran.due.search.name, run.outcome.error)
                hits += run.hits
                events += len(run.events)
                if trial:
                    trial.each(ran.due.scheduled, run)
            if events or any(one.told_since is None for one in pending):
                # What is recorded here is of these runs alone, but for a trial.
                assessment.advance(place, hits, events=events > 0 or trial is not None)
            done.risk_events += events
            done.runs += len(pending)
            progress(min(place, end), done.runs)
        _collect(Ledger(scratch), begin, done)
    return done


def _times(due: Agenda) -> list[tuple[Search, list[int]]]:
    """Return the times (ns) that each search is due for."""
    found: dict[str, tuple[Search, list[int]]] = {}
    for _, pending in due:
        for one in pending:
            found.setdefault(one.search.id, (one.search, []))[1].append(one.now)
    return list(found.values())


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
