"""The default engine: chDB, ClickHouse inside this process, in one data directory.

One process holds a directory at a time (the engine locks it, and the lock dies with the process).
Several connections to it run side by side, one statement each, so each caller borrows one.
"""

from __future__ import annotations

import os
import queue
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlglot import exp

from kubestray.model.errors import KubestrayError, StoreError
from kubestray.store import directory as directory_lock
from kubestray.store.engine import READ_SETTINGS, UNLIMITED, Limits, render, with_settings
from kubestray.store.failures import failure


class EmbeddedEngine:
    """chDB in ``directory``; ``database`` and ``config`` (an XML file) are for tests and clusters."""

    def __init__(self, directory: Path, *, database: str = "kubestray", config: Path | None = None) -> None:
        self._directory, self._database = directory, database
        self._dsn = f"{directory}?config-file={config}" if config else str(directory)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._open: list[Any] = []
        self._closed = False
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="query")
        directory_lock.take(directory)
        try:
            first = self._connect()
            _run(first, f"CREATE DATABASE IF NOT EXISTS {database}", self.url)
            _run(first, f"USE {database}", self.url)
        except KubestrayError:
            self.close()
            raise
        self._idle.put(first)

    @property
    def url(self) -> str:
        """The directory as a store URL."""
        return f"chdb://{self._directory}"

    def query(self, tree: exp.Expr, limits: Limits = UNLIMITED) -> pa.Table:
        """Run a SELECT and return its Arrow table."""
        return self.query_text(render(tree), limits)

    def query_text(self, sql: str, limits: Limits = UNLIMITED, tag: str = "") -> pa.Table:
        """Run a SELECT that is text already (what comes over the socket); `cancel` knows it by its tag."""
        tag = tag or secrets.token_hex(8)
        sql = with_settings(sql, {**READ_SETTINGS, **limits.settings(), "log_comment": f"'{tag}'"})
        if threading.current_thread() is not threading.main_thread():
            return self._ask(sql)
        # Python hears of Ctrl-C only between its own steps, and a query is one step: another thread takes
        # it, so that this one can be interrupted.
        answer = self._worker.submit(self._ask, sql)
        try:
            return answer.result()
        except KeyboardInterrupt:
            self.cancel(tag)
            raise

    def cancel_all(self) -> None:
        """Stop every query that is running."""
        self.execute("KILL QUERY WHERE Settings['log_comment'] != '' ASYNC")

    def cancel(self, tag: str) -> None:
        """Stop the query that was tagged so, wherever it runs."""
        self.execute(f"KILL QUERY WHERE Settings['log_comment'] = '{tag}' ASYNC")

    def _ask(self, sql: str) -> pa.Table:
        with self._borrow() as connection:
            raw = _run(connection, sql, self.url, "ArrowStream").bytes()
        if not raw:
            raise StoreError(f"the store at {self.url} gave no answer to a query")
        return pa.ipc.open_stream(pa.BufferReader(raw)).read_all()

    def execute(self, statement: str) -> None:
        """Run a statement of our own."""
        with self._borrow() as connection:
            _run(connection, statement, self.url)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append rows through an anonymous file that only this process sees."""
        descriptor = os.memfd_create("kubestray-insert")
        try:
            with (
                os.fdopen(descriptor, "wb", closefd=False) as file,
                pa.ipc.new_stream(file, rows.schema) as out,
            ):
                out.write_table(rows)
            columns = ", ".join(rows.schema.names)
            self.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} "  # noqa: S608 (names are the schema's)
                f"FROM file('/proc/self/fd/{descriptor}', 'ArrowStream')"
            )
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close every connection; the directory is free when the last one is closed."""
        self._worker.shutdown()
        while self._open:
            self._open.pop().close()
        if not self._closed:
            self._closed = True
            directory_lock.release(self._directory)

    def _connect(self) -> Any:
        import chdb  # heavy: only when a store is opened

        try:
            connection: Any = chdb.connect(self._dsn)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise failure(str(error), self.url) from error
        self._open.append(connection)
        return connection

    @contextmanager
    def _borrow(self) -> Iterator[Any]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
            _run(connection, f"USE {self._database}", self.url)
        try:
            yield connection
        finally:
            self._idle.put(connection)


def _run(connection: Any, sql: str, url: str, output: str = "Null") -> Any:
    try:
        return connection.query(sql, output)
    except RuntimeError as error:
        raise failure(str(error), url) from error
