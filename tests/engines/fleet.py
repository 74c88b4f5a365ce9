"""Three engines over one chDB directory: embedded, over HTTP, and as a cluster of two shards.

One process holds one directory, and its configuration is fixed at the first connect; so all tests share
a directory, and each has a database of its own.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqlglot import exp, parse_one

from engines.http_front import HttpFront
from kubestray.store.clickhouse import ClickHouseEngine
from kubestray.store.embedded import EmbeddedEngine
from kubestray.store.engine import Engine
from kubestray.store.schema import _SHARD_BY, _UNIQUE, Layout
from kubestray.store.socket import SocketEngine, StoreSocket
from kubestray.store.store import Store
from kubestray.store.values import HOLDING

ENGINES = ("embedded", "http", "distributed")

# Both shards are this process: no port is opened, the engine sees that the address is its own.
_CONFIG = """
<clickhouse>
  <tcp_port>9000</tcp_port>
  <remote_servers>
    <two_shards>
      <shard><replica><host>localhost</host><port>9000</port></replica></shard>
      <shard><replica><host>localhost</host><port>9000</port></replica></shard>
    </two_shards>
  </remote_servers>
</clickhouse>
"""


@dataclass(frozen=True, slots=True)
class TwoShards(Layout):
    """The cluster's tables, in one process: each shard sees its half of the rows of one local table.

    ``cluster`` stays None: ON CLUSTER needs a keeper, which one process does not have. Rows go to the local
    table, because both shards write to the same one.
    """

    def statements(self, known: Collection[str] = ()) -> list[str]:
        made = Layout().statements(known)[: len(_UNIQUE)]
        for name, body in _UNIQUE.items():
            half = f"{_SHARD_BY[name]} % 2 = shardNum() - 1"
            made += [
                f"CREATE OR REPLACE VIEW {name}_unique AS SELECT * FROM ({body}) WHERE {half}",
                f"CREATE TABLE IF NOT EXISTS {name} AS {name}_unique "
                f"ENGINE = Distributed(two_shards, currentDatabase(), {name}_unique, {_SHARD_BY[name]})",
            ]
        return made


@dataclass
class Fleet:
    """The directory and what is connected to it."""

    directory: Path
    _names: Iterator[int] = field(default_factory=itertools.count)
    _idle: dict[str, list[tuple[str, Engine]]] = field(default_factory=lambda: defaultdict(list))
    """Databases that tests have left, their tables empty, and engines on them, by the engine's name: to make
    them anew takes most of a short test."""

    @cached_property
    def config(self) -> Path:
        path = self.directory / "cluster.xml"
        path.write_text(_CONFIG)
        return path

    @cached_property
    def admin(self) -> EmbeddedEngine:
        """The connection that outlives those of the tests."""
        return EmbeddedEngine(self.directory / "data", database="admin", config=self.config)

    @cached_property
    def front(self) -> HttpFront:
        return HttpFront(f"{self.directory / 'data'}?config-file={self.config}")

    def embedded(self, database: str) -> EmbeddedEngine:
        """One more engine on the directory, which this process holds."""
        return EmbeddedEngine(self.directory / "data", database=database, config=self.config)

    @contextmanager
    def store(self, engine: str) -> Iterator[Store]:
        """A store with tables of its own, empty, on one of `ENGINES`, or on ``socket``."""
        idle = self._idle[engine]
        layout = TwoShards() if engine == "distributed" else Layout()
        database, made = idle.pop() if idle else self._new_database(engine, layout)
        try:
            if engine == "socket":
                with self._served(database) as store:
                    yield store
            else:
                yield _on_empty_tables(made, layout, standing_clock)
        finally:
            self._empty(database)
            idle.append((database, made))

    def _new_database(self, engine: str, layout: Layout) -> tuple[str, Engine]:
        database = f"test_{next(self._names)}"
        self.admin.execute(f"CREATE DATABASE {database}")
        made = self.embedded(database)
        Store(made, layout).create()
        if engine != "http":
            return database, made
        made.close()
        return database, ClickHouseEngine(f"{self.front.url}/{database}")

    def _empty(self, database: str) -> None:
        for name in _filled(self.admin, exp.Literal.string(database)):
            self.admin.execute(f"TRUNCATE TABLE {database}.{name}")

    @contextmanager
    def _served(self, database: str) -> Iterator[Store]:
        """A store as a command beside a server sees it: another process, but for the process."""
        directory = self.directory / database
        directory.mkdir(exist_ok=True)
        engine = self.embedded(database)
        server = StoreSocket(engine, directory)
        server.start()
        client = SocketEngine(directory)
        try:
            yield Store(client, clock=standing_clock)
        finally:
            client.close()
            server.stop()
            engine.close()

    def close(self) -> None:
        for _, made in itertools.chain(*self._idle.values()):
            made.close()
        if "front" in self.__dict__:
            self.front.close()
        if "admin" in self.__dict__:
            self.admin.close()


def emptied(store: Store) -> Store:
    """Take all rows out, and return the store as a process that starts now would see it."""
    for name in _filled(store.engine, exp.func("currentDatabase")):
        store.engine.execute(f"TRUNCATE TABLE {name}")
    return _on_empty_tables(store.engine, store.layout, store.clock)


def _on_empty_tables(engine: Engine, layout: Layout, clock: Callable[[], int]) -> Store:
    """Return a store that knows what it would ask its tables before it takes points: half of a short test."""
    store = Store(engine, layout, clock)
    store._reached = 0
    store._values = list(HOLDING)
    return store


_FILLED = parse_one(
    "SELECT DISTINCT table FROM system.parts WHERE database = :name AND active", dialect="clickhouse"
)


def _filled(engine: Engine, database: exp.Expr) -> list[str]:
    """Return the tables of a database that hold rows."""
    found = engine.query(exp.replace_placeholders(_FILLED, name=database))
    return [str(name) for name in found.column("table").to_pylist()]


def standing_clock() -> int:
    """A clock before all points, so that none comes late: notices are the subject of few tests only."""
    return 0
