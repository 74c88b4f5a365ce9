"""Rows as they come, and limits and cancellation, on every engine and beside a server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp, parse_one

from engines.fleet import ENGINES, Fleet
from helpers import NOW, batch, series
from kubestray.model.errors import KubestrayError, LimitExceeded, StoreError
from kubestray.store.engine import UNLIMITED, Limits
from kubestray.store.store import Store

pytestmark = pytest.mark.more("distributed")  # an embedded engine over other tables, which are not read here

ALL = (*ENGINES, "socket")

ENDLESS = "SELECT number FROM numbers(1000000000000)"
SILENT = "SELECT sum(cityHash64(number)) FROM numbers(10000000000000)"
"""Gives its only row after hours."""

RUNNING = (
    "SELECT count() - 1 AS n FROM system.processes WHERE startsWith(Settings['log_comment'], 'kubestray')"
)
"""How many statements there are beside this one."""


@pytest.fixture(params=ALL)
def any_store(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Store]:
    with fleet.store(request.param) as store:
        yield store


def tree(sql: str) -> exp.Expr:
    return parse_one(sql, dialect="clickhouse")


def query(store: Store, sql: str, limits: Limits = UNLIMITED) -> list[dict[str, Any]]:
    return store.query(tree(sql), limits).to_pylist()


def stream(store: Store, sql: str, limits: Limits = UNLIMITED) -> list[dict[str, Any]]:
    with store.stream(tree(sql), limits) as batches:
        return [row for batch in batches for row in batch.to_pylist()]


def until_error(store: Store, sql: str, limits: Limits = UNLIMITED) -> tuple[int, KubestrayError]:
    """Return how many rows came before the error, and the error."""
    count = 0
    with store.stream(tree(sql), limits) as batches:
        try:
            for part in batches:
                count += part.num_rows
        except KubestrayError as error:
            return count, error
    raise AssertionError("no error")


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_idle(store: Store) -> bool:
    return query(store, RUNNING) == [{"n": 0}]


# --- rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT number AS a FROM numbers(300000) ORDER BY a DESC",
        "SELECT number AS a FROM numbers(300000) WHERE number % 150000 = 7 ORDER BY a",
        "SELECT number AS a FROM numbers(10) WHERE a > 10",
        "SELECT count() AS n FROM numbers(10) WHERE number > 10",
        "SELECT toNullable(toFloat64(number)) AS a, NULL AS b, 'x' AS c, ['p', 'q'] AS d FROM numbers(3)",
        "SELECT CAST((number, ['a', 'ä']), 'Tuple(Nullable(Float64), Array(String))') AS a FROM numbers(3)",
        "SELECT arrayJoin(range(200000)) AS a ORDER BY a",
        "SELECT number % 100000 AS k, count() AS n FROM numbers(200000) GROUP BY k ORDER BY k",
    ],
)
def test_the_rows_of_a_stream_are_those_of_a_query(any_store: Store, sql: str) -> None:
    assert stream(any_store, sql) == query(any_store, sql)


def test_what_was_appended_is_streamed(any_store: Store) -> None:
    made = [series("m", pod=str(n)) for n in range(10)]
    any_store.append(batch((s, NOW + n, n, n / 3) for n, s in enumerate(made)))
    sql = "SELECT series_id, time, value FROM samples ORDER BY time"
    found = [tuple(row.values()) for row in stream(any_store, sql)]
    assert found == [(s.id, NOW + n, n / 3) for n, s in enumerate(made)]


def test_batches_come_before_the_statement_ends(any_store: Store) -> None:
    with any_store.stream(tree(ENDLESS)) as batches:
        assert sum(next(batches).num_rows for _ in range(5)) > 5
    wait_until(lambda: is_idle(any_store))


def test_a_long_statement_is_streamed(any_store: Store) -> None:
    """Rows that come with a search stand in its statement: longer than the 256 KiB that the engine allows."""
    sql = f"SELECT length('{'x' * 2_000_000}') AS n"
    assert stream(any_store, sql) == [{"n": 2_000_000}]


def test_streams_side_by_side(any_store: Store) -> None:
    expected = [{"n": 100_000, "s": 100_000 * 99_999 // 2}]

    def check(number: int, found: list[Any]) -> None:
        rows = stream(any_store, f"SELECT number + {number} AS a FROM numbers(100000)")
        total = sum(row["a"] for row in rows) - number * len(rows)
        found.append([{"n": len(rows), "s": total}])

    found: list[Any] = []
    threads = [threading.Thread(target=check, args=(number, found)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6


def test_two_streams_of_one_reader(any_store: Store) -> None:
    sql = "SELECT number AS a FROM numbers(200000) ORDER BY a"
    with any_store.stream(tree(sql)) as one, any_store.stream(tree(sql)) as other:
        parts = [(next(one), next(other)), *zip(one, other, strict=True)]
    for side in zip(*parts, strict=True):
        assert pa.Table.from_batches(side).column("a").to_pylist() == list(range(200_000))


# --- limits ----------------------------------------------------------------------------------------

LIMITS = {
    "rows": (Limits(rows=10), "SELECT number FROM numbers(11)", ["10 rows", "search_rows", "--search-rows"]),
    "memory": (
        Limits(memory=10 << 20),
        "SELECT groupArray(number) FROM numbers(100000000)",
        ["10MiB", "search_memory", "--search-memory"],
    ),
    "time": (
        Limits(seconds=0.2),
        "SELECT sum(cityHash64(number)) FROM numbers(10000000000000)",
        ["0.2s", "search_timeout", "--search-timeout"],
    ),
}


@pytest.mark.parametrize("run", [query, stream])
@pytest.mark.parametrize(("limits", "sql", "told"), LIMITS.values(), ids=LIMITS.keys())
def test_a_limit_is_explained_and_the_next_answer_is_right(
    any_store: Store, run: Callable[..., Any], limits: Limits, sql: str, told: list[str]
) -> None:
    with pytest.raises(LimitExceeded) as raised:
        run(any_store, sql, limits)
    assert [part for part in told if part not in str(raised.value)] == []
    # The engine keeps what a statement that failed had written, and would give it to the next one.
    for _ in range(3):
        assert query(any_store, "SELECT 1 AS a, 'x' AS b") == [{"a": 1, "b": "x"}]
        assert stream(any_store, "SELECT 2 AS a, 'y' AS b") == [{"a": 2, "b": "y"}]


def test_as_many_rows_as_are_allowed(any_store: Store) -> None:
    assert len(stream(any_store, "SELECT number FROM numbers(300000)", Limits(rows=300_000))) == 300_000


def test_the_limit_on_rows_holds_for_all_batches_together(any_store: Store) -> None:
    count, error = until_error(any_store, ENDLESS, Limits(rows=500_000))
    assert isinstance(error, LimitExceeded)
    assert "500000 rows" in str(error)
    assert 0 < count <= 500_000


def test_the_limit_on_time_holds_while_rows_come(any_store: Store) -> None:
    count, error = until_error(any_store, ENDLESS, Limits(seconds=0.5))
    assert isinstance(error, LimitExceeded)
    assert "0.5s (search_timeout)" in str(error)
    assert count > 0


def test_an_error_half_way_is_an_error(any_store: Store) -> None:
    failing = "SELECT number, throwIf(number = 1000000) FROM numbers(3000000)"
    count, error = until_error(any_store, failing)
    assert isinstance(error, StoreError)
    assert "throwIf" in str(error)
    assert count < 3_000_000
    assert stream(any_store, "SELECT 1 AS a") == [{"a": 1}]


@pytest.mark.parametrize("run", [query, stream])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO samples_local SELECT * FROM samples_local",
        "TRUNCATE TABLE samples_local",
        "CREATE TABLE more ENGINE = Memory AS SELECT 1 AS a",
    ],
)
def test_what_is_asked_for_never_writes(any_store: Store, run: Callable[..., Any], statement: str) -> None:
    any_store.append(batch([(series("m"), NOW, 0, 1.0)]))
    with pytest.raises(StoreError):
        run(any_store, statement)
    assert query(any_store, "SELECT count() AS n FROM samples_local") == [{"n": 1}]
    assert query(any_store, "SELECT count() AS n FROM system.tables WHERE name = 'more'") == [{"n": 0}]


# --- leaving ---------------------------------------------------------------------------------------


def test_a_reader_that_leaves_ends_the_statement(any_store: Store) -> None:
    with any_store.stream(tree(ENDLESS)) as batches:
        next(batches)
        assert not is_idle(any_store)
    wait_until(lambda: is_idle(any_store))
    assert stream(any_store, "SELECT 1 AS a") == [{"a": 1}]


def test_leaving_a_statement_that_gives_nothing_ends_it(any_store: Store) -> None:
    """As Ctrl-C does: the reader waits, and the engine has not given a row."""
    batches = any_store.stream(tree(SILENT))
    found: list[list[pa.RecordBatch]] = []
    reader = threading.Thread(target=lambda: found.append(list(batches)))
    reader.start()
    wait_until(lambda: not is_idle(any_store))
    batches.close()
    reader.join()
    assert found == [[]]
    wait_until(lambda: is_idle(any_store))


def test_cancelling_all_ends_a_stream_with_an_error(any_store: Store, fleet: Fleet) -> None:
    """As a server does that stops."""
    errors: list[KubestrayError] = []

    def read() -> None:
        errors.append(until_error(any_store, SILENT)[1])

    reader = threading.Thread(target=read)
    reader.start()
    while reader.is_alive():
        fleet.admin.cancel_all()
        reader.join(0.2)
    [error] = errors
    assert isinstance(error, LimitExceeded)
    assert "cancelled" in str(error)


# --- answers over HTTP that break off --------------------------------------------------------------

_REFUSED = "throwIf"
_BROKEN = "broke off its answer"


@pytest.fixture
def breaking(fleet: Fleet) -> Iterator[Callable[[str], Store]]:
    """A function that gives the store over HTTP, whose server tells errors half-way in a certain manner."""

    def broken_in(manner: str) -> Store:
        fleet.front.breaks = manner
        return store

    with fleet.store("http") as store:
        yield broken_in
    fleet.front.breaks = "tagged"


@pytest.mark.parametrize(
    ("manner", "told"),
    [("tagged", _REFUSED), ("plain", _REFUSED), ("silent", _BROKEN), ("short", _BROKEN)],
)
def test_an_answer_that_breaks_off_is_never_taken_for_the_whole(
    breaking: Callable[[str], Store], manner: str, told: str
) -> None:
    failing = "SELECT number, throwIf(number = 1000000) FROM numbers(3000000) ORDER BY number"
    failing = failing.replace(" ORDER BY number", " SETTINGS max_threads = 1")
    count, error = until_error(breaking(manner), failing)
    assert isinstance(error, StoreError)
    assert told in str(error)
    assert 0 < count < 1_000_000


@pytest.mark.parametrize("manner", ["tagged", "plain"])
def test_a_limit_is_explained_after_some_rows(breaking: Callable[[str], Store], manner: str) -> None:
    count, error = until_error(breaking(manner), ENDLESS, Limits(rows=500_000))
    assert isinstance(error, LimitExceeded)
    assert "500000 rows" in str(error)
    assert 0 < count <= 500_000


def test_rows_that_look_like_an_error_are_rows(breaking: Callable[[str], Store]) -> None:
    sql = "SELECT concat('Code: 159. DB::Exception: ', toString(number)) AS a FROM numbers(200000)"
    assert len(stream(breaking("tagged"), sql)) == 200_000
