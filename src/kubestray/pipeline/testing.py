"""Runs the tests of detections: data into a store of its own, the search as it runs live, a comparison."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubestray.config import Config
from kubestray.detect.cases import Case, Scenario, cases_of
from kubestray.detect.notation import read_points
from kubestray.detect.runner import Times
from kubestray.model.content import Baseline, Content, Detection, Search
from kubestray.model.counted import counted
from kubestray.model.errors import UsageError
from kubestray.model.metric import Batch
from kubestray.model.risk import RiskEvent
from kubestray.pipeline.detecting import Detector, Run
from kubestray.pipeline.setting_up import searching
from kubestray.pipeline.surroundings import Surroundings
from kubestray.risk.events import risk_events
from kubestray.risk.placing import placed
from kubestray.simulate import FAMILIES, SimulationConfig, simulate
from kubestray.store.ledger import Ledger
from kubestray.store.open import open_store
from kubestray.store.store import Store

_FAST = Path("/dev/shm")  # noqa: S108 (a folder in memory, of a name that nobody can guess)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a test: ``wrong`` says what was not as expected, empty if all was."""

    detection: str
    path: str
    test: str
    rows: int
    wrong: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.wrong


def run_tests(config: Config, content: Content, wanted: Sequence[Detection | Baseline]) -> Iterator[Verdict]:
    """Run all tests of some searches; a search without any gives one verdict, which says so.

    Raises `UsageError` for a test that cannot be read.
    """
    for search in wanted:
        cases = cases_of(search)
        if not cases and isinstance(search, Detection):
            missing = "has no test: write tests: with one that fires and one that stays quiet"
            yield Verdict(search.name, search.path, "", 0, (missing,))
        for case in cases:
            run = _run(config, content, search, case)
            yield Verdict(
                search.name, search.path, case.name, len(run.outcome.rows), tuple(_compared(case, run))
            )


def _run(config: Config, content: Content, search: Detection | Baseline, case: Case) -> Run:
    memory = str(_FAST) if _FAST.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="kubestray-test-", dir=memory) as folder:
        store = open_store(folder)
        try:
            for batch in _data(case):
                store.append(batch)
            if case.risk:
                Ledger(store).record_risk(list(_risk(case, search, content, store)))
            return Detector(store, content, searching(config)).run(search, Times(case.now))
        finally:
            store.close()


def _data(case: Case) -> Iterable[Batch]:
    if case.scenario is None:
        return [read_points(case.data, case.now, case.step)]
    return _simulated(case.scenario, case)


def _risk(case: Case, search: Search, content: Content, store: Store) -> Iterator[RiskEvent]:
    """Give the risk events of a test, as the detections that they are of would have made them."""
    around = Surroundings(store, content).now()
    for told in case.risk:
        of = content.detections.get(told.detection)
        if of is None or not of.risk_objects:
            raise UsageError(
                f"{search.path}: {case.name}: there is no detection {told.detection!r} that puts something "
                "at risk; kubestray content list shows all"
            )
        time = case.now - told.ago
        rows = [{of.risk_objects[0].field: told.entity}]
        for event in risk_events(of, rows, (time, time), time):
            yield placed(event, around)


def _simulated(told: Scenario, case: Case) -> Iterator[Batch]:
    settings = SimulationConfig(
        start_ns=case.now - told.length,
        end_ns=case.now,
        seed=told.seed,
        scenario=told.name,
        nodes=told.nodes,
        processes=told.processes,
        size=told.size,
    )
    families = told.families or tuple(FAMILIES)
    yield from simulate(settings).batches(case.now - told.length, case.now, case.step // 10**9, families)


def _compared(case: Case, run: Run) -> Iterator[str]:
    """Yield what is not as the test expects it."""
    rows = run.outcome.rows
    if run.outcome.error:
        yield run.outcome.error
        return
    if case.rows is not None and len(rows) != case.rows:
        yield f"expected {counted(case.rows, 'row')}, found {len(rows)}{_shown(rows)}"
    if case.entities is not None:
        told = {event.risk_object for event in run.events} | {str(hit.entity) for hit in run.hits}
        found = sorted(told)
        if found != sorted(case.entities):
            yield f"expected at risk: {_named(case.entities)}; found: {_named(found)}"
    if case.fields and not any(_same(case.fields, row) for row in rows):
        yield f"no row has {dict(case.fields)}{_shown(rows)}"


def _named(entities: Iterable[str]) -> str:
    return ", ".join(entities) or "nobody"


def _same(wanted: Any, row: dict[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in wanted.items())


def _shown(rows: list[dict[str, Any]]) -> str:
    return "".join(f"\n    {row}" for row in rows[:5])
