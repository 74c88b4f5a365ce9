"""The default engine: chDB, ClickHouse inside this process, in one data directory.

One process holds a directory at a time (the engine locks it, and the lock dies with the process).
Several connections to it run side by side, one statement each, so each caller borrows one.
"""

from __future__ import annotations

import dataclasses
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Collection, Generator, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from kubestray.model.errors import KubestrayError, StoreError
from kubestray.store import directory as directory_lock
from kubestray.store.beside import fill, with_path
from kubestray.store.engine import (
    IN_ORDER_SETTINGS,
    READ_SETTINGS,
    UNLIMITED,
    Beside,
    Limits,
    Ready,
    Statement,
    kill,
    new_tag,
    reading,
    render,
    with_settings,
)
from kubestray.store.failures import failure
from kubestray.store.stream import CANCEL_AGAIN, Stream
from kubestray.store.whole import Running


class _Changes:
    """How often this process has written to the tables of a database: no other process can."""

    ANY = ""
    """Stands for statements that may have changed any table."""

    _of: ClassVar[dict[tuple[Path, str], _Changes]] = {}

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, directory: Path, database: str) -> _Changes:
        """Return the one of a database: several engines of a process may write to it."""
        return cls._of.setdefault((directory, database), cls())

    def count(self, table: str) -> None:
        """Count a statement once its rows can be seen."""
        with self._lock:
            self._counts[table] += 1

    def so_far(self, tables: Collection[str]) -> tuple[int, ...]:
        """Return how often each of these tables was written to, and how often any may have been."""
        with self._lock:
            return tuple(self._counts[name] for name in (self.ANY, *tables))


