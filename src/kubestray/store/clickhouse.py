"""The scale-out engine: a ClickHouse server or cluster, over HTTP."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import pyarrow as pa

from kubestray.model.errors import StoreError, UsageError
from kubestray.store.engine import (
    IN_ORDER_SETTINGS,
    NEWER_SETTINGS,
    READ_SETTINGS,
    UNLIMITED,
    Limits,
    Statement,
    kill,
    new_tag,
    reading,
    render,
)
from kubestray.store.failures import failure
from kubestray.store.http_answer import Answer
from kubestray.store.stream import Stream

# The server sees by itself that a client has died (it looks only for statements that are read-only).
# How long a statement may be is asked before its own settings are read.
_READING = {
    "readonly": 2,
    "cancel_http_readonly_queries_on_client_close": 1,
    "max_query_size": READ_SETTINGS["max_query_size"],
}
_STREAMING = {**_READING, "output_format_arrow_string_as_string": 1}


def _parts(url: str) -> tuple[SplitResult, int | None]:
    """Return the parts of a URL and its port. Raises UsageError that says nothing of what is in it.

    A password with a ``/``, ``#`` or ``?`` ends the host before its time: what is wrong is then the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        pass
    else:
        if not parts.fragment and "@" not in parts.path + parts.query:
            return parts, port
    raise UsageError(
        "--store: expected clickhouse://user:password@host:8123/database, the port a number; "
        "in user and password write %2F for /, %23 for #, %3F for ?, %40 for @, %3A for :"
    )


class ClickHouseEngine:
    """``clickhouse://user:password@host:8123/database?cluster=NAME&secure=1``."""

    def __init__(self, url: str) -> None:
        import clickhouse_connect  # heavy: only for this engine
        from clickhouse_connect.driver.exceptions import ClickHouseError

        parts, port = _parts(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        unknown = sorted(options.keys() - {"cluster", "secure"})
        if unknown:
            raise UsageError(f"--store: unknown option {unknown[0]!r} in the URL; known are cluster, secure")
        self.cluster = options.get("cluster")
        self._database = parts.path.strip("/") or "default"
        self._where = f"clickhouse://{parts.hostname}:{port or 8123}/{self._database}"
        self._errors: type[Exception] = ClickHouseError
        secure = options.get("secure", "0") not in ("0", "false")
        try:
            self._client: Any = clickhouse_connect.get_client(
                host=parts.hostname or "127.0.0.1",
                port=port or (8443 if secure else 8123),
                username=unquote(parts.username or "default"),
                password=unquote(parts.password or ""),
                database=self._database,
                secure=secure,
                # Without a session, statements of several threads may run at once.
                autogenerate_session_id=False,
            )
        except ClickHouseError as error:
            raise StoreError(f"cannot reach the store at {self._where}: {_first_line(error)}") from error
        self._lacking = NEWER_SETTINGS.keys() - self._client.server_settings.keys()

    @property
    def url(self) -> str:
        """Host, port and database, without the password."""
        return self._where

    def query(self, tree: Statement, limits: Limits = UNLIMITED) -> pa.Table:
        """Run a SELECT and return its Arrow table."""
        tag = new_tag()
        sql = reading(render(tree), limits, tag, self._lacking)
        try:
            return self._client.query_arrow(sql, use_strings=True, settings=_READING)
        except self._errors as error:
            raise failure(str(error), self.url, limits) from error
        except KeyboardInterrupt:
            self.cancel(tag)
            raise

    def stream(self, tree: Statement, limits: Limits = UNLIMITED) -> Stream:
        """Run a SELECT and return its record batches as the server sends them."""
        tag = new_tag()
        sql = reading(render(tree), limits, tag, self._lacking)
        answer = Answer(lambda: self._ask(sql, limits), self.url, limits)

        def cancel() -> None:
            self.cancel(tag)
            answer.hang_up()

        return Stream(answer.batches(), cancel)

    def _ask(self, sql: str, limits: Limits) -> Any:
        try:
            return self._client.raw_stream(sql, settings=_STREAMING, fmt="ArrowStream")
        except self._errors as error:
            raise failure(str(error), self.url, limits) from error

    def cancel(self, tag: str) -> None:
        """Ask the server to stop the query that was tagged so; it may not let us."""
        with suppress(StoreError):
            self.execute(kill(tag))

    def execute(self, statement: str) -> None:
        """Run a statement of our own."""
        try:
            self._client.command(statement)
        except self._errors as error:
            raise failure(str(error), self.url) from error

    def insert(self, table: str, rows: pa.Table, *, in_order: bool = False) -> None:
        """Append rows; on a cluster every shard has them when this returns."""
        settings = {"distributed_foreground_insert": 1, **(IN_ORDER_SETTINGS if in_order else {})}
        try:
            self._client.insert_arrow(table, rows, settings=settings)
        except self._errors as error:
            raise failure(str(error), self.url) from error

    def changes(self, tables: Collection[str]) -> Hashable | None:  # noqa: ARG002 (of no table)
        """Return nothing: others write to the same tables."""
        return None

    def cancel_all(self) -> None:
        """Ask the server to stop every query of this process; it may not let us."""
        with suppress(StoreError):
            self.execute(kill())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
