"""Every case in ``cases/``: load, search, expect.

All on the embedded engine. On two shards one in six of those of each file that read tables, as nothing else
knows of shards; over HTTP one in six of each file: the same statements take another way to the same engine.
With ``--all`` everything on all of them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from case_file import NOW, Case, read_cases
from sqlglot import exp

import helpers
from engines.fleet import Fleet, emptied
from helpers import batch
from kubestray.model.errors import SearchError
from kubestray.search.commands import MODULES
from kubestray.search.events import StoredEvents
from kubestray.search.functions import FUNCTIONS
from kubestray.search.lookup_store import StoreLookups
from kubestray.search.measures import MEASURES
from kubestray.search.relation import Switches
from kubestray.search.run import Request, Result, run_search
from kubestray.search.statistics import STATISTICS
from kubestray.store.engine import Statement
from kubestray.store.points import Span
from kubestray.store.schema import _UNIQUE
from kubestray.store.store import Store

FILES = sorted((Path(__file__).parent / "cases").glob("*.cases"))
CASES = [case for file in FILES for case in read_cases(file)]
ANSWERED = [case for case in CASES if case.refused is None]
REFUSED = [case for case in CASES if case.refused is not None]


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Store]:
    with fleet.store(request.param) as store:
        yield store


_OF_TABLES = re.compile("lookup|collect|index|mstats|mcatalog|mpreview|stray|unseen|risk|makeresults")


def reads_tables(case: Case) -> bool:
    """Whether a case may read a table of the store; `run` sees to it that no other one does."""
    around = case.points or case.before or case.indexes or case.lookups
    return case.rows is None or bool(around) or bool(_OF_TABLES.search(case.search))


def run(case: Case, store: Store) -> Result:
    if not reads_tables(case):
        return run_search(request_of(case, case.search, store), partial(query_of_no_table, store))
    store = emptied(store)
    store.append(batch(case.points))
    for text in case.before:
        run_search(request_of(case, text, store), store.query)
    return run_search(request_of(case, case.search, store), store.query)


def query_of_no_table(store: Store, tree: Statement, *more: Any) -> pa.Table:
    assert isinstance(tree, exp.Expr)
    read = {table.name for table in tree.find_all(exp.Table) if table.name in _UNIQUE or table.db}
    assert read == set(), "the case is left out on two shards: a word of its search belongs to _OF_TABLES"
    return store.query(tree, *more)


def request_of(case: Case, text: str, store: Store) -> Request:
    return Request(
        text,
        NOW,
        Span(*case.range) if case.range else Span(),
        macros=lambda name, count: case.macros.get((name, count)),
        switches=Switches(**case.switches),
        rows=case.rows,
        lookups=StoreLookups(store.query, store.record, {}, case.lookups),
        events=StoredEvents(store.query, store.record),
        indexes=case.indexes,
    )


def _chosen() -> Iterator[Any]:
    for name, one_in in (("embedded", 1), ("http", 6), ("distributed", 6)):
        place: Counter[str] = Counter()
        for case in ANSWERED:
            counts = name != "distributed" or reads_tables(case)
            is_more = place[case.path.stem] % one_in > 0 or not counts
            place[case.path.stem] += counts
            if helpers.all_tests or not is_more:  # to collect and leave out so many takes a while
                yield pytest.param(name, case, id=f"{name}-{case.id}")


# Without a scope the fixture would be made anew for each case.
@pytest.mark.parametrize(("engine", "case"), list(_chosen()), indirect=["engine"], scope="module")
def test_answered(case: Case, engine: Store) -> None:
    assert case.expected is not None, "a case needs expect or refuse"
    found = run(case, engine)
    assert found.fields == case.fields
    assert [str(note) for note in found.annotations] == case.notes
    assert len(found.rows) == len(case.expected), found.rows
    for row, expected in zip(found.rows, case.expected, strict=True):
        assert row.keys() == expected.keys(), (row, expected)
        assert all(same(row[name], expected[name]) for name in expected), (row, expected)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_refused(case: Case, embedded: Store) -> None:
    assert case.refused is not None
    with pytest.raises(SearchError) as raised:
        run(case, embedded)
    said = str(raised.value)
    if case.refused.endswith("…"):
        assert said.startswith(case.refused[:-1])
    else:
        assert said == case.refused


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        is_number = isinstance(found, int | float)
        return is_number and math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-300)
    return bool(found == expected)


def test_every_command_has_cases() -> None:
    assert {file.stem for file in FILES} >= set(MODULES)


@pytest.mark.parametrize(
    ("known", "stem"), [(FUNCTIONS, "eval"), (STATISTICS, "stats"), (MEASURES, "mstats")]
)
def test_every_function_has_cases(known: dict[str, Any], stem: str) -> None:
    written = " ".join(case.search for case in ANSWERED if case.path.stem == stem)
    assert [name for name in known if f"{name}(" not in written] == []


def test_names_of_cases_are_unique() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