class EmbeddedEngine:
    """chDB in ``directory``; ``database`` and ``config`` (an XML file) are for tests and clusters."""

    def __init__(self, directory: Path, *, database: str = "kubestray", config: Path | None = None) -> None:
        self._directory, self._database = directory, database
        self._dsn = f"{directory}?config-file={config}" if config else str(directory)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._open: list[Any] = []
        self._closed = False
        self._running = Running()
        self._apart = len(os.sched_getaffinity(0)) > 1
        self._changes = _Changes.of(directory, database)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="query")
        self.before_reading: Callable[[str], None] = lambda _statement: None
        """Called with each statement before it runs, but for those of `insert`, and with the names of tables
        before it is told how often they have changed; may insert."""
        directory_lock.take(directory)
        try:
            # It stays idle: the engine stops with its last connection, and those that failed are closed.
            first = self._connect()
            _run(first, f"CREATE DATABASE IF NOT EXISTS {database}", self.url)
        except KubestrayError:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The directory as a store URL."""
        return f"chdb://{self._directory}"

    def query(self, tree: Statement, limits: Limits = UNLIMITED) -> pa.Table:
        """Run a SELECT and return its Arrow table."""
        beside = tree.beside if isinstance(tree, Ready) and self._apart else None
        answer = self._together(beside, limits) if beside else self.query_text(render(tree), limits)
        return pa.ipc.open_stream(pa.BufferReader(answer)).read_all()

    def _together(self, parts: Beside, limits: Limits) -> bytes:
        """Run a statement and the part of it that may run beside it, which gives it rows through a pipe."""
        own = dataclasses.replace(limits, rows=0)
        tag, failed = new_tag(), None
        rows_out, rows_in = os.pipe()
        with ThreadPoolExecutor(1, thread_name_prefix="beside") as other:
            filled = other.submit(
                copy_context().run, fill, rows_in, lambda: self.query_text(parts.part, own, tag)
            )
            try:
                answer = self.query_text(with_path(parts.main, f"/proc/self/fd/{rows_out}"), limits)
            except KubestrayError as error:
                failed = error
            finally:
                os.close(rows_out)
                wait([filled], CANCEL_AGAIN)
                in_vain = not filled.done()
                while not filled.done():
                    self.cancel(tag)
                    wait([filled], CANCEL_AGAIN)
        if not in_vain and (wrong := filled.exception()):
            raise wrong from failed  # without its rows, what the statement said means nothing
        if failed:
            raise failed
        return answer

    def query_text(self, sql: str, limits: Limits = UNLIMITED, tag: str | None = None) -> bytes:
        """Run a SELECT that is text already (what comes over the socket); return an Arrow stream."""
        self.before_reading(sql)
        tag = tag or new_tag()
        if threading.current_thread() is not threading.main_thread():
            return self._ask(sql, limits, tag)
        # Python hears of Ctrl-C only between its own steps, and a query is one step: another thread takes
        # it, so that this one can be interrupted.
        answer = self._worker.submit(self._ask, sql, limits, tag)
        try:
            return answer.result()
        except KeyboardInterrupt:
            while not answer.done():
                self.cancel(tag)
                wait([answer], CANCEL_AGAIN)
            raise

    def stream(self, tree: Statement, limits: Limits = UNLIMITED) -> Stream:
        """Run a SELECT and return its record batches as they come.

        The engine computes a batch when it is asked for one, and holds no more than its sorting and
        grouping need.
        """
        tag = new_tag()
        return Stream(self._batches(render(tree), limits, tag), lambda: self.cancel(tag))

    def chunks(self, sql: str, limits: Limits, tag: str) -> Generator[bytes, None, None]:
        """Run a SELECT that is text already; give its answer as Arrow streams, each of a part of the rows."""
        self.before_reading(sql)
        with self._borrow() as connection, self._running.whole(tag, limits):
            answer = None
            try:
                answer = connection.send_query(reading(sql, limits, tag), "ArrowStream")
                for chunk in answer:
                    yield chunk.bytes()
            except RuntimeError as error:
                raise failure(str(error), self.url, limits) from error
            finally:
                if answer is not None:
                    with suppress(RuntimeError):
                        answer.cancel()  # nothing, if it has ended

    def changes(self, tables: Collection[str]) -> Hashable | None:
        """Return how often each of these tables was written to: by this process, as no other one can."""
        self.before_reading(" ".join(tables))
        return self._changes.so_far(tables)

    def cancel_all(self) -> None:
        """Stop every query that is running."""
        with self._running.cancelling():
            self._run(kill())

    def cancel(self, tag: str) -> None:
        """Stop the query that was tagged so, wherever it runs."""
        with self._running.cancelling(tag):
            self._run(kill(tag))

    def _ask(self, sql: str, limits: Limits, tag: str) -> bytes:
        with self._borrow() as connection, self._running.whole(tag, limits):
            raw: bytes = _run(connection, reading(sql, limits, tag), self.url, "ArrowStream", limits).bytes()
        if not raw:
            raise StoreError(f"the store at {self.url} gave no answer to a query")
        return raw

    def _batches(self, sql: str, limits: Limits, tag: str) -> Generator[pa.RecordBatch, None, None]:
        for chunk in self.chunks(sql, limits, tag):
            yield from pa.ipc.open_stream(pa.BufferReader(chunk))

    def execute(self, statement: str) -> None:
        """Run a statement of our own."""
        self.before_reading(statement)
        try:
            self._run(statement)
        finally:
            self._changes.count(_Changes.ANY)

    def _run(self, statement: str) -> None:
        with self._borrow() as connection:
            _run(connection, statement, self.url)

    def insert(self, table: str, rows: pa.Table, *, in_order: bool = False) -> None:
        """Append rows through an anonymous file that only this process sees."""
        descriptor = os.memfd_create("kubestray-insert")
        try:
            with (
                os.fdopen(descriptor, "wb", closefd=False) as file,
                pa.ipc.new_stream(file, rows.schema) as out,
            ):
                out.write_table(rows)
            columns = ", ".join(rows.schema.names)
            statement = (
                f"INSERT INTO {table} ({columns}) SELECT {columns} "  # noqa: S608 (names are the schema's)
                f"FROM file('/proc/self/fd/{descriptor}', 'ArrowStream')"
            )
            self._run(with_settings(statement, IN_ORDER_SETTINGS if in_order else {}))
        finally:
            # Counted when the rows can be seen, and before anybody hears that they are written.
            self._changes.count(table)
            os.close(descriptor)

    def close(self) -> None:
        """Close every connection; the directory is free when the last one is closed."""
        self._worker.shutdown()
        was_closed, self._closed = self._closed, True
        while self._open:
            self._open.pop().close()
        if not was_closed:
            directory_lock.release(self._directory)

    def _connect(self) -> Any:
        import chdb  # heavy: only when a store is opened

        if self._closed:
            raise StoreError(f"the store at {self.url} is closed")
        try:
            connection: Any = chdb.connect(self._dsn)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            directory_lock.check_links(self._directory, self._database)
            raise failure(str(error), self.url) from error
        self._open.append(connection)
        return connection

    @contextmanager
    def _borrow(self) -> Iterator[Any]:
        """Lend a connection. One whose statement failed or was left early is closed.

        The engine keeps what such a statement had written, and gives it to the next one as its answer.
        """
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
            _run(connection, f"USE {self._database}", self.url)
            # A streamed statement is read before the settings at its end are.
            _run(connection, f"SET max_query_size = {READ_SETTINGS['max_query_size']}", self.url)
        ended = False
        try:
            yield connection
            ended = True
        finally:
            if ended:
                self._idle.put(connection)
            else:
                self._open.remove(connection)
                connection.close()


def _run(connection: Any, sql: str, url: str, output: str = "Null", limits: Limits = UNLIMITED) -> Any:
    try:
        return connection.query(sql, output)
    except RuntimeError as error:
        raise failure(str(error), url, limits) from error
