"""The engines under the tests are what they claim to be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pyarrow as pa
import pytest
from sqlglot import parse_one

from engines.fleet import Fleet
from helpers import DAY, NOW, SECOND, batch, search, series
from kubestray.model.errors import LimitExceeded, StoreError
from kubestray.model.metric import Kind
from kubestray.store.engine import Engine, Limits
from kubestray.store.making import look
from kubestray.store.schema import Layout
from kubestray.store.store import Store


def rows(store: Store, sql: str, limits: Limits | None = None) -> list[dict[str, object]]:
    return store.query(parse_one(sql, dialect="clickhouse"), limits or Limits()).to_pylist()


def test_what_is_appended_is_read_back(store: Store) -> None:
    made = [series("m", pod=str(n)) for n in range(10)]
    store.append(batch((s, NOW + n, n, n / 3) for n, s in enumerate(made)))
    found = rows(store, "SELECT series_id, time, start, value FROM samples ORDER BY time")
    assert [tuple(row.values()) for row in found] == [(s.id, NOW + n, n, n / 3) for n, s in enumerate(made)]
    assert {row["series_id"] for row in rows(store, "SELECT series_id FROM series")} == {s.id for s in made}


def test_the_shards_are_disjoint_and_both_hold_points(fleet: Fleet) -> None:
    with fleet.store("distributed") as store:
        made = [series("m", pod=str(n)) for n in range(40)]
        store.append(batch((s, NOW, 0, 1.0) for s in made))
        found = rows(store, "SELECT shardNum() AS shard, series_id FROM samples")
        assert {row["series_id"] % 2 == row["shard"] - 1 for row in found} == {True}  # type: ignore[operator]
        assert {row["shard"] for row in found} == {1, 2}
        assert len(found) == 40


def test_repeated_points_collapse_on_the_shards_too(store: Store) -> None:
    made = series("m")
    for _ in range(3):
        store.append(batch([(made, NOW, 0, 1.0), (made, NOW, 0, 2.0)]))
    assert [row["value"] for row in rows(store, "SELECT value FROM samples ORDER BY value")] == [1.0, 2.0]


def test_the_http_engine_speaks_http(fleet: Fleet) -> None:
    with fleet.store("http") as store:
        store.append(batch([(series("m"), NOW, 0, 1.0)]))
        fleet.front.statements.clear()
        store.append(batch([(series("m"), NOW, 0, 1.0)]))
        assert rows(store, "SELECT value FROM samples") == [{"value": 1.0}]
        said = fleet.front.statements
        assert [text for text in said if text.startswith("INSERT INTO `samples_local`")]
        assert said[-1].startswith("SELECT value FROM samples")


@pytest.mark.more("distributed")
@pytest.mark.parametrize(
    ("limits", "sql"),
    [
        (Limits(rows=10), "SELECT number FROM numbers(11)"),
        (Limits(memory=10_000_000), "SELECT groupArray(number) FROM numbers(100000000)"),
        (Limits(seconds=0.2), "SELECT sum(cityHash64(number)) FROM numbers(100000000000)"),
    ],
)
def test_limits_hold(store: Store, limits: Limits, sql: str) -> None:
    with pytest.raises(LimitExceeded):
        rows(store, sql, limits)


@pytest.mark.more("distributed")
def test_groups_and_sorted_rows_that_need_more_memory_go_to_disk(store: Store) -> None:
    limits = Limits(memory=128 << 20)
    groups = "SELECT number AS n, count() AS c FROM numbers(3000000) GROUP BY n"
    assert rows(store, f"SELECT count() AS n, sum(c) AS s FROM ({groups})", limits) == [
        {"n": 3_000_000, "s": 3_000_000}
    ]


def test_a_refusal_says_where_and_what(store: Store) -> None:
    with pytest.raises(StoreError, match=r"the store at .* refused: .*nowhere"):
        rows(store, "SELECT 1 FROM nowhere")


def test_threads_write_and_read_side_by_side(store: Store) -> None:
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for step in range(2):
                store.append(batch([(series("m", thread=str(number)), NOW + step, 0, float(step))]))
                search(store, "| mstats count(m) as n where index=* by thread")
        except Exception as error:  # noqa: BLE001 (told below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = search(store, "| mstats count(m) as n where index=* by thread").rows
    assert found == [{"thread": str(number), "n": 2} for number in range(4)]


@pytest.mark.more("distributed")
def test_a_batch_over_many_days_is_written(store: Store) -> None:
    made = series("m", Kind.DELTA)
    store.append(batch((made, day * DAY + SECOND, 0, 1.0) for day in range(150)))
    assert rows(store, "SELECT count() AS n, max(time) AS last FROM samples") == [
        {"n": 150, "last": 149 * DAY + SECOND}
    ]


def test_tables_can_be_made_again(store: Store) -> None:
    store.append(batch([(series("m"), NOW, 0, 1.0)]))
    store.create()
    assert rows(store, "SELECT count() AS n FROM samples") == [{"n": 1}]


@contextmanager
def statements_counted(store: Store) -> Iterator[list[str]]:
    """Give the statements that the store runs meanwhile, but for those that read or write rows."""
    ran: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        plain = store.engine.execute
        patch.setattr(store.engine, "execute", lambda text: (ran.append(text), plain(text))[1])
        yield ran


def test_what_is_there_is_not_made_again(store: Store) -> None:
    with statements_counted(store) as ran:
        store.create()
    assert ran == []


@pytest.mark.parametrize(
    "harm",
    [
        ["DROP VIEW audit"],
        ["DROP TABLE documents_local"],
        # As a version leaves it that knows of neither the column nor the comment.
        [
            "ALTER TABLE runs_local DROP COLUMN seconds",
            "CREATE OR REPLACE VIEW runs AS SELECT detection, finished, rows, error FROM runs_local",
        ],
    ],
)
def test_what_is_missing_or_of_another_version_is_made(embedded: Store, harm: list[str]) -> None:
    for statement in harm:
        embedded.engine.execute(statement)
    with statements_counted(embedded) as ran:
        embedded.create()
        made = len(ran)
        embedded.create()
    assert 0 < made == len(ran)
    assert rows(embedded, "SELECT time FROM audit") == rows(embedded, "SELECT name FROM documents") == []
    assert rows(embedded, "SELECT seconds FROM runs") == []


def test_a_layout_that_has_changed_is_made(embedded: Store) -> None:
    """Another comment is enough: a column may be new that no view has."""
    plain = Layout.statements
    one = plain(embedded.layout)[0]
    with statements_counted(embedded) as ran, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Layout, "statements", lambda self, known=(): [*plain(self, known), one])
        embedded.create()
        assert ran[-1] == one
        made = len(ran)
        embedded.create()
        assert len(ran) == made
    embedded.create()


def is_there(engine: Engine, cluster: str | None, wanted: dict[str, str | None]) -> bool:
    return look(engine, cluster, wanted)[0]


def test_on_a_cluster_every_replica_is_asked(fleet: Fleet) -> None:
    with fleet.store("distributed") as store:
        wanted = {"samples": None, "samples_local": None, "audit_unique": "of another version"}
        there = partial(is_there, store.engine)
        assert there("two_shards", dict.fromkeys(wanted))
        assert not there("two_shards", wanted)
        assert not there("two_shards", {"samples": None, "nothing": None})
        assert not there("no_such_cluster", dict.fromkeys(wanted))
        with fleet.store("embedded") as other:
            assert not is_there(other.engine, "two_shards", dict.fromkeys(wanted)), "the current database"


def test_a_store_may_be_opened_by_several_at_once(fleet: Fleet) -> None:
    """Of a server: an embedded store belongs to one process."""
    fleet.admin.execute("CREATE DATABASE opened_at_once")
    engines = [fleet.embedded("opened_at_once") for _ in range(3)]
    try:
        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(lambda engine: Store(engine).create(), engines)) == [None] * 3
        with statements_counted(Store(engines[0])) as ran:
            Store(engines[0]).create()
        assert ran == []
    finally:
        for engine in engines:
            engine.close()
        fleet.admin.execute("DROP DATABASE opened_at_once")


def test_nothing_to_record_writes_nothing(store: Store) -> None:
    store.record("risk", pa.table({"id": pa.array([], pa.string())}))
    assert rows(store, "SELECT id FROM risk") == []
